"""One drain and direct sends beside it, as Meta sees them: who waits for whom."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from core.lanes import rules as lane_rules
from core.messaging.dispatch import Dispatcher
from core.messaging.send import send
from core.ports.clock import FrozenClock, SystemClock
from core.runtime import Runtime
from data.columns import from_micros
from data.engine import Database
from data.enums import MessageState, Outcome, PlanName
from data.messages import Message
from data.people import Workspace
from data.sending import Lane
from tests.conftest import PHONE_ID, SECOND_PHONE_ID, Place
from tests.core.desk import Desk, Meta, number, order
from tests.core.messaging.test_aside import hello
from tests.core.messaging.test_dispatch import drain, states


@pytest.fixture
def live(runtime: Runtime) -> Runtime:
    return replace(runtime, clock=SystemClock())


def test_q13_direct_sends_pass_a_backlog_and_meta_sees_no_more_than_the_limit(
    live: Runtime, place: Place, meta: Meta
) -> None:
    desk = Desk(live, place)
    desk.change(Workspace, place.workspace.id, plan=PlanName.STARTER)
    desk.queue(60)
    took_s: list[float] = []

    async def beside(_dispatcher: Dispatcher) -> None:
        while meta.counts()["received"] < 12:  # noqa: ASYNC110 - the sandbox tells nobody
            await asyncio.sleep(0.05)
        for index in range(6):
            began = time.monotonic()
            answer = await send(live, place.owner, order(number(900 + index)))
            took_s.append(time.monotonic() - began)
            assert answer.status == "sent"

    drain(live, lambda: len(took_s) == 6, beside)
    counts = meta.counts()
    assert counts["busiestSecond"][PHONE_ID] <= 10
    assert max(took_s) <= 1.0
    assert desk.message(desk.queue()[0]).state is MessageState.QUEUED


@pytest.mark.parametrize("trouble", ["slow", "poisoned", "held"])
def test_q7_one_phone_in_trouble_keeps_no_message_of_another(
    live: Runtime, place: Place, meta: Meta, trouble: str
) -> None:
    live = replace(live, throughput_lifted=True)
    desk = Desk(live, place)
    if trouble == "slow":
        meta.script("slow", seconds=1.5, match={"phoneNumberId": PHONE_ID})
    elif trouble == "poisoned":
        meta.script("error", code=132015, match={"template": "order_update"})
    else:
        meta.script("error", code=131048, match={"phoneNumberId": PHONE_ID})
    desk.queue(40)
    greeting = order(phone_number_id=SECOND_PHONE_ID)
    others = [
        desk.queue(request=replace(greeting, payload=hello(number(100 + index))))[0] for index in range(40)
    ]
    began = time.monotonic()
    drain(live, lambda: all(desk.message(one).state is MessageState.SENT for one in others))
    if trouble == "slow":
        assert states(desk).get(MessageState.QUEUED, 0) > 0
        assert time.monotonic() - began < 12
    else:
        assert meta.counts()["accepted"] == 40


@pytest.mark.parametrize(("leap_s", "outcomes"), [(0.3, ["accepted"]), (1.5, ["lost", "accepted"])])
def test_q13_a_slot_that_was_missed_is_another_and_one_that_was_missed_far_goes_back(
    runtime: Runtime,
    clock: FrozenClock,
    place: Place,
    meta: Meta,
    database: Database,
    leap_s: float,
    outcomes: list[str],
) -> None:
    """Time stands still, and leaps once: as for a process that is kept from running."""
    desk = Desk(runtime, place)
    (queued,) = desk.queue()
    leaps = [leap_s]

    @event.listens_for(database.write, "before_cursor_execute")
    def leap(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE message SET state = 'sending'") and leaps:
            clock.advance(leaps.pop())

    drain(runtime, lambda: desk.message(queued).state is MessageState.SENT)
    attempts = desk.attempts(queued)
    assert [one.outcome for one in attempts] == [Outcome(outcome) for outcome in outcomes]
    assert meta.counts()["received"] == 1
    assert desk.message(queued).rung == 0


class Detained:
    """The graph of a process that is kept from running between its last look at the clock and the write."""

    def __init__(self, graph: Any, clock: FrozenClock) -> None:
        self._graph, self._clock = graph, clock
        self.open, self.close = graph.open, graph.close

    async def send(self, **call: Any) -> Any:
        self._clock.advance(0.4)
        return await self._graph.send(**call)


@pytest.mark.parametrize("way", ["queued", "direct"])
def test_q13_the_window_knows_when_a_late_request_left_long_before_it_is_answered(
    runtime: Runtime, clock: FrozenClock, place: Place, meta: Meta, way: str
) -> None:
    detained = replace(runtime, graph=Detained(runtime.graph, clock))  # type: ignore[arg-type]
    desk = Desk(detained, place)
    left_at = clock.now() + timedelta(seconds=0.4)
    meta.script("slow", seconds=1.5)

    def is_known() -> bool:
        with runtime.unit(place.owner) as unit:
            message = unit.session.exec(unit.scoped(Message)).first()
            slots = unit.session.get_one(Lane, PHONE_ID).slots
            moments = [from_micros(stamp >> 1) for stamp in lane_rules.taken(slots, now=unit.now)]
            is_unanswered = message is not None and message.state is MessageState.SENDING
            return is_unanswered and [one >= left_at for one in moments] == [True]

    if way == "queued":
        desk.queue()
        drain(detained, is_known)
        return

    async def directly() -> bool:
        sending = asyncio.create_task(send(detained, place.owner, order()))
        known = False
        while not (known or sending.done()):
            known = await asyncio.to_thread(is_known)
        await sending
        await runtime.graph.close()
        return known

    assert asyncio.run(directly())
