import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlmodel import select

from core.errors import Conflict, DomainError, Impossible, NotSignedIn, TooMany
from core.runtime import Runtime
from core.team.commands import (
    COMMAND,
    create_api_key,
    create_owner,
    hash_key,
    normal_email,
    sign_in,
    sign_out,
    slug_of,
    stay_signed_in,
)
from core.team.passwords import hash_password, is_password
from core.unit import Identity
from data.enums import MemberStatus, Role
from data.operations import AuditEntry
from data.people import BrowserSession, Member, SignInFailure, User, Workspace
from tests.conftest import PASSWORD, Place

EMAIL = "owner@northwind.example"
BROWSER = Identity(address="192.0.2.7")


def enter(
    runtime: Runtime, email: str = EMAIL, password: str = PASSWORD, identity: Identity = BROWSER
) -> Identity:
    signed_in = sign_in(runtime, identity, email=email, password=password, agent="Firefox")
    return Identity(session_hash=hash_key(signed_in.token), address=identity.address)


def refusal_of(runtime: Runtime, email: str, password: str, identity: Identity = BROWSER) -> DomainError:
    with pytest.raises(DomainError) as refusal:
        enter(runtime, email, password, identity)
    return refusal.value


def is_in(runtime: Runtime, identity: Identity) -> bool:
    with runtime.unit(identity) as unit:
        return unit.actor.can("workspace.view")


def actions(runtime: Runtime) -> list[str]:
    with runtime.unit(COMMAND) as unit:
        return [entry.action for entry in unit.session.exec(select(AuditEntry).order_by("number"))]


# Owners


def test_a_new_workspace_has_its_owner_and_the_first_of_all_is_platform_admin(runtime: Runtime) -> None:
    hashed = "$argon2id$not-asked"
    with runtime.unit(COMMAND, write=True) as unit:
        first = create_owner(
            unit, workspace_name="Nordlicht & Söhne", email=" Ada@X.example ", password_hash=hashed
        )
        create_owner(unit, workspace_name="Second", email="bo@x.example", password_hash=hashed)
    assert first.slug == "nordlicht-söhne"
    with runtime.unit(COMMAND) as unit:
        users = {user.email: user.is_platform_admin for user in unit.session.exec(select(User))}
        roles = [(one.role, one.status) for one in unit.session.exec(select(Member))]
    assert users == {"ada@x.example": True, "bo@x.example": False}
    assert roles == [(Role.OWNER, MemberStatus.ACTIVE)] * 2
    assert actions(runtime) == ["workspace.created"] * 2


def test_a_workspace_exists_once_and_a_known_person_keeps_their_password(
    runtime: Runtime, place: Place
) -> None:
    with runtime.unit(COMMAND, write=True) as unit:
        with pytest.raises(Conflict) as refusal:
            create_owner(unit, workspace_name="northwind", email="x@x.example", password_hash="h")
        create_owner(unit, workspace_name="Other", email=EMAIL.upper(), password_hash="another")
        with pytest.raises(Impossible):
            create_owner(unit, workspace_name="Third", email=EMAIL, password_hash="h", timezone="Mars/Base")
    assert refusal.value.code == "workspace_exists"
    with runtime.unit(COMMAND) as unit:
        (user,) = unit.session.exec(select(User))
        assert len(unit.session.exec(select(Workspace)).all()) == 2
    assert is_password(PASSWORD, user.password_hash)


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Northwind Trading", "northwind-trading"), (" A  B ", "a-b"), ("Ü_x!!y", "ü-x-y"), ("北風", "北風")],
)
def test_a_slug_is_the_name_in_lower_case_with_dashes(name: str, slug: str) -> None:
    assert slug_of(name) == slug


@pytest.mark.parametrize("name", ["", "  ", "!!!", "x" * 201])
def test_a_name_without_letters_makes_no_slug(name: str) -> None:
    with pytest.raises(Impossible):
        slug_of(name)


@pytest.mark.parametrize("email", ["", "a", "a@b", "a b@c.de", "@c.de", "a@", "a@b@c.de", "x" * 65 + "@c.de"])
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(Impossible):
        normal_email(email)


@pytest.mark.parametrize("password", ["", "eleven char", "x" * 1025])
def test_a_password_has_twelve_characters_at_least(password: str) -> None:
    with pytest.raises(Impossible):
        hash_password(password)


# Signing in


def test_p9_a_sign_in_opens_a_session_of_which_only_the_hash_is_kept(runtime: Runtime, place: Place) -> None:
    signed_in = sign_in(runtime, BROWSER, email=f" {EMAIL.upper()} ", password=PASSWORD, agent="Firefox")
    identity = Identity(session_hash=hash_key(signed_in.token))
    with runtime.unit(identity) as unit:
        assert (unit.actor.user_id, unit.actor.role) == (signed_in.user_id, Role.OWNER)
        (row,) = unit.session.exec(select(BrowserSession))
    assert (row.token_hash, row.address, row.agent) == (hash_key(signed_in.token), "192.0.2.7", "Firefox")
    assert actions(runtime)[-1] == "sign_in"
    with runtime.unit(identity, write=True) as unit:
        sign_out(unit)
    assert not is_in(runtime, identity)
    assert actions(runtime)[-1] == "sign_out"


def test_the_answer_is_the_same_for_a_wrong_password_an_unknown_person_and_one_who_left(
    runtime: Runtime, place: Place
) -> None:
    wrong = refusal_of(runtime, EMAIL, "not the password")
    unknown = refusal_of(runtime, "nobody@x.example", PASSWORD)
    with runtime.unit(COMMAND, write=True) as unit:
        member = unit.session.exec(select(Member)).one()
        member.status = MemberStatus.SUSPENDED
        unit.session.add(member)
    left = refusal_of(runtime, EMAIL, PASSWORD)
    for other in (unknown, left):
        assert isinstance(other, NotSignedIn)
        assert (other.sentence, other.code, other.facts) == (wrong.sentence, wrong.code, wrong.facts)
    assert actions(runtime).count("sign_in.refused") == 3


def test_after_five_failures_an_address_is_throttled_known_or_not_and_free_after_a_quarter_hour(
    runtime: Runtime, place: Place
) -> None:
    for email in (EMAIL, "nobody@x.example"):
        for _ in range(5):
            assert isinstance(refusal_of(runtime, email, "wrong"), NotSignedIn)
        refusal = refusal_of(runtime, email, PASSWORD)
        assert isinstance(refusal, TooMany)
        assert (refusal.code, refusal.facts["retry_after_s"]) == ("sign_in_throttled", 900)
    runtime.clock.advance(900)  # type: ignore[attr-defined]
    assert is_in(runtime, enter(runtime))


def test_thirty_failures_from_one_place_throttle_it_whoever_is_asked_for(
    runtime: Runtime, place: Place
) -> None:
    with runtime.unit(COMMAND, write=True) as unit:
        for number in range(30):
            row = SignInFailure(id=f"sif_{number}", email_hash=str(number), address="192.0.2.7", at=unit.now)
            unit.session.add(row)
    assert isinstance(refusal_of(runtime, EMAIL, PASSWORD), TooMany)
    assert is_in(runtime, enter(runtime, identity=replace(BROWSER, address="192.0.2.8")))


def test_guesses_that_come_at_once_are_throttled_like_those_in_turn(runtime: Runtime, place: Place) -> None:
    start = threading.Barrier(12)

    def guess(index: int) -> str:
        start.wait()
        return refusal_of(runtime, EMAIL, f"guess number {index}", replace(BROWSER, address=str(index))).code

    with ThreadPoolExecutor(12) as pool:
        told = list(pool.map(guess, range(12)))
    assert (told.count("wrong_sign_in"), told.count("sign_in_throttled")) == (5, 7)


# Sessions


def test_a_session_ends_when_it_is_idle_and_lives_while_it_is_used(runtime: Runtime, place: Place) -> None:
    identity = enter(runtime)
    runtime.clock.advance(1799)  # type: ignore[attr-defined]
    assert is_in(runtime, identity)
    with runtime.unit(identity, write=True) as unit:
        stay_signed_in(unit)
    runtime.clock.advance(1799)  # type: ignore[attr-defined]
    assert is_in(runtime, identity)
    runtime.clock.advance(1)  # type: ignore[attr-defined]
    assert not is_in(runtime, identity)
    with runtime.unit(identity, write=True) as unit:
        stay_signed_in(unit)
    assert not is_in(runtime, identity)


def test_a_session_ends_after_twelve_hours_however_much_it_is_used(runtime: Runtime, place: Place) -> None:
    identity = enter(runtime)
    for _ in range(27):
        runtime.clock.advance(1599)  # type: ignore[attr-defined]
        with runtime.unit(identity, write=True) as unit:
            stay_signed_in(unit)
    assert is_in(runtime, identity)
    runtime.clock.advance(43_200 - 27 * 1599)  # type: ignore[attr-defined]
    assert not is_in(runtime, identity)


def test_p6_a_demotion_and_a_removal_bite_at_once(runtime: Runtime, place: Place) -> None:
    identity = enter(runtime)
    for changes, sees, manages in (
        ({"role": Role.AGENT}, True, False),
        ({"status": MemberStatus.REMOVED}, False, False),
    ):
        with runtime.unit(COMMAND, write=True) as unit:
            member = unit.session.exec(select(Member)).one()
            unit.session.add(member.sqlmodel_update(changes))
        with runtime.unit(identity) as unit:
            assert (unit.actor.can("messages.view"), unit.actor.can("team.remove")) == (sees, manages)


# Keys


def test_p7_a_key_is_shown_once_and_audited_without_its_secret(runtime: Runtime, place: Place) -> None:
    with runtime.unit(COMMAND, write=True) as unit:
        key, secret = create_api_key(unit, workspace=place.workspace, role=Role.AGENT, name=" ERP ")
        for name in ("", "  ", "x" * 201):
            with pytest.raises(Impossible):
                create_api_key(unit, workspace=place.workspace, role=Role.AGENT, name=name)
    assert (key.name, key.key_hash) == ("ERP", hash_key(secret))
    assert secret.startswith("wp_")
    with runtime.unit(COMMAND) as unit:
        entries = unit.session.exec(select(AuditEntry)).all()
    assert not any(secret in str(entry.model_dump()) for entry in entries)
    assert entries[-1].after == {"name": "ERP", "role": "agent"}
