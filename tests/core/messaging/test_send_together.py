"""Sends that come at the same time share transactions, and nothing else (Q1)."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlmodel import col, select

from core.errors import Conflict, Forbidden, Impossible, NotFound, NotSignedIn
from core.messaging import intake
from core.messaging.requests import SendRequest
from core.messaging.send import send
from core.ports.clock import FrozenClock
from core.unit import ANONYMOUS, Identity
from data.engine import Database
from data.enums import MessageState, Role
from data.messages import Contact
from data.operations import AuditEntry
from tests.conftest import PHONE_ID, SECOND_PHONE_ID, Place
from tests.console import wait_for
from tests.core.desk import Desk, Meta, number, order, text_to

WAITS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def together(desk: Desk, *asked: tuple[Identity, SendRequest]) -> list[Any]:
    """What each is told: an answer or a refusal."""

    async def ask() -> list[Any]:
        try:
            sends = (send(desk.runtime, identity, request) for identity, request in asked)
            return await asyncio.gather(*sends, return_exceptions=True)
        finally:
            await desk.runtime.graph.close()

    return asyncio.run(ask())


def test_each_of_many_sends_is_accepted_once_and_settled(desk: Desk, meta: Meta) -> None:
    agent = desk.place.acting(Role.AGENT)
    answers = together(desk, *((agent, order(number(index))) for index in range(20)))
    assert {answer.status for answer in answers} == {"sent"}
    assert len({answer.message_id for answer in answers}) == 20
    assert {desk.message(answer.message_id).state for answer in answers} == {MessageState.SENT}
    assert len(meta.received()) == 20


def test_a_refusal_among_them_is_its_own_and_leaves_nothing(
    desk: Desk, other_place: Place, meta: Meta
) -> None:
    agent = desk.place.acting(Role.AGENT)
    viewer = desk.place.acting(Role.VIEWER)
    stranger = other_place.acting(Role.AGENT)
    first, wrong, closed, forbidden, elsewhere, unknown, last = together(
        desk,
        (agent, order(number(1))),
        (agent, order("12")),
        (agent, text_to(number(2))),
        (viewer, order(number(3))),
        (stranger, order(number(4))),
        (ANONYMOUS, order(number(5))),
        (agent, order(number(6), queued=True)),
    )
    assert (first.status, last.status) == ("sent", "queued")
    assert isinstance(wrong, Impossible)
    assert wrong.code == "invalid_recipient"
    assert isinstance(closed, Impossible)
    assert closed.code == "window_closed"
    assert isinstance(forbidden, Forbidden)
    assert isinstance(elsewhere, NotFound)
    assert isinstance(unknown, NotSignedIn)
    with desk.runtime.unit(desk.place.owner) as unit:
        contacts = unit.session.exec(select(Contact.wa_id)).all()
        assert sorted(map(str, contacts)) == [number(1).removeprefix("+"), number(6).removeprefix("+")]
        refusals = select(AuditEntry).where(col(AuditEntry.action) == "refused")
        [entry] = unit.session.exec(refusals).all()
    assert (entry.target, entry.workspace_id) == ("messages.send", desk.place.workspace.id)


def test_q12_the_same_key_twice_at_once_sends_once(desk: Desk, meta: Meta) -> None:
    agent = desk.place.acting(Role.AGENT)
    keyed = order(idempotency=("key-1", "hash"))
    # One before them, so that both are in the batch that gathers while it is written.
    _, *outcomes = together(desk, (agent, order(number(9))), (agent, keyed), (agent, keyed))
    refused = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    sent = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
    assert {outcome.code for outcome in refused} <= {"idempotency_in_progress"}
    assert len({outcome.message_id for outcome in sent}) == 1
    assert len(meta.received()) == 2


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_q12_a_key_that_another_process_takes_meanwhile_refuses_none_of_the_others(
    desk: Desk, meta: Meta
) -> None:
    """SQLite has one writer: nobody comes in between there."""
    agent = desk.place.acting(Role.AGENT)
    keyed = order(number(2), idempotency=("key-1", "hash"))
    there = order(number(8), phone_number_id=SECOND_PHONE_ID, queued=True, idempotency=("key-1", "hash"))
    elsewhere: list[str] = []

    def take_it(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO idempotency_key") and not elsewhere:
            elsewhere.append("begun")
            with desk.runtime.unit(desk.place.owner, write=True) as unit:
                elsewhere.append(intake.store(unit, there).answer.message_id)

    event.listen(desk.runtime.database.write, "before_cursor_execute", take_it)
    _, before, again, after = together(
        desk, *((agent, request) for request in (order(number(9)), order(number(1)), keyed, order(number(3))))
    )
    assert [before.status, again.status, after.status] == ["sent", "queued", "sent"]
    assert again.message_id == elsewhere[1]
    assert len(meta.received()) == 3


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize(("table", "key"), [("lane", "phone_number_id"), ("contact", "id")])
def test_whoever_waits_for_the_first_of_several_locks_holds_none_of_the_others(
    desk: Desk, database: Database, clock: FrozenClock, table: str, key: str
) -> None:
    """Or two processes whose sends share phones or people would wait for each other."""
    agent = desk.place.acting(Role.AGENT)
    phones = (SECOND_PHONE_ID, PHONE_ID)
    people = [number(index) for index in (4, 1, 3, 2)]

    def store() -> int:
        with desk.runtime.unit(agent, write=True) as unit:
            sends = [order(one, phone_number_id=phone, queued=True) for one in people for phone in phones]
            return len(intake.store_all([(unit, request) for request in sends]))

    def one_waits() -> bool:
        with database.write.connect() as asking:  # anew each time: a transaction sees who waits only once
            return bool(asking.execute(WAITS).scalar_one() == 1)

    assert store() == 8  # whoever it is for is a contact from now on
    clock.advance(1)  # and is touched anew
    lock = f"SELECT {key} FROM {table} WHERE {{which}} ORDER BY {key} FOR NO KEY UPDATE SKIP LOCKED"
    first = f"{key} = (SELECT min({key}) FROM {table})"
    with ThreadPoolExecutor(1) as elsewhere:
        with database.write.connect() as holder, database.write.connect() as looker:
            assert len(holder.execute(text(lock.format(which=first))).all()) == 1
            batch = elsewhere.submit(store)
            wait_for(one_waits, within_s=10)
            free = looker.execute(text(lock.format(which=f"NOT {first}"))).all()
            others = looker.execute(text(f"SELECT count(*) - 1 FROM {table}")).scalar_one()
            assert len(free) == others > 0
        assert batch.result(10) == 8
