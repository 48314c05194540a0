"""A token that dies in the middle of five hundred messages, with a real worker: K4, Q7."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlmodel import col, func, select

from core.messaging.dispatch import Dispatcher
from core.ports.clock import SystemClock
from core.runtime import Runtime
from core.tokens import commands
from data.enums import MessageState, Outcome
from data.messages import Attempt, Message
from tests.console import wait_for
from tests.core.desk import Desk, Meta, carry_out
from tests.core.tokens.conftest import Keeper
from tests.core.tokens.test_held import revoke

MESSAGES = 500
UNDER_WAY = (MessageState.CLAIMED, MessageState.SENDING)


@contextmanager
def working(runtime: Runtime) -> Iterator[None]:
    """A worker drains beside the test, on an event loop of its own."""
    loop = asyncio.new_event_loop()
    runtime = replace(runtime, graph=runtime.graph.again(), throughput_lifted=True)
    worker = Dispatcher(runtime)

    async def work() -> None:
        try:
            await worker.run()
        finally:
            await runtime.graph.close()

    thread = threading.Thread(target=loop.run_until_complete, args=[work()])
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(worker.stop)
        thread.join(30)
        loop.close()


def count(desk: Desk, *states: MessageState) -> int:
    with desk.runtime.unit(desk.place.owner) as unit:
        found = select(func.count()).select_from(Message).where(col(Message.state).in_(states))
        return unit.session.exec(found).one()


@pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)
def test_k4_only_what_was_in_flight_met_the_dead_token_and_all_go_in_order_after_it(
    keeper: Keeper, meta: Meta
) -> None:
    live = replace(keeper, runtime=replace(keeper.runtime, clock=SystemClock()))
    live.give("fine-token")
    desk = Desk(live.runtime, live.place)
    ids = desk.queue(MESSAGES)
    with working(live.runtime):
        wait_for(lambda: count(desk, MessageState.SENT) >= 150, within_s=60)
        revoke(meta, "fine-token")
        wait_for(lambda: bool(desk.holds()) and not count(desk, *UNDER_WAY), within_s=60)
        sent_before = count(desk, MessageState.SENT)
        assert sent_before < MESSAGES
        work = commands.replace(live.runtime, live.place.owner, live.view.id, access_token="a-new-token")
        carry_out(live.runtime, work)
        wait_for(lambda: count(desk, MessageState.SENT) == MESSAGES, within_s=60)
    with live.runtime.unit(live.place.owner) as unit:
        messages = unit.session.exec(select(Message).order_by(col(Message.id))).all()
        attempts = unit.session.exec(select(Attempt).order_by(col(Attempt.number))).all()
    assert [message.id for message in messages] == ids
    assert {message.rung for message in messages} == {0}
    by_message: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        by_message.setdefault(attempt.message_id, []).append(attempt)
    outcomes = [[(attempt.outcome, attempt.error_code) for attempt in by_message[one]] for one in ids]
    well, dead_token = (Outcome.ACCEPTED, None), (Outcome.PASSING, "meta_190")
    met = [each for each in outcomes if each != [well]]
    assert 1 <= len(met) <= live.runtime.settings.waypost_retry_workers
    assert all(each == [dead_token, well] for each in met)
    claimed = [by_message[one][-1].claimed_at for one in ids]
    assert claimed == sorted(claimed)
    assert live.view.let_go == MESSAGES - sent_before
    assert meta.counts()["accepted"] == MESSAGES
