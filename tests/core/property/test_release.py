"""Whatever happens to a lane meanwhile, its messages are claimed in the order in which they are due (Q7)."""

import random
from datetime import timedelta

import pytest

from core.lanes import commands
from data.messages import Message
from tests.conftest import PHONE_ID
from tests.core.desk import Desk

STEPS = 40


@pytest.mark.parametrize("seed", range(6))
def test_q7_a_lane_that_is_held_and_released_again_and_again_keeps_its_order(desk: Desk, seed: int) -> None:
    """The oracle is a list that is searched for its least."""
    dice = random.Random(seed)
    waiting: list[tuple[float, str]] = []
    started, index, held = desk.now, 0, False
    for _ in range(STEPS):
        what = dice.choice(("queue", "queue", "hold", "release", "claim", "claim", "wait"))
        if what == "queue":
            (message_id,) = desk.queue(first=(index := index + 1))
            due_at = desk.now + timedelta(seconds=dice.choice((-3, 0, 2, 9)), milliseconds=index)
            desk.change(Message, message_id, due_at=due_at)
            waiting.append(((due_at - started).total_seconds(), message_id))
        elif what == "wait":
            desk.advance(dice.choice((1, 4)))
        elif what == "claim":
            most = dice.randint(1, 4)
            expected = []
            while not held and len(expected) < most:
                due = [one for one in waiting if one[0] <= (desk.now - started).total_seconds()]
                if not due:
                    break
                waiting.remove(min(due))
                expected.append(min(due)[1])
            assert [one.message_id for one in desk.claim(per_lane=most)] == expected
        else:
            held = what == "hold"
            with desk.runtime.unit(desk.place.owner, write=True) as unit:
                change = commands.pause if held else commands.resume
                change(unit, phone_number_id=dice.choice((PHONE_ID, None)) if held else PHONE_ID)
                if not held:
                    commands.resume(unit)
