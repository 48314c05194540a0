import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlmodel import select

from core.errors import DomainError, NotSignedIn, TooMany
from core.runtime import Runtime
from core.team.names import hash_key
from core.team.owners import COMMAND
from core.team.sessions import stay_signed_in
from core.team.sign_in import sign_in, sign_out
from core.unit import Identity
from data.enums import MemberStatus, Role
from data.operations import AuditEntry
from data.people import BrowserSession, Member, SignInFailure
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
