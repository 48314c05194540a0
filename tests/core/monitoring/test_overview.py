"""The few numbers around every page, and those of the overview."""

import pytest
from sqlalchemy import event

from core.errors import NotSignedIn
from core.monitoring.overview import Day, overview, surroundings
from core.ports.clock import FrozenClock
from core.runtime import Runtime
from core.unit import ANONYMOUS, Unit
from data.enums import Direction, LetterState, MessageKind, MessageState, Role
from data.messages import Contact, DeadLetter, Message
from tests.conftest import PHONE_ID, Place


def add(
    unit: Unit, state: MessageState, *, attempt: int = 1, direction: Direction = Direction.OUTBOUND
) -> str:
    """A message that was created now and stands in that state."""
    contact = Contact(id=unit.new_id("con"), workspace_id=unit.workspace_id, created_at=unit.now)
    unit.session.add(contact)
    unit.session.flush()
    reached = state in (MessageState.SENT, MessageState.DELIVERED, MessageState.READ)
    message = Message(
        id=unit.new_id("msg"),
        workspace_id=unit.workspace_id,
        phone_number_id=PHONE_ID,
        contact_id=contact.id,
        direction=direction,
        kind=MessageKind.TEXT,
        recipient="+4915112345678",
        payload={"to": "+4915112345678", "text": "hello"},
        state=state,
        attempt=attempt,
        created_at=unit.now,
        sent_at=unit.now if reached else None,
        due_at=unit.now if state in (MessageState.QUEUED, MessageState.RETRY_QUEUED) else None,
    )
    unit.session.add(message)
    unit.session.flush()
    return message.id


def add_letter(unit: Unit, message_id: str, state: LetterState) -> None:
    unit.session.add(
        DeadLetter(
            id=unit.new_id("dl"),
            workspace_id=unit.workspace_id,
            message_id=message_id,
            round=1,
            state=state,
            error_code="meta_131026",
            error_detail="",
            fingerprint="f",
            recipient="+4915112345678",
            phone_number_id=PHONE_ID,
            attempts=1,
            may_duplicate=False,
            dead_at=unit.now,
        )
    )


def test_shares_are_of_what_is_settled_in_the_last_day(
    runtime: Runtime, clock: FrozenClock, place: Place
) -> None:
    with runtime.unit(place.owner, write=True) as unit:
        add(unit, MessageState.DELIVERED)
    clock.advance(24 * 3600 + 1)
    with runtime.unit(place.owner, write=True) as unit:
        add(unit, MessageState.SENT)
        add(unit, MessageState.DELIVERED)
        add(unit, MessageState.READ, attempt=3)
        add(unit, MessageState.DEAD, attempt=5)
        add(unit, MessageState.DEAD)
        add(unit, MessageState.RETRY_QUEUED, attempt=2)
        add(unit, MessageState.RECEIVED, direction=Direction.INBOUND)
    with runtime.unit(place.owner) as unit:
        found = overview(unit)
    assert found.day == Day(settled=5, delivered=2, read=1, retried=2, recovered=1, is_sample=False)
    assert found.waiting == 1
    assert found.oldest_waiting_at == clock.now()


def test_only_open_letters_count(runtime: Runtime, place: Place) -> None:
    with runtime.unit(place.owner, write=True) as unit:
        for state in LetterState:
            add_letter(unit, add(unit, MessageState.DEAD), state)
    with runtime.unit(place.owner) as unit:
        assert overview(unit).open_letters == 1
        assert surroundings(unit).open_letters == 1


def test_who_may_not_see_the_queue_gets_no_counts(runtime: Runtime, place: Place) -> None:
    with runtime.unit(place.acting(Role.VIEWER)) as unit:
        found = surroundings(unit)
    assert (found.waiting, found.open_letters) == (None, None)
    assert found.workspace_name == "Northwind"


def test_another_workspace_is_not_counted(runtime: Runtime, place: Place, other_place: Place) -> None:
    with runtime.unit(place.owner, write=True) as unit:
        add_letter(unit, add(unit, MessageState.DEAD), LetterState.OPEN)
        add(unit, MessageState.QUEUED)
    with runtime.unit(other_place.owner) as unit:
        found = overview(unit)
    assert (found.waiting, found.open_letters, found.day.settled) == (0, 0, 0)


def test_a_stranger_is_told_nothing(runtime: Runtime) -> None:
    with runtime.unit(ANONYMOUS) as unit, pytest.raises(NotSignedIn):
        overview(unit)


def test_every_number_comes_from_an_index(runtime: Runtime, place: Place) -> None:
    if not runtime.database.is_sqlite:
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by statistics")
    asked: list[tuple[str, object]] = []

    def note(_connection: object, _cursor: object, sql: str, values: object, *_: object) -> None:
        asked.append((sql, values))

    event.listen(runtime.database.read, "before_cursor_execute", note)
    with runtime.unit(place.owner) as unit:
        overview(unit)
        surroundings(unit)
        event.remove(runtime.database.read, "before_cursor_execute", note)
        counts = [
            (sql, values) for sql, values in asked if "FROM message" in sql or "FROM dead_letter" in sql
        ]
        assert len(counts) >= 5
        for sql, values in counts:
            plan = [
                row[3]
                for row in unit.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
            ]
            searched = [line for line in plan if "message" in line or "dead_letter" in line]
            assert searched
            assert all(
                "USING" in line and "INDEX" in line and "SCAN message" not in line for line in searched
            ), plan
