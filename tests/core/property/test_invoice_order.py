"""B10 over any order of arrival: whatever Meta tells first, the invoice and its hash are the same."""

import random
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from core.runtime import Runtime
from data.engine import open_database
from data.enums import MessageState
from tests.conftest import PHONE_ID, SECOND_PHONE_ID, Place
from tests.core.billing.stories import DECEMBER, NOVEMBER, Story
from tests.core.ledger import Ledger, Said
from tests.core.property.test_billing import oracle

ORDERS = 3
SEEDS = [*range(2), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 20))]


def history(dice: random.Random) -> list[Said]:
    """Messages of November and a little beyond both its ends, between three customers and two phones."""
    return [
        Said(
            f"m{number:03d}",
            NOVEMBER + timedelta(minutes=dice.randrange(-600, 31 * 24 * 60)),
            inbound=dice.random() < 0.5,
            contact=f"con_{dice.randrange(3)}",
            phone=dice.choice((PHONE_ID, SECOND_PHONE_ID)),
            meta_type=dice.choice(("text", "image", "reaction")),
            state=MessageState.SENT,
        )
        for number in range(40)
    ]


# Of one file as many copies can be made as there are orders, with the same workspace in each.
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("seed", SEEDS)
def test_b10_the_hash_of_an_invoice_knows_no_order_of_arrival(
    runtime: Runtime, place: Place, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    told = history(dice)
    failed = {said.key for said in told if not said.inbound and dice.random() < 0.3}
    Story(Ledger(runtime, place)).go_to(DECEMBER + timedelta(days=5))
    runtime.database.dispose()  # all of it is in the file then
    invoices = set()
    for number in range(ORDERS):
        path = tmp_path / f"{number}.db"
        shutil.copy(runtime.database.path, path)
        here = replace(runtime, database=open_database(f"sqlite:///{path}"))
        ledger = Ledger(here, place)
        arrive(ledger, told, failed, dice)
        story = Story(ledger)
        periods = [one.period for one in story.invoices() if one.period < "2026-12"]
        found = [story.finalise(period) for period in periods]
        invoices.add(tuple((one.hash, one.conversations, one.amount_micros) for one in found))
        here.database.dispose()
    (each,) = invoices
    windows = [one for one in oracle(told, failed) if one[2] < DECEMBER]
    assert sum(conversations for _, conversations, _ in each) == len(windows)
    assert all(len(hashed or "") == 64 for hashed, _, _ in each)


def arrive(ledger: Ledger, told: list[Said], failed: set[str], dice: random.Random) -> None:
    """In any order and in batches of any size; what failed is told at any time after its message."""
    left = list(told)
    dice.shuffle(left)
    failing: list[str] = []
    while left or failing:
        size = dice.randint(1, 9)
        batch, left = left[:size], left[size:]
        ledger.write(batch)
        failing += [said.key for said in batch if said.key in failed]
        dice.shuffle(failing)
        while failing and (not left or dice.random() < 0.4):
            ledger.report(failing.pop(), "failed", DECEMBER, state=MessageState.FAILED)
        if dice.random() < 0.5:
            ledger.settle()
    ledger.settle()
