"""SIGKILL between the 200 and the applying: nothing is lost, and nothing is applied twice."""

import os
import random
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlmodel import col, func, select

from core.runtime import Runtime
from data.engine import Database
from data.enums import DeliveryState, Direction, MessageState
from data.inbox import Delivery
from data.messages import Message
from tests.conftest import Place
from tests.core.desk import WORKER, Desk, accepted, envelope, inbound, status
from tests.webhooks import deliver, work_off

pytestmark = pytest.mark.crash

ROOT = Path(__file__).parent.parent.parent
APPLIER = Path(__file__).parent / "applier.py"
SENDS = 12
DELIVERIES = 40
PER_DELIVERY = 8
WORDS = ("sent", "delivered", "read")
# Of the 72 chunks that each round adds; some run on until the kill comes.
FIRST_CHUNK, LAST_CHUNK = 4, 50


def apply_until_killed(database: Database, key: str, folder: Path, *, chunk: int, delay_s: float) -> None:
    """A process applies, and dies so long after it began that chunk."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "WAYPOST_DATABASE_URL": database.url.render_as_string(hide_password=False),
        "WAYPOST_QUEUE_URL": f"sqlite:///{folder / 'huey.db'}",
        "WAYPOST_SECRET_KEYS": key,
    }
    words = [sys.executable, str(APPLIER), str(chunk), str(delay_s)]
    assert subprocess.run(words, env=environment, cwd=ROOT, timeout=120).returncode == -signal.SIGKILL


def kill_and_finish(desk: Desk, database: Database, folder: Path, *, kills: int, seed: int) -> None:
    dice = random.Random(seed)
    key = Fernet.generate_key().decode()
    sent = desk.queue(SENDS)
    desk.answer(*((ours, accepted(f"wamid.{ours.message_id}")) for ours in desk.put_on_the_wire()))
    for number in range(kills):
        for part in range(DELIVERIES):
            name = f"{number}.{part}"
            messages = [
                inbound(wamid=f"wamid.{name}.{n}", at=desk.now, sender=f"49151123{n:05d}")
                for n in range(PER_DELIVERY)
            ]
            told = dice.choice(sent)
            word = WORDS[min(2, number * 3 // kills)]
            statuses = [status(word, wamid=f"wamid.{told}", at=desk.now, message_id=told)]
            deliver(desk.runtime, envelope(messages=messages, statuses=statuses))
            desk.advance(timedelta(milliseconds=1).total_seconds())
        chunk = dice.randrange(FIRST_CHUNK, LAST_CHUNK)
        apply_until_killed(database, key, folder, chunk=chunk, delay_s=dice.uniform(0.0, 0.005))
        assert count(desk.runtime, DeliveryState.PENDING) > 0
    work_off(desk.runtime)

    assert count(desk.runtime, DeliveryState.APPLIED) == kills * DELIVERIES
    with desk.runtime.unit(WORKER) as unit:
        heard = unit.session.exec(
            select(Message.wamid).where(col(Message.direction) == Direction.INBOUND)
        ).all()
        states = set(
            unit.session.exec(select(Message.state).where(col(Message.direction) == Direction.OUTBOUND))
        )
    assert len(heard) == kills * DELIVERIES * PER_DELIVERY
    assert len(set(heard)) == len(heard)
    assert states <= {MessageState.SENT, MessageState.DELIVERED, MessageState.READ}
    assert MessageState.READ in states


def count(runtime: Runtime, state: DeliveryState) -> int:
    with runtime.unit(WORKER) as unit:
        statement = select(func.count()).select_from(Delivery).where(col(Delivery.state) == state)
        return unit.session.exec(statement).one()


@pytest.fixture
def desk(runtime: Runtime, place: Place) -> Desk:
    return Desk(runtime, place)


@pytest.fixture
def seed() -> int:
    """Printed, so that a failure can be repeated: WAYPOST_CRASH_SEED=… make test."""
    chosen = int(os.environ.get("WAYPOST_CRASH_SEED") or random.randrange(10**6))
    print(f"WAYPOST_CRASH_SEED={chosen}")
    return chosen


def test_kills_between_the_200_and_the_applying_lose_nothing_and_repeat_nothing(
    desk: Desk, database: Database, tmp_path: Path, seed: int
) -> None:
    kill_and_finish(desk, database, tmp_path, kills=3, seed=seed)


@pytest.mark.long
def test_fifty_kills_between_the_200_and_the_applying(
    desk: Desk, database: Database, tmp_path: Path, seed: int
) -> None:
    kill_and_finish(desk, database, tmp_path, kills=50, seed=seed)
