"""What Meta holds is looked at, never tried with a message (Q7)."""

import asyncio
from dataclasses import replace

import pytest

from core.lanes import probes
from data.enums import HoldCause, HoldScope
from tests.conftest import PHONE_ID, SECOND_PHONE_ID
from tests.core.desk import Desk, Meta
from tests.core.messaging.test_settling import refusal


def look(desk: Desk) -> bool:
    """Whether anything was due to be looked at; it was."""
    with desk.runtime.unit(probes.PROBE) as unit:
        due = probes.has_due(unit)
    graph = desk.runtime.graph.again()

    async def whole() -> None:
        await probes.probe(replace(desk.runtime, graph=graph))
        await graph.close()

    asyncio.run(whole())
    return due


def block(meta: Meta, phone: str = PHONE_ID, health: str = "BLOCKED") -> None:
    meta.client.patch(f"/sandbox/phones/{phone}", json={"health": health}).raise_for_status()


def test_q7_a_blocked_number_is_held_until_its_health_status_says_otherwise(desk: Desk, meta: Meta) -> None:
    block(meta)
    queued = desk.send_and_get(refusal(131048))
    waits = []
    since = desk.now
    while len(waits) < 6:
        if look(desk):
            waits.append(round((desk.now - since).total_seconds()))
            since = desk.now
        desk.advance(1)
    assert waits == [5, 10, 20, 40, 60, 60]
    assert [hold.cause for hold in desk.holds()] == [HoldCause.RESTRICTION]
    assert meta.counts()["received"] == 0
    block(meta, health="AVAILABLE")
    desk.advance(60)
    assert look(desk)
    assert desk.holds() == []
    assert [one.message_id for one in desk.claim()] == [queued]


def test_q7_held_again_at_once_the_probes_go_on_where_they_were(desk: Desk, meta: Meta) -> None:
    desk.send_and_get(refusal(131048))
    desk.advance(5)
    look(desk)
    assert desk.holds() == []
    (ours,) = desk.put_on_the_wire()
    desk.answer((ours, refusal(131048)))
    (hold,) = desk.holds()
    assert hold.probe_at is not None
    assert (hold.probe_at - desk.now).total_seconds() == 10


@pytest.mark.parametrize("code", [131042, 368, 133010])
def test_q7_each_lane_of_an_account_is_looked_at(desk: Desk, meta: Meta, code: int) -> None:
    block(meta, SECOND_PHONE_ID)
    desk.queue()
    desk.queue(first=2, phone_number_id=SECOND_PHONE_ID)
    desk.answer(*[(ours, refusal(code)) for ours in desk.put_on_the_wire()])
    desk.advance(5)
    look(desk)
    assert [hold.subject for hold in desk.holds()] == [SECOND_PHONE_ID]


@pytest.mark.parametrize("code", [0, 10, 190, 230])
def test_q7_a_dead_token_waits_for_another_and_is_not_looked_at(desk: Desk, meta: Meta, code: int) -> None:
    desk.send_and_get(refusal(code))
    desk.advance(3600)
    assert not look(desk)
    assert {hold.cause for hold in desk.holds()} == {HoldCause.TOKEN}


def test_q7_no_answer_is_no_release(desk: Desk, meta: Meta) -> None:
    desk.send_and_get(refusal(131048))
    desk.change(type(desk.holds()[0]), desk.holds()[0].id, subject="1")
    desk.advance(5)
    assert look(desk)
    assert len(desk.holds()) == 1


def test_q5_a_held_template_is_asked_about_at_its_account(desk: Desk, meta: Meta) -> None:
    block(meta)
    desk.send_and_get(refusal(131063))
    (hold,) = desk.holds()
    assert hold.scope is HoldScope.TEMPLATE
    desk.advance(5)
    look(desk)
    assert len(desk.holds()) == 1
    block(meta, health="LIMITED")
    desk.advance(10)
    look(desk)
    assert desk.holds() == []
