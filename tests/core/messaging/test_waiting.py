from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from core.errors import Forbidden, Malformed
from core.lanes.commands import pause
from core.messaging.queries import QueueStatus, queue_status
from core.messaging.waiting import WaitingFilter, Waits, waiting_messages
from data.enums import MessageState, Role, WaitingFor
from data.messages import Message
from tests.conftest import PHONE_ID, SECOND_PHONE_ID, Place
from tests.core.desk import PASSING, Desk, order

SECOND = {"phone_number_id": SECOND_PHONE_ID}


def waiting(desk: Desk, show: Waits | None = None, phone: str | None = None) -> list[str]:
    """The ids of all pages, three a page."""
    found: list[str] = []
    cursor = None
    while True:
        with desk.runtime.unit(desk.place.owner) as unit:
            page = waiting_messages(unit, WaitingFilter(show, phone), cursor=cursor, limit=3)
        found += [row.id for row in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return found


def status(desk: Desk) -> QueueStatus:
    with desk.runtime.unit(desk.place.owner) as unit:
        return queue_status(unit)


@pytest.fixture
def mixed(desk: Desk) -> dict[str, list[str]]:
    """Two being sent, one unknown, one that waits for its retry, then four and five that are ready."""
    unknown = desk.queue(1, request=order("+4915112360001"))
    desk.change(Message, unknown[0], state=MessageState.UNKNOWN, waiting_for=WaitingFor.PERSON, due_at=None)
    retry = [desk.send_and_get(PASSING)]
    flying = desk.queue(2, first=20)
    assert len(desk.put_on_the_wire()) == 2
    first = desk.queue(4, first=30)
    second = desk.queue(5, request=order("+4915112360002", **SECOND))
    return {"unknown": unknown, "retry": retry, "flying": flying, "first": first, "second": second}


def test_most_urgent_first_and_pages_join_up(desk: Desk, mixed: dict[str, list[str]]) -> None:
    assert waiting(desk) == [
        *mixed["flying"], *mixed["unknown"], *mixed["first"], *mixed["second"], *mixed["retry"]
    ]  # fmt: skip


def test_each_kind_of_waiting_has_as_many_rows_as_the_status_counts(
    desk: Desk, mixed: dict[str, list[str]]
) -> None:
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        pause(unit, phone_number_id=SECOND_PHONE_ID, reason="Stocktaking")
    counted = status(desk)
    for show in Waits:
        assert len(waiting(desk, show)) == getattr(counted, show.value), show
    assert waiting(desk, Waits.HELD) == mixed["second"]
    assert waiting(desk, Waits.READY) == mixed["first"]
    assert waiting(desk, Waits.DELAYED) == mixed["retry"]


def test_one_phone_at_a_time(desk: Desk, mixed: dict[str, list[str]]) -> None:
    assert waiting(desk, phone=SECOND_PHONE_ID) == mixed["second"]
    assert waiting(desk, phone=PHONE_ID) == [
        *mixed["flying"], *mixed["unknown"], *mixed["first"], *mixed["retry"]
    ]  # fmt: skip
    assert waiting(desk, phone="0") == []


def test_another_workspaces_messages_are_not_in_the_list(desk: Desk, other_place: Place) -> None:
    desk.queue(2)
    assert waiting(Desk(desk.runtime, other_place)) == []


def test_a_row_says_which_retry_it_waits_for(desk: Desk) -> None:
    desk.send_and_get(PASSING)
    with desk.runtime.unit(desk.place.owner) as unit:
        (row,) = waiting_messages(unit, WaitingFilter()).items
    assert (row.rung, row.rungs, row.waiting_for) == (1, 4, WaitingFor.RUNG)


def test_the_list_needs_the_permission_and_a_cursor_of_ours(desk: Desk) -> None:
    with pytest.raises(Forbidden), desk.runtime.unit(desk.place.acting(Role.AGENT)) as unit:
        waiting_messages(unit, WaitingFilter())
    for cursor in ("", "c", "c.12", "z.1.msg_1", "c.x.msg_1"):
        with pytest.raises(Malformed), desk.runtime.unit(desk.place.owner) as unit:
            waiting_messages(unit, WaitingFilter(), cursor=cursor)


def test_the_status_says_who_paused_and_what_would_go(desk: Desk, mixed: dict[str, list[str]]) -> None:
    with desk.runtime.unit(desk.place.acting(Role.MANAGER), write=True) as unit:
        pause(unit, reason="Stocktaking")
        pause(unit, phone_number_id=PHONE_ID, reason="New name")
    found = status(desk)
    assert found.pause is not None
    assert (found.state, found.pause.reason, found.pause.held_by_name) == ("paused", "Stocktaking", "manager")
    assert found.can_be_resumed
    assert (found.held, found.due, found.paused_only) == (10, 9, len(mixed["second"]))
    assert {lane.phone_number_id: lane.waiting for lane in found.lanes} == {PHONE_ID: 5, SECOND_PHONE_ID: 5}


def test_the_next_retry_is_the_first_that_nothing_holds(desk: Desk) -> None:
    desk.send_and_get(PASSING)
    next_due_at = status(desk).next_due_at
    assert next_due_at is not None
    assert timedelta(seconds=60) <= next_due_at - desk.now <= timedelta(seconds=72)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        pause(unit)
    assert status(desk).next_due_at is None


def test_sqlite_takes_the_first_of_each_lane_from_its_own_index(desk: Desk) -> None:
    if desk.runtime.database.read.dialect.name != "sqlite":
        pytest.skip("plans are read on SQLite, where a wrong one sorts the whole backlog")
    desk.queue(2)
    seen: list[tuple[str, Any]] = []
    with desk.runtime.unit(desk.place.owner) as unit:
        connection = unit.session.connection()
        event.listen(
            connection, "before_cursor_execute", lambda _c, _k, sql, values, *_: seen.append((sql, values))
        )
        waiting_messages(unit, WaitingFilter(), limit=50)
        statements = [each for each in seen if "FROM message" in each[0]]
        plans = [
            " ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values))
            for sql, values in statements
        ]
    in_flight, unknown, due = plans
    assert "ix_message_leased" in in_flight or "ix_message_state" in in_flight
    assert "ix_message_state" in unknown
    assert due.count("ix_message_due") == 2
    assert "SCAN message" not in due
