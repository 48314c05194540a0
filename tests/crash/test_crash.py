"""SIGKILL at random moments to a console of real processes: nothing lost, nothing sent twice unmarked."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.console import Console
from tests.crash.proof import drain, prove
from tests.crash.senders import begin
from tests.crash.servers import beside_postgres_and_redis

pytestmark = pytest.mark.crash

SENDS_A_ROUND = 80


@pytest.fixture(params=["sqlite", "postgresql"])
def console(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Console]:
    """Each kind of database, with a doorbell that goes with it."""
    if request.param == "sqlite":
        console = Console(tmp_path)
        with console.sandbox_running():
            yield console
            console.stop()
        return
    with beside_postgres_and_redis() as settings:
        console = Console(tmp_path, settings=settings)
        console.command("migrate")
        with console.sandbox_running():
            yield console
            console.stop()


LONG = pytest.mark.long


@pytest.mark.parametrize(
    ("console", "rounds", "whole"),
    [
        pytest.param("sqlite", 2, True, id="everything"),
        pytest.param("sqlite", 2, False, id="the-worker-alone", marks=LONG),
        pytest.param("sqlite", 4, True, id="everything-long", marks=LONG),
        pytest.param("sqlite", 4, False, id="the-worker-alone-long", marks=LONG),
        pytest.param("postgresql", 4, True, id="everything-on-postgresql-long", marks=LONG),
        pytest.param("postgresql", 4, False, id="the-worker-alone-on-postgresql-long", marks=LONG),
    ],
    indirect=["console"],
)
def test_kills_at_random_moments_lose_nothing_and_mark_what_may_be_double(
    console: Console, seed: int, rounds: int, whole: bool
) -> None:
    dice = random.Random(seed)
    senders = begin(console, seed=seed)
    console.start()
    for number in range(rounds):
        senders.send(range(number * SENDS_A_ROUND, (number + 1) * SENDS_A_ROUND))
        console.wait_until_sending()
        time.sleep(dice.uniform(0.0, 0.8))
        if number == 1:
            console.delete_queue_file()
        if whole:
            console.kill()
            console.start()
        else:
            console.kill_worker()
    stuck = drain(console, senders)

    prove(console, senders, sends=rounds * SENDS_A_ROUND)
    assert not stuck, "work of a dead process was not taken back in time"
