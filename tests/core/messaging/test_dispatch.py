"""The real drain on an event loop, against the real sandbox."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlmodel import col, func, select

from core.lanes.holding import release
from core.messaging.dispatch import Dispatcher
from core.ports.clock import SystemClock
from core.runtime import Runtime
from data.engine import Database
from data.enums import LetterState, MessageState, Outcome
from data.messages import Attempt, DeadLetter, Message
from tests.conftest import PHONE_ID, SECOND_PHONE_ID, Place
from tests.core.desk import WORKER, Desk, Meta

DEADLINE_S = 40


@pytest.fixture
def live(runtime: Runtime) -> Runtime:
    """The runtime with the time of day, for a drain that waits for it; without throughput limits."""
    return replace(runtime, clock=SystemClock(), throughput_lifted=True)


def states(desk: Desk) -> dict[MessageState, int]:
    with desk.runtime.unit(WORKER) as unit:
        statement = select(Message.state, func.count()).group_by(col(Message.state))
        return {row[0]: row[1] for row in unit.session.exec(statement)}


def is_drained(desk: Desk) -> bool:
    return not states(desk).keys() & {MessageState.QUEUED, MessageState.CLAIMED, MessageState.SENDING}


def drain(
    runtime: Runtime, until: Callable[[], bool], beside: Callable[[Dispatcher], Awaitable[None]] | None = None
) -> None:
    """Runs a dispatcher until that is so, then stops it; what was in flight is settled."""

    async def whole() -> None:
        dispatcher = Dispatcher(runtime)
        running = asyncio.create_task(dispatcher.run())
        helping = asyncio.create_task(beside(dispatcher)) if beside else None  # type: ignore[arg-type]
        give_up = time.monotonic() + DEADLINE_S
        while not await asyncio.to_thread(until):
            assert not running.done(), "the drain ended by itself"
            assert time.monotonic() < give_up, "the drain does not get on"
            await asyncio.sleep(0.02)
        if helping is not None:
            await helping
        dispatcher.stop()
        await asyncio.wait_for(running, DEADLINE_S)
        await runtime.graph.close()

    asyncio.run(whole())


def queue_on_both(desk: Desk, each: int) -> dict[str, list[str]]:
    return {
        PHONE_ID: desk.queue(each),
        SECOND_PHONE_ID: desk.queue(each, first=each + 1, phone_number_id=SECOND_PHONE_ID),
    }


def as_written(queued: dict[str, list[str]]) -> list[str]:
    return sorted(one for ids in queued.values() for one in ids)


def test_q1_two_hundred_queued_messages_over_two_phones_are_each_sent_once(
    live: Runtime, place: Place, meta: Meta
) -> None:
    queued = queue_on_both(Desk(live, place), 100)
    drain(live, lambda: is_drained(Desk(live, place)))
    assert states(Desk(live, place)) == {MessageState.SENT: 200}
    counts = meta.counts()
    assert (counts["accepted"], counts["duplicates"]) == (200, 0)
    assert sorted(counts["byCallback"]) == as_written(queued)
    with live.unit(WORKER) as unit:
        outcomes = unit.session.exec(select(Attempt.outcome)).all()
    assert outcomes == [Outcome.ACCEPTED] * 200


def test_q7_with_one_in_flight_a_lane_keeps_its_order(live: Runtime, place: Place, meta: Meta) -> None:
    live = replace(live, settings=live.settings.model_copy(update={"waypost_retry_workers": 1}))
    queued = queue_on_both(Desk(live, place), 15)
    drain(live, lambda: is_drained(Desk(live, place)))
    arrived = defaultdict(list)
    for one in meta.received():
        arrived[one["phoneNumberId"]].append(one["callback"])
    assert dict(arrived) == queued


class Counted:
    """Wraps the graph of a runtime and counts what is in flight at once."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self.now: dict[str, int] = defaultdict(int)
        self.most: dict[str, int] = defaultdict(int)
        self.most_in_all = 0

    async def send(self, *, phone_number_id: str, **call: Any) -> Any:
        self.now[phone_number_id] += 1
        self.most[phone_number_id] = max(self.most[phone_number_id], self.now[phone_number_id])
        self.most_in_all = max(self.most_in_all, sum(self.now.values()))
        try:
            return await self._graph.send(phone_number_id=phone_number_id, **call)
        finally:
            self.now[phone_number_id] -= 1

    def open(self) -> None:
        self._graph.open()

    async def close(self) -> None:
        await self._graph.close()


@pytest.mark.parametrize(("per_lane", "in_all"), [(3, 100), (5, 6)])
def test_no_more_is_in_flight_than_the_settings_say(
    live: Runtime, place: Place, meta: Meta, per_lane: int, in_all: int
) -> None:
    meta.script("slow", seconds=0.03)
    bounds = {"waypost_retry_workers": per_lane, "waypost_sends_in_flight": in_all}
    counted = Counted(live.graph)
    live = replace(live, graph=counted, settings=live.settings.model_copy(update=bounds))  # type: ignore[arg-type]
    queue_on_both(Desk(live, place), 20)
    drain(live, lambda: is_drained(Desk(live, place)))
    assert max(counted.most.values()) == per_lane
    assert counted.most_in_all == min(in_all, 2 * per_lane)


def test_q2_stopping_settles_what_is_in_flight_and_claims_nothing_more(
    live: Runtime, place: Place, meta: Meta
) -> None:
    meta.script("slow", seconds=0.3)
    desk = Desk(live, place)
    desk.queue(12)
    drain(live, lambda: MessageState.SENDING in states(desk))
    found = states(desk)
    assert found == {MessageState.SENT: 5, MessageState.QUEUED: 7}
    assert meta.counts()["accepted"] == 5


def test_q4_a_failure_is_tried_again_when_its_rung_is_over(live: Runtime, place: Place, meta: Meta) -> None:
    meta.script("error", code=131016, times=1)
    quick = replace(live, settings=live.settings.model_copy(update={"waypost_retry_delays": (0.2, 0.2)}))
    desk = Desk(quick, place)
    queued = desk.queue(4)

    async def sweep(dispatcher: Dispatcher) -> None:
        for _ in range(20):
            await asyncio.sleep(0.05)
            dispatcher.wake()

    drain(quick, lambda: states(desk) == {MessageState.SENT: 4}, sweep)
    for one in queued:
        outcomes = [attempt.outcome for attempt in desk.attempts(one)]
        assert outcomes == [Outcome.PASSING, Outcome.ACCEPTED]
        first, second = desk.attempts(one)
        assert first.finished_at is not None
        assert (second.claimed_at - first.finished_at).total_seconds() >= 0.2


def test_q7_a_dead_token_stops_its_lanes_and_the_messages_go_once_they_are_released(
    live: Runtime, place: Place, meta: Meta
) -> None:
    desk = Desk(live, place)
    desk.queue(12)
    meta.script("error", code=190, times=1)
    drain(live, lambda: len(desk.holds()) == 2 and not states(desk).keys() & {MessageState.SENDING})
    waiting = states(desk)[MessageState.QUEUED]
    assert waiting >= 7
    with live.unit(place.owner, write=True) as unit:
        for hold in desk.holds():
            release(unit, scope=hold.scope, subject=hold.subject)
    meta.client.post("/sandbox/reset").raise_for_status()
    drain(live, lambda: states(desk) == {MessageState.SENT: 12})


def test_q8_a_backlog_that_died_of_age_is_buried_without_a_sweep(
    live: Runtime, place: Place, meta: Meta
) -> None:
    desk = Desk(live, place)
    desk.queue(60, ttl_s=0.001)
    living = desk.queue(3, first=61)
    drain(live, lambda: states(desk) == {MessageState.DEAD: 60, MessageState.SENT: 3})
    assert set(meta.counts()["byCallback"]) == set(living)
    with live.unit(WORKER) as unit:
        letters = unit.session.exec(select(DeadLetter.state)).all()
    assert letters == [LetterState.OPEN] * 60


def test_q1_a_database_that_is_locked_for_a_while_loses_nothing(
    live: Runtime, place: Place, meta: Meta, database: Database
) -> None:
    if not database.is_sqlite:
        pytest.skip("one writer's lock stops the others on SQLite alone")
    meta.script("slow", seconds=0.1)
    desk = Desk(live, place)
    queued = desk.queue(25)

    async def lock(_dispatcher: Dispatcher) -> None:
        while meta.counts()["received"] == 0:  # noqa: ASYNC110 - the sandbox tells nobody
            await asyncio.sleep(0.01)
        await asyncio.to_thread(_hold_the_lock, database, 1.0)

    with _answering_locked_after(database, milliseconds=100):
        drain(live, lambda: is_drained(desk), lock)
    counts = meta.counts()
    assert states(desk) == {MessageState.SENT: 25}
    assert (counts["accepted"], counts["duplicates"]) == (25, 0)
    assert sorted(counts["byCallback"]) == sorted(queued)


@contextmanager
def _answering_locked_after(database: Database, *, milliseconds: int) -> Iterator[None]:
    """A busy database is told of at once, so that the test need not wait five seconds for it. Pools stay from
    test to test, so the listener must go."""

    def impatient(connection: Any, *_: Any) -> None:
        connection.execute(f"PRAGMA busy_timeout={milliseconds}")

    event.listen(database.write, "checkout", impatient)
    try:
        yield
    finally:
        event.remove(database.write, "checkout", impatient)


def _hold_the_lock(database: Database, seconds: float) -> None:
    """Another program writes for that long."""
    import sqlite3

    other = sqlite3.connect(database.path, timeout=30, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    time.sleep(seconds)  # the lock's duration is what the test is about
    other.execute("COMMIT")
    other.close()


def test_a_crash_in_our_own_code_becomes_an_unknown_attempt(live: Runtime, place: Place, meta: Meta) -> None:
    class Broken(Counted):
        async def send(self, **_: Any) -> Any:
            raise ZeroDivisionError

    live = replace(live, graph=Broken(live.graph))  # type: ignore[arg-type]
    desk = Desk(live, place)
    (one,) = desk.queue()
    drain(live, lambda: is_drained(desk))
    (attempt,) = desk.attempts(one)
    assert (attempt.outcome, attempt.error_code) == (Outcome.UNKNOWN, "bad_response")
    assert desk.message(one).may_duplicate


def test_the_drain_sees_work_that_comes_while_it_waits(live: Runtime, place: Place, meta: Meta) -> None:
    desk = Desk(live, place)

    async def later(dispatcher: Dispatcher) -> None:
        await asyncio.to_thread(desk.queue, 3)
        dispatcher.wake()

    drain(live, lambda: states(desk) == {MessageState.SENT: 3}, later)
    with live.unit(WORKER) as unit:
        assert unit.session.connection().execute(text("SELECT COUNT(*) FROM attempt")).scalar_one() == 3
