"""The first owner of all, from a link that is good once (P4a)."""

import threading
from datetime import timedelta

import pytest
from sqlmodel import col, select

from core.errors import DomainError, Gone, Impossible, NotFound
from core.ports.clock import FrozenClock
from core.runtime import Runtime
from core.team.beginning import GOOD_FOR, begin, look, offer_beginning
from core.team.owners import COMMAND
from core.unit import ANONYMOUS
from data.enums import Role
from data.operations import AuditEntry
from data.people import Member, User, Workspace
from tests.conftest import PASSWORD

WANTED = {
    "name": "Ada Lindqvist",
    "email": "Ada@Acme.example",
    "password": PASSWORD,
    "workspace_name": "Acme",
    "timezone": "Europe/Berlin",
}


def offered(runtime: Runtime) -> str:
    with runtime.unit(COMMAND, write=True) as unit:
        link = offer_beginning(unit)
    assert link is not None
    assert link.startswith(f"{runtime.settings.public_url}/begin/")
    return link.rpartition("/")[2]


def test_p4a_it_makes_the_first_workspace_and_its_owner_once(runtime: Runtime) -> None:
    token = offered(runtime)
    assert begin(runtime, ANONYMOUS, token=token, **WANTED) == "ada@acme.example"
    with runtime.unit(COMMAND) as unit:
        user = unit.session.exec(select(User)).one()
        workspace = unit.session.exec(select(Workspace)).one()
        member = unit.session.exec(select(Member)).one()
        entries = unit.session.exec(select(AuditEntry).order_by(col(AuditEntry.number))).all()
    assert (user.name, user.is_platform_admin) == ("Ada Lindqvist", True)
    assert (workspace.slug, workspace.timezone) == ("acme", "Europe/Berlin")
    assert member.role is Role.OWNER
    assert [entry.action for entry in entries] == ["beginning.offered", "beginning.used", "workspace.created"]
    assert token not in repr([entry.model_dump() for entry in entries])
    with pytest.raises(Gone) as used:
        begin(runtime, ANONYMOUS, token=token, **WANTED | {"workspace_name": "Other"})
    assert used.value.code == "beginning_used"
    with runtime.unit(COMMAND, write=True) as unit:
        assert offer_beginning(unit) is None


def test_p4a_only_the_newest_link_is_good_and_for_an_hour(runtime: Runtime, clock: FrozenClock) -> None:
    older, newest = offered(runtime), offered(runtime)
    with runtime.unit(ANONYMOUS) as unit:
        look(unit, newest)
        for token in (older, "", "made-up", "ünknown"):
            with pytest.raises(NotFound):
                look(unit, token)
    clock.advance((GOOD_FOR - timedelta(seconds=1)).total_seconds())
    with runtime.unit(ANONYMOUS) as unit:
        look(unit, newest)
    clock.advance(1)
    with pytest.raises(Gone) as late:
        begin(runtime, ANONYMOUS, token=newest, **WANTED)
    assert late.value.code == "beginning_expired"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"name": " "}, "name"),
        ({"email": "nobody"}, "email"),
        ({"password": "short"}, "password_too_short"),
        ({"workspace_name": "…"}, "workspace_name"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
    ],
)
def test_a_wrong_word_uses_the_link_not_up(runtime: Runtime, wrong: dict[str, str], code: str) -> None:
    token = offered(runtime)
    with pytest.raises(Impossible) as refused:
        begin(runtime, ANONYMOUS, token=token, **WANTED | wrong)
    assert refused.value.code == code
    begin(runtime, ANONYMOUS, token=token, **WANTED)


def test_p4a_of_two_at_once_one_is_too_late(runtime: Runtime) -> None:
    token = offered(runtime)
    outcomes: list[str] = []
    start = threading.Barrier(2, timeout=30)

    def run(name: str) -> None:
        start.wait()
        try:
            begin(
                runtime,
                ANONYMOUS,
                token=token,
                **WANTED | {"email": f"{name}@acme.example", "workspace_name": name},
            )
            outcomes.append("made")
        except DomainError as refusal:
            outcomes.append(refusal.code)

    threads = [threading.Thread(target=run, args=[name]) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["beginning_used", "made"]
    with runtime.unit(COMMAND) as unit:
        assert len(unit.session.exec(select(User)).all()) == 1
