from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlmodel import col, select

from core.errors import DomainError, Impossible
from core.mail import commands
from core.mail.commands import LADDER_S, LEASE
from core.mail.delivery import MOST, POSTMAN, deliver_due
from core.ports.clock import FrozenClock
from core.ports.mail import Letter, MailError, Outbox
from core.ports.vault import Vault
from core.runtime import Runtime
from data.alerts import Alert, Mail
from data.enums import MailState
from tests.conftest import NOW, Place

LINK = "http://127.0.0.1:8080/invite/a-secret"
DOWN = MailError("The mail server does not answer.")


@dataclass
class Server:
    """A mail server that does what it is told, answer by answer, and takes everything after that."""

    answers: list[MailError | None] = field(default_factory=list)
    taken: list[Letter] = field(default_factory=list)

    def deliver(self, letter: Letter) -> None:
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        self.taken.append(letter)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def runtime(runtime: Runtime, server: Server) -> Runtime:
    return replace(runtime, mail=server)


def send(runtime: Runtime, place: Place | None, *, to: str = "mara@example.com", body: str = LINK) -> str:
    with runtime.unit(POSTMAN, write=True) as unit:
        return commands.send_mail(
            unit,
            to=to,
            subject="Join Northwind",
            text=body,
            kind="invitation",
            workspace_id=place.workspace.id if place else None,
        )


def row(runtime: Runtime, mail_id: str) -> Mail:
    with runtime.unit(POSTMAN) as unit:
        return unit.session.get_one(Mail, mail_id)


def open_alerts(runtime: Runtime) -> list[tuple[str, str, str | None]]:
    with runtime.unit(POSTMAN) as unit:
        found = unit.session.exec(select(Alert).where(col(Alert.resolved_at).is_(None)))
        return [(alert.kind, alert.subject, alert.workspace_id) for alert in found]


@pytest.mark.parametrize("of_workspace", [True, False])
def test_a2_a_mail_goes_out_once_and_its_text_is_gone(
    runtime: Runtime, place: Place, server: Server, of_workspace: bool
) -> None:
    mail_id = send(runtime, place if of_workspace else None)
    assert (row(runtime, mail_id).state, row(runtime, mail_id).due_at) == (MailState.QUEUED, NOW)
    assert deliver_due(runtime) == 1
    assert server.taken == [Letter(mail_id, "mara@example.com", "Join Northwind", LINK, NOW)]
    mail = row(runtime, mail_id)
    assert (mail.state, mail.attempts, mail.sent_at) == (MailState.SENT, 1, NOW)
    assert (mail.sealed_text, mail.due_at, mail.last_error) == (None, None, None)
    assert deliver_due(runtime) == 0
    assert len(server.taken) == 1


def test_a2_the_text_is_sealed_at_rest(runtime: Runtime, place: Place) -> None:
    sealed = row(runtime, send(runtime, place)).sealed_text
    assert sealed is not None
    assert LINK.encode() not in sealed
    opened = runtime.vault.open(sealed, workspace_id=place.workspace.id, field=commands.SEALED_AS)
    assert opened == LINK


def test_a2_a_unit_that_fails_sends_nothing(runtime: Runtime, place: Place, server: Server) -> None:
    with pytest.raises(Impossible), runtime.unit(place.owner, write=True) as unit:  # noqa: PT012 - both fail
        commands.send_mail(unit, to="mara@example.com", subject="Join", text=LINK, kind="invitation")
        raise Impossible("No.")
    assert deliver_due(runtime) == 0
    assert server.taken == []


def test_a2_the_ladder_is_60_300_900_and_then_an_alert(
    runtime: Runtime, place: Place, server: Server, clock: FrozenClock
) -> None:
    server.answers = [DOWN] * 4
    mail_id = send(runtime, place)
    for attempt, wait_s in enumerate(LADDER_S, start=1):
        assert deliver_due(runtime) == 0
        mail = row(runtime, mail_id)
        assert (mail.state, mail.attempts, mail.last_error) == (MailState.QUEUED, attempt, DOWN.sentence)
        clock.advance(wait_s - 1)
        deliver_due(runtime)
        assert row(runtime, mail_id).attempts == attempt
        assert open_alerts(runtime) == []
        clock.advance(1)
    deliver_due(runtime)
    mail = row(runtime, mail_id)
    assert (mail.state, mail.attempts, mail.sealed_text) == (MailState.FAILED, 4, None)
    assert open_alerts(runtime) == [("mail_failed", "mara@example.com", place.workspace.id)]
    clock.advance(86_400)
    assert deliver_due(runtime) == 0
    send(runtime, place)
    assert deliver_due(runtime) == 1
    assert open_alerts(runtime) == []


def test_a2_what_the_server_will_never_take_is_not_tried_again(
    runtime: Runtime, place: Place, server: Server
) -> None:
    server.answers = [MailError("The mail server refused: 550 no such user", is_final=True)]
    mail_id = send(runtime, place)
    deliver_due(runtime)
    mail = row(runtime, mail_id)
    assert (mail.state, mail.attempts) == (MailState.FAILED, 1)
    assert mail.last_error == "The mail server refused: 550 no such user"
    assert len(open_alerts(runtime)) == 1


def test_a2_one_mail_that_fails_does_not_stop_the_others(
    runtime: Runtime, place: Place, server: Server, clock: FrozenClock
) -> None:
    server.answers = [DOWN]
    send(runtime, place)
    clock.advance(1)
    send(runtime, place, to="jon@example.com")
    assert deliver_due(runtime) == 0  # the server may be down, so the next one waits for the next call
    assert deliver_due(runtime) == 1
    assert [letter.to for letter in server.taken] == ["jon@example.com"]


def test_a2_one_call_sends_a_bounded_number_oldest_first(
    runtime: Runtime, place: Place, server: Server, clock: FrozenClock
) -> None:
    ids = []
    for index in range(MOST + 2):
        clock.advance(1)
        ids.append(send(runtime, place, to=f"m{index}@example.com"))
    assert (deliver_due(runtime), deliver_due(runtime)) == (MOST, 2)
    assert [letter.id for letter in server.taken] == ids


@pytest.fixture
def claimed(runtime: Runtime, place: Place) -> commands.Claim:
    """One attempt that nothing was heard of: its process was killed."""
    send(runtime, place)
    with runtime.unit(POSTMAN, write=True) as unit:
        found = commands.claim(unit)
    assert found is not None
    return found


def test_a2_after_a_crash_the_mail_is_taken_up_when_the_lease_is_over(
    runtime: Runtime, server: Server, clock: FrozenClock, claimed: commands.Claim
) -> None:
    assert deliver_due(runtime) == 0
    clock.advance(LEASE.total_seconds())
    assert deliver_due(runtime) == 1
    assert row(runtime, claimed.id).attempts == 2
    with runtime.unit(POSTMAN, write=True) as unit:
        commands.settle(unit, claimed, error=DOWN)  # the first one comes back
    assert row(runtime, claimed.id).state is MailState.SENT


def test_a2_an_overtaken_failure_changes_nothing_and_an_overtaken_success_counts(
    runtime: Runtime, clock: FrozenClock, claimed: commands.Claim
) -> None:
    clock.advance(LEASE.total_seconds())
    with runtime.unit(POSTMAN, write=True) as unit:
        assert commands.claim(unit) is not None
    with runtime.unit(POSTMAN, write=True) as unit:
        commands.settle(unit, claimed, error=MailError("Late.", is_final=True))
    assert (row(runtime, claimed.id).state, row(runtime, claimed.id).last_error) == (MailState.QUEUED, None)
    with runtime.unit(POSTMAN, write=True) as unit:
        commands.settle(unit, claimed)
    assert row(runtime, claimed.id).state is MailState.SENT


def test_a2_a_text_that_no_key_opens_fails_and_stops_nobody(
    runtime: Runtime, place: Place, server: Server, clock: FrozenClock
) -> None:
    lost = replace(runtime, vault=Vault((Fernet.generate_key().decode(),)))
    with lost.unit(POSTMAN, write=True) as unit:
        mail_id = commands.send_mail(unit, to="mara@example.com", subject="x", text=LINK, kind="invitation")
    clock.advance(1)
    send(runtime, place)
    deliver_due(runtime)
    assert row(runtime, mail_id).state is MailState.FAILED
    assert deliver_due(runtime) == 1


def test_a_mail_to_nobody_is_refused_before_anything_is_stored(runtime: Runtime, place: Place) -> None:
    for address in ("", "mara", "mara@example.com\nBcc: all@example.com", "a@example.com, b@example.com"):
        with pytest.raises(DomainError) as refusal:
            send(runtime, place, to=address)
        assert refusal.value.code == "email"
    with runtime.unit(POSTMAN) as unit:
        assert unit.session.exec(select(Mail)).all() == []


def test_half_a_character_does_not_hold_up_the_post(runtime: Runtime, place: Place, tmp_path: Path) -> None:
    mail_id = send(runtime, place, body="Hello \ud83d")
    outbox = Outbox(tmp_path / "out", sender="Waypost <waypost@example.com>")
    assert deliver_due(replace(runtime, mail=outbox)) == 1
    assert [mail.text for mail in outbox.kept([mail_id])] == ["Hello ?"]


def test_the_next_due_mail_is_found_by_an_index(runtime: Runtime) -> None:
    if not runtime.database.is_sqlite:
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by statistics")
    with runtime.unit(POSTMAN) as unit:
        statement = commands._next_due(unit)
        sql = statement.compile(unit.session.get_bind(), compile_kwargs={"literal_binds": True})
        rows = unit.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")
        plan = [str(row[3]) for row in rows]
    assert plan == ["SEARCH mail USING INDEX ix_mail_due (due_at<?)"]
