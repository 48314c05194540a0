import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, func, select

from core.conversations import commands, queries
from core.conversations.commands import (
    bring_up_to_date,
    close_ended,
    close_inactive,
    follow_merge,
    mark_due,
    recompute_due,
)
from core.conversations.queries import ConversationFilter, ConversationStatus
from core.conversations.rules import FUTURE, STALE, TimeFlag
from core.errors import Forbidden, Malformed, NotFound
from core.ports.clock import FrozenClock
from core.runtime import Runtime
from data.billing import ConversationDue
from data.columns import from_micros, to_micros
from data.engine import execute_many
from data.enums import MessageState, OpenedBy, Role
from data.messages import Contact, Message
from data.operations import AuditEntry
from tests.conftest import NOW, PHONE_ID, SECOND_PHONE_ID, Place
from tests.core.ledger import CLERK, Ledger, Said

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MORNING = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


@pytest.fixture
def ledger(runtime: Runtime, place: Place) -> Ledger:
    return Ledger(runtime, place)


def shape(ledger: Ledger) -> list[tuple[Any, ...]]:
    return [
        (
            one.id,
            one.contact_id,
            one.phone_number_id,
            one.opened_at,
            one.opened_by,
            one.messages_in,
            one.messages_out,
        )
        for one in ledger.conversations()
    ]


def due(runtime: Runtime) -> int:
    with runtime.unit(CLERK) as unit:
        return unit.session.exec(select(func.count()).select_from(ConversationDue)).one()


def test_b1_the_story_of_two_days_is_two_conversations(ledger: Ledger) -> None:
    ledger.write(
        [
            Said("a", MORNING),
            Said("b", MORNING + HOUR / 2, inbound=False),
            Said("c", MORNING + HOUR),
            Said("d", MORNING + DAY + HOUR / 2, inbound=False),
        ]
    )
    ledger.settle()
    assert [(one.id, one.opened_by, one.messages_in, one.messages_out) for one in ledger.conversations()] == [
        ("cnv_a", OpenedBy.CUSTOMER, 2, 1),
        ("cnv_d", OpenedBy.BUSINESS, 0, 1),
    ]
    assert ledger.conversations()[0].closes_at == MORNING + DAY


@pytest.mark.parametrize(
    "meta_type",
    [
        "text",
        "image",
        "audio",
        "video",
        "document",
        "sticker",
        "location",
        "contacts",
        "interactive",
        "button",
        "order",
    ],
)
def test_b2_what_a_customer_sends_opens_one(ledger: Ledger, meta_type: str) -> None:
    ledger.write([Said("a", MORNING, meta_type=meta_type)])
    ledger.settle()
    assert len(ledger.conversations()) == 1


@pytest.mark.parametrize(
    "meta_type", ["reaction", "system", "edit", "revoke", "unsupported", "something_new"]
)
def test_b2_what_is_no_message_of_its_own_opens_none(ledger: Ledger, meta_type: str) -> None:
    ledger.write([Said("a", MORNING, meta_type=meta_type)])
    ledger.settle()
    assert ledger.conversations() == []


@pytest.mark.parametrize("state", list(MessageState))
def test_b2_a_send_counts_once_meta_accepted_it_and_until_it_failed(
    ledger: Ledger, state: MessageState
) -> None:
    ledger.write([Said("a", MORNING, inbound=False, state=state)])
    ledger.settle()
    counts = state in (MessageState.SENT, MessageState.DELIVERED, MessageState.READ)
    assert len(ledger.conversations()) == counts


def test_b2_a_failed_status_takes_its_conversation_away(ledger: Ledger) -> None:
    ledger.write([Said("a", MORNING, inbound=False, state=MessageState.SENT)])
    ledger.settle()
    ledger.report("a", "failed", MORNING + HOUR, state=MessageState.FAILED)
    ledger.settle()
    assert ledger.conversations() == []


def test_b3_a_send_happened_at_the_earliest_of_its_statuses(ledger: Ledger) -> None:
    ledger.write([Said("a", MORNING, inbound=False)])
    ledger.settle()
    assert ledger.conversations()[0].opened_at == MORNING
    ledger.report("a", "delivered", MORNING + timedelta(seconds=3))
    ledger.settle()
    assert ledger.conversations()[0].opened_at == MORNING + timedelta(seconds=3)
    ledger.report("a", "sent", MORNING - timedelta(seconds=1))
    ledger.settle()
    assert ledger.conversations()[0].opened_at == MORNING - timedelta(seconds=1)


@pytest.mark.parametrize(("ahead", "opened"), [(FUTURE, FUTURE), (FUTURE + 1_000_000, 0)])
def test_b3_a_time_from_the_future_is_the_arrival(ledger: Ledger, ahead: int, opened: int) -> None:
    said = from_micros(to_micros(MORNING) + ahead)
    ledger.write([Said("a", said, arrived=MORNING)])
    ledger.settle()
    assert to_micros(ledger.conversations()[0].opened_at) - to_micros(MORNING) == opened


@pytest.mark.parametrize(("age", "billed"), [(STALE, 1), (STALE + 1_000_000, 0)])
def test_b3_what_arrives_more_than_35_days_late_is_not_billed(ledger: Ledger, age: int, billed: int) -> None:
    ledger.write([Said("a", from_micros(to_micros(MORNING) - age), arrived=MORNING)])
    ledger.settle()
    assert len(ledger.conversations()) == billed


def test_b4_any_order_any_batching_any_repetition_give_the_same(
    runtime: Runtime, place: Place, other_place: Place
) -> None:
    """The same history twice: whole at once in one workspace, shuffled and in pieces in the other."""
    chance = random.Random(7)
    phones = [PHONE_ID, SECOND_PHONE_ID]
    other = {PHONE_ID: str(int(PHONE_ID) + 50), SECOND_PHONE_ID: str(int(PHONE_ID) + 51)}
    history = [
        Said(
            f"{number:03d}",
            MORNING + chance.randrange(0, 8 * 24 * 4) * HOUR / 4,
            inbound=chance.random() < 0.5,
            contact=f"con_{chance.randrange(3)}",
            phone=chance.choice(phones),
            state=chance.choice([MessageState.READ, MessageState.FAILED]),
        )
        for number in range(80)
    ]
    whole, pieces = Ledger(runtime, place), Ledger(runtime, other_place)
    whole.write(history)
    whole.settle()
    twins = [
        Said(f"x{one.key}", one.at, one.inbound, f"con_x{one.contact}", other[one.phone], state=one.state)
        for one in chance.sample(history, len(history))
    ]
    while twins:
        some = chance.randrange(1, 9)
        pieces.write(twins[:some])
        twins = twins[some:]
        if chance.random() < 0.5:
            pieces.settle()
    pieces.settle()
    pieces.settle()
    mine = [
        (one.id, one.opened_at, one.closes_at, one.opened_by, one.messages_in, one.messages_out)
        for one in whole.conversations()
    ]
    theirs = [
        (
            one.id.replace("cnv_x", "cnv_"),
            one.opened_at,
            one.closes_at,
            one.opened_by,
            one.messages_in,
            one.messages_out,
        )
        for one in pieces.conversations()
    ]
    assert len(mine) > 10
    assert sorted(mine) == sorted(theirs)


def test_b4_a_change_during_the_computation_is_not_forgotten(ledger: Ledger) -> None:
    ledger.write([Said("a", MORNING)])
    with ledger.runtime.unit(CLERK, write=True) as unit:
        marks = unit.session.exec(select(ConversationDue)).all()
        assert [mark.version for mark in marks] == [1]
        mark_due(unit, [(PHONE_ID, "con_1")])
    with ledger.runtime.unit(CLERK, write=True) as unit:
        execute_many(
            unit.session.connection(),
            commands._DONE,
            [{"phone_number_id": PHONE_ID, "contact_id": "con_1", "version": 1}],
        )
    assert due(ledger.runtime) == 1
    ledger.settle()
    assert due(ledger.runtime) == 0


def test_the_schedule_waits_until_the_statuses_have_come(ledger: Ledger, clock: FrozenClock) -> None:
    ledger.write([Said("a", MORNING)])
    recompute_due(ledger.runtime)
    assert ledger.conversations() == []
    clock.advance(commands.SETTLES_IN.total_seconds())
    recompute_due(ledger.runtime)
    assert len(ledger.conversations()) == 1
    assert due(ledger.runtime) == 0


def test_whoever_reads_what_is_owed_computes_first_what_is_due(ledger: Ledger, other_place: Place) -> None:
    ledger.write([Said("a", MORNING)])
    Ledger(ledger.runtime, other_place).write(
        [Said("b", MORNING, contact="con_o", phone=str(int(PHONE_ID) + 50))]
    )
    bring_up_to_date(ledger.runtime, ledger.place.workspace.id)
    assert len(ledger.conversations()) == 1
    assert due(ledger.runtime) == 1, "another workspace's work is its own"


def test_b5_a_contact_that_became_another_takes_its_conversations_along(ledger: Ledger) -> None:
    ledger.write([Said("a", MORNING), Said("b", MORNING + HOUR, contact="con_2")])
    ledger.settle()
    assert len(ledger.conversations()) == 2
    with ledger.runtime.unit(CLERK, write=True) as unit:
        message = unit.session.get_one(Message, "msg_b")
        message.contact_id = "con_1"
        unit.session.add(message)
        unit.session.flush()
        follow_merge(unit, workspace_id=ledger.place.workspace.id, old="con_2", new="con_1")
        unit.session.delete(unit.session.get_one(Contact, "con_2"))
    ledger.settle()
    assert [(one.id, one.contact_id, one.messages_in) for one in ledger.conversations()] == [
        ("cnv_a", "con_1", 2)
    ]


def test_close_inactive_writes_what_ended_once_and_changes_nothing_else(
    ledger: Ledger, clock: FrozenClock
) -> None:
    ledger.write([Said("a", NOW - 2 * DAY), Said("b", NOW - HOUR)])
    with ledger.runtime.unit(ledger.place.acting(Role.OWNER), write=True) as unit:
        assert close_inactive(unit) == 1
    before = shape(ledger)
    with ledger.runtime.unit(ledger.place.acting(Role.OWNER), write=True) as unit:
        assert close_inactive(unit) == 0
    assert shape(ledger) == before
    with ledger.runtime.unit(CLERK) as unit:
        entries = unit.session.exec(
            select(AuditEntry)
            .where(col(AuditEntry.action) == "conversations.closed")
            .order_by(col(AuditEntry.number))
        ).all()
    assert [entry.after for entry in entries] == [{"closed": 1}, {"closed": 0}]
    clock.advance(DAY.total_seconds())
    close_ended(ledger.runtime)
    assert all(one.closed_at is not None for one in ledger.conversations())


@pytest.mark.parametrize("role", [Role.MANAGER, Role.AGENT, Role.VIEWER, Role.SUPPORT])
def test_only_an_owner_closes(ledger: Ledger, role: Role) -> None:
    with pytest.raises(Forbidden), ledger.runtime.unit(ledger.place.acting(role), write=True) as unit:
        close_inactive(unit)


# Lists


def listed(ledger: Ledger, role: Role = Role.OWNER, **wanted: Any) -> list[str]:
    with ledger.runtime.unit(ledger.place.acting(role)) as unit:
        return [row.id for row in queries.list_conversations(unit, ConversationFilter(**wanted)).items]


def test_the_list_is_newest_first_narrowed_and_goes_on_after_its_cursor(
    ledger: Ledger, clock: FrozenClock
) -> None:
    ledger.write(
        [
            Said("a", NOW - 3 * DAY),
            Said("b", NOW - HOUR, contact="con_2", inbound=False),
            Said("c", NOW - 2 * HOUR, phone=SECOND_PHONE_ID),
        ]
    )
    ledger.settle()
    assert listed(ledger) == ["cnv_b", "cnv_c", "cnv_a"]
    assert listed(ledger, status=ConversationStatus.ACTIVE) == ["cnv_b", "cnv_c"]
    assert listed(ledger, status=ConversationStatus.CLOSED) == ["cnv_a"]
    assert listed(ledger, contact="con_2") == ["cnv_b"]
    assert listed(ledger, contact="+49 15112 000001") == ["cnv_c", "cnv_a"]
    assert listed(ledger, phone_number_id=SECOND_PHONE_ID) == ["cnv_c"]
    assert listed(ledger, opened_by=OpenedBy.BUSINESS) == ["cnv_b"]
    assert listed(ledger, since=NOW - DAY, until=NOW - HOUR) == ["cnv_c"]
    with ledger.runtime.unit(ledger.place.owner) as unit:
        first = queries.list_conversations(unit, ConversationFilter(), limit=2)
        second = queries.list_conversations(unit, ConversationFilter(), limit=2, cursor=first.next_cursor)
        with pytest.raises(Malformed):
            queries.list_conversations(unit, ConversationFilter(), cursor="nonsense")
    assert [row.id for row in first.items] == ["cnv_b", "cnv_c"]
    assert [row.id for row in second.items] == ["cnv_a"]
    assert second.next_cursor is None


def test_viewers_read_masked_and_may_not_search_numbers(ledger: Ledger) -> None:
    ledger.write([Said("a", MORNING)])
    ledger.settle()
    with ledger.runtime.unit(ledger.place.acting(Role.VIEWER)) as unit:
        (row,) = queries.list_conversations(unit, ConversationFilter()).items
    assert row.contact == "+49•••••0001"
    with pytest.raises(Forbidden):
        listed(ledger, Role.VIEWER, contact="+4915112000001")
    with pytest.raises(Forbidden):
        listed(ledger, Role.SUPPORT)


def test_p5_another_workspaces_conversation_is_not_there(ledger: Ledger, other_place: Place) -> None:
    ledger.write([Said("a", MORNING)])
    ledger.settle()
    with ledger.runtime.unit(other_place.acting(Role.OWNER)) as unit:
        assert queries.list_conversations(unit, ConversationFilter()).items == []
        with pytest.raises(NotFound):
            queries.conversation_detail(unit, "cnv_a")


def test_a_conversation_shows_what_was_said_in_it_and_what_opened_it(ledger: Ledger) -> None:
    ledger.write([Said("a", MORNING), Said("b", MORNING + HOUR, inbound=False), Said("c", MORNING + 2 * DAY)])
    ledger.settle()
    with ledger.runtime.unit(ledger.place.acting(Role.AGENT)) as unit:
        detail = queries.conversation_detail(unit, "cnv_a")
        later = queries.conversation_detail(unit, "cnv_c")
    assert [(message.id, message.opens) for message in detail.messages] == [("msg_a", True), ("msg_b", False)]
    assert detail.previous is None
    assert later.previous == detail.row


def test_b3_a_time_that_counts_otherwise_is_flagged(ledger: Ledger) -> None:
    ahead, late = MORNING + timedelta(minutes=6), MORNING - timedelta(days=36)
    ledger.write(
        [Said("a", MORNING), Said("b", ahead, arrived=MORNING), Said("c", late + 2 * HOUR, arrived=MORNING)]
    )
    ledger.write([Said("d", late + HOUR, arrived=late + HOUR)])  # opens one around the late message
    ledger.settle()
    with ledger.runtime.unit(ledger.place.acting(Role.AGENT)) as unit:
        shown = queries.conversation_detail(unit, "cnv_a").messages
        old = queries.conversation_detail(unit, "cnv_d")
    assert [(one.id, one.at, one.flag) for one in shown] == [
        ("msg_a", MORNING, None),
        ("msg_b", MORNING, TimeFlag.AHEAD),
    ]
    assert [(one.id, one.flag) for one in old.messages] == [("msg_d", None), ("msg_c", TimeFlag.STALE)]
    assert old.row.messages_in == 1


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (ConversationFilter(), "ix_conversation_opened"),
        (ConversationFilter(status=ConversationStatus.ACTIVE), "ix_conversation_opened"),
        (ConversationFilter(contact="con_1"), "ix_conversation_contact"),
        (ConversationFilter(phone_number_id=PHONE_ID), "ix_conversation_phone"),
        (ConversationFilter(since=MORNING, until=NOW), "ix_conversation_opened"),
    ],
)
def test_every_filter_has_an_index_and_sorts_nothing(
    ledger: Ledger, wanted: ConversationFilter, index: str
) -> None:
    if not ledger.runtime.database.is_sqlite:
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by statistics")
    from data.billing import Conversation

    with ledger.runtime.unit(ledger.place.owner) as unit:
        statement = queries._narrow(unit, wanted)
        ordered = statement.order_by(col(Conversation.opened_at).desc(), col(Conversation.id).desc())
        sql = ordered.compile(unit.session.get_bind(), compile_kwargs={"literal_binds": True})
        rows = unit.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")
        plan = [str(row[3]) for row in rows]
    assert any(index in step for step in plan), plan
    assert not any("TEMP B-TREE" in step or step.startswith("SCAN") for step in plan), plan
