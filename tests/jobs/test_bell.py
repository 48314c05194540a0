"""Q1: a ring never keeps whoever rings waiting, and one that comes later is never swallowed by one before."""

import sqlite3
import time
from pathlib import Path

from huey import Huey

from core.ports.bell import Due
from jobs.queue import HueyBell, open_queue


def wait_for_rings(queue: Huey, count: int) -> None:
    give_up = time.monotonic() + 10
    while queue.pending_count() < count:
        assert time.monotonic() < give_up, f"{queue.pending_count()} of {count} rings arrived"
        time.sleep(0.005)


def test_q1_a_queue_that_cannot_be_written_delays_nobody(tmp_path: Path) -> None:
    path = tmp_path / "huey.db"
    queue = open_queue(f"sqlite:///{path}")
    bell = HueyBell(queue)
    with sqlite3.connect(path, isolation_level=None) as another:
        another.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        bell.ring(Due.WEBHOOKS)
        took_s = time.monotonic() - started
        another.execute("ROLLBACK")
    another.close()
    assert took_s < 1
    wait_for_rings(queue, 1)


def test_q1_many_rings_are_few_and_the_last_is_among_them(tmp_path: Path) -> None:
    queue = open_queue(f"sqlite:///{tmp_path / 'huey.db'}")
    bell = HueyBell(queue)
    for _ in range(200):
        bell.ring(Due.WEBHOOKS)
    wait_for_rings(queue, 1)
    few = queue.pending_count()
    assert few < 20
    bell.ring(Due.WEBHOOKS)
    wait_for_rings(queue, few + 1)
