"""A 190 on a send: the lane is held, the token renewed at once, and what waited goes in order (Q7, K4)."""

import asyncio
from dataclasses import replace
from datetime import datetime

import pytest
from sqlmodel import col, select

from core.lanes.commands import pause
from core.messaging.claiming import has_due
from core.messaging.dispatch import Dispatcher
from core.ports.clock import SystemClock
from core.ports.graph_replies import Reply, ReplyKind
from core.tokens import commands
from core.tokens.rules import TokenState
from data.alerts import Alert
from data.enums import HoldCause, MessageState, Outcome
from tests.conftest import APP_SECRET, SECOND_PHONE_ID
from tests.core.desk import Desk, Meta, accepted, carry_out, number, order
from tests.core.tokens.conftest import APP_ID, Keeper

REFUSED = Reply(ReplyKind.REFUSED, meta_code=190, http_status=401, detail="Session has expired.")


@pytest.fixture
def busy(keeper: Keeper) -> Desk:
    return Desk(keeper.runtime, keeper.place)


@pytest.fixture
def inspected(keeper: Keeper) -> Keeper:
    """A healthy token that was looked at already."""
    keeper.give("fine-token")
    keeper.tick()
    return keeper


def revoke(meta: Meta, token: str) -> None:
    params = {"revoke_token": token, "client_id": APP_ID, "client_secret": APP_SECRET}
    meta.client.get(
        "/v23.0/oauth/revoke", params=params, headers={"Authorization": "Bearer t"}
    ).raise_for_status()


def test_k4_a_190_starts_a_refresh_at_once_and_everything_goes_in_order(
    inspected: Keeper, busy: Desk
) -> None:
    ids = busy.queue(12)
    on_the_wire = busy.put_on_the_wire(per_lane=3)
    busy.answer(*((claim, REFUSED) for claim in on_the_wire))
    assert {hold.cause for hold in busy.holds()} == {HoldCause.TOKEN}
    assert busy.claim() == []
    inspected.tick()
    assert inspected.token.startswith("EAAW")
    assert busy.holds() == []
    again = busy.put_on_the_wire()
    assert [claim.message_id for claim in again] == ids
    assert {claim.token for claim in again} == {inspected.token}
    busy.answer(*((claim, accepted(claim.message_id)) for claim in again))
    for index, message_id in enumerate(ids):
        message = busy.message(message_id)
        assert (message.state, message.rung) == (MessageState.SENT, 0)
        assert len(busy.attempts(message_id)) == (2 if index < 3 else 1)


def test_k4_what_can_go_is_said_in_the_audit_log_and_on_the_page(inspected: Keeper, busy: Desk) -> None:
    busy.queue(5)
    busy.queue(2, first=50, request=order(phone_number_id=SECOND_PHONE_ID))
    (claim, *_) = busy.put_on_the_wire(per_lane=1, in_all=1)
    busy.answer((claim, REFUSED))
    assert inspected.view.held == 7
    inspected.tick()
    (entry,) = [one for one in inspected.entries() if one.action == "token.refreshed"]
    assert entry.after is not None
    assert entry.after["can_go"] == 7
    assert (inspected.view.held, inspected.view.let_go) == (0, 7)
    with inspected.runtime.unit(inspected.place.owner) as unit:
        held = list(unit.session.exec(select(Alert).where(col(Alert.kind) == "lane_held")))
    assert held
    assert all(one.resolved_at is not None for one in held)


def test_k4_a_token_that_was_revoked_waits_for_a_person_and_then_everything_goes(
    inspected: Keeper, busy: Desk, meta: Meta
) -> None:
    ids = busy.queue(10)
    revoke(meta, "fine-token")
    drain(inspected)
    inspected.tick()
    assert inspected.view.state is TokenState.INVALID
    assert busy.holds() != []
    assert inspected.tick_after(6 * 3600).state is TokenState.INVALID
    carry_out(
        inspected.runtime,
        commands.replace(
            inspected.runtime, inspected.place.owner, inspected.view.id, access_token="a-new-token"
        ),
    )
    assert (inspected.view.state, inspected.view.let_go, busy.holds()) == (TokenState.VALID, 10, [])
    drain(inspected)
    messages = [busy.message(one) for one in ids]
    assert {message.state for message in messages} == {MessageState.SENT}
    assert {message.rung for message in messages} == {0}
    outcomes = [[attempt.outcome for attempt in busy.attempts(one)] for one in ids]
    refused = [each for each in outcomes if len(each) > 1]
    assert all(each[-1] is Outcome.ACCEPTED for each in outcomes)
    assert len(refused) <= inspected.runtime.settings.waypost_retry_workers


class Running(SystemClock):
    """Goes on from the moment at which a frozen clock stands."""

    def __init__(self, at: datetime) -> None:
        self._ahead = super().now() - at

    def now(self) -> datetime:
        return super().now() - self._ahead


def drain(keeper: Keeper) -> None:
    """A worker sends what it can and stops."""
    clock = Running(keeper.runtime.clock.now())
    runtime = replace(keeper.runtime, graph=keeper.runtime.graph.again(), clock=clock, throughput_lifted=True)
    worker = Dispatcher(runtime)

    async def work() -> None:
        running = asyncio.create_task(worker.run())
        for _ in range(400):
            await asyncio.sleep(0.02)
            if not worker._in_flight.total() and not waits(keeper):
                break
        worker.stop()
        await running

    carry_out(runtime, work())


def waits(keeper: Keeper) -> bool:
    """Whether a lane that is open has due messages."""
    with keeper.runtime.unit(keeper.place.owner) as unit:
        return has_due(unit)


def test_k4_refused_again_and_again_it_waits_longer_each_time_and_then_calls_a_person(
    inspected: Keeper, busy: Desk
) -> None:
    """Meta says the token is well and refuses sends all the same: a renewal a second would help nobody."""
    busy.queue(1)

    def refused() -> None:
        (claim,) = busy.put_on_the_wire()
        busy.answer((claim, REFUSED))
        inspected.tick()

    refused()
    renewed = [inspected.token]
    for wait_s in (60, 300, 900):
        refused()
        inspected.tick_after(wait_s - 1)
        assert inspected.token == renewed[-1]
        inspected.tick_after(1)
        renewed.append(inspected.token)
    assert len(set(renewed)) == 4
    refused()
    view = inspected.view
    assert (view.state, view.needs_attention) == (TokenState.FAILING, True)
    (alert,) = inspected.alerts()
    assert "goes on refusing" in alert.detail
    assert busy.holds() != []


def test_k4_a_never_expiring_token_that_works_lets_its_lanes_go_unexchanged(
    keeper: Keeper, busy: Desk
) -> None:
    keeper.give("never-token")
    keeper.tick()
    busy.queue(1)
    (claim,) = busy.put_on_the_wire()
    busy.answer((claim, REFUSED))
    keeper.tick()
    assert (keeper.token, busy.holds()) == ("never-token", [])
    assert keeper.actions() == ["token.proven"]


def test_a_lane_that_a_person_paused_stays_paused(inspected: Keeper, busy: Desk) -> None:
    busy.queue(4)
    (claim, *_) = busy.put_on_the_wire(per_lane=1)
    busy.answer((claim, REFUSED))
    with inspected.runtime.unit(inspected.place.owner, write=True) as unit:
        pause(unit, phone_number_id=claim.phone_number_id, reason="Stocktaking")
    inspected.tick()
    assert [hold.cause for hold in busy.holds()] == [HoldCause.PERSON]
    assert inspected.view.let_go == 0


def test_k3_meta_that_repeats_a_token_in_its_refusal_is_not_repeated(
    keeper: Keeper, busy: Desk, meta: Meta
) -> None:
    canary = "EAAGcanary0123456789"
    keeper.give(canary)
    meta.script("error", code=131026, details=f"Malformed access token {canary}", match={"to": number(1)})
    (message_id,) = busy.queue(1)
    drain(keeper)
    detail = busy.message(message_id).error_detail or ""
    assert "Malformed access token …" in detail
    assert canary not in detail
