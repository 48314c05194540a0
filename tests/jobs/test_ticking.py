"""C2 with two real clock processes: each tick once, whoever dies or is stopped for a while."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col, select

from core.monitoring.commands import LEADER_LEASE
from data.engine import Database
from data.operations import Lease
from data.schedules import ScheduleRun
from jobs.ticking import Pace
from tests.jobs.ticker import EVERY_S

ROOT = Path(__file__).parents[2]
WITHIN_S = 60.0
UNDER_WAY = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() AND state <> 'idle'"
)


@dataclass
class Clocks:
    """Processes by the name that they lead under: host and process id."""

    database: Database
    folder: Path
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "WAYPOST_DATABASE_URL": self.database.url.render_as_string(hide_password=False),
            "WAYPOST_QUEUE_URL": f"sqlite:///{self.folder / 'huey.db'}",
            "WAYPOST_SECRET_KEYS": Fernet.generate_key().decode(),
        }
        ticker = [sys.executable, str(ROOT / "tests/jobs/ticker.py")]
        process = subprocess.Popen(ticker, cwd=ROOT, env=environment)
        self.processes[f"{os.uname().nodename}:{process.pid}"] = process

    def tell(self, holder: str, number: int) -> None:
        os.kill(self.processes[holder].pid, number)

    def stop_between_transactions(self, holder: str) -> None:
        """Stopped, and it holds no lock: one that does keeps everybody out of the database."""
        while True:
            self.tell(holder, signal.SIGSTOP)
            if self._is_free():
                return
            self.tell(holder, signal.SIGCONT)

    def _is_free(self) -> bool:
        if self.database.is_sqlite:
            with sqlite3.connect(self.database.path, timeout=0, isolation_level=None) as connection:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    connection.execute("ROLLBACK")
                except sqlite3.OperationalError:
                    return False
            return True
        try:
            with self.database.write.begin() as connection:
                for table in ("lease", "schedule"):
                    connection.execute(text(f"SELECT 1 FROM {table} FOR UPDATE NOWAIT"))
                # A statement that was on its way when the process stopped takes its lock only now.
                return not connection.execute(UNDER_WAY).scalar_one()
        except OperationalError:
            return False

    def leader(self) -> str:
        with Session(self.database.read) as session:
            return session.exec(select(Lease.holder)).one()

    def runs(self) -> list[ScheduleRun]:
        with Session(self.database.read) as session:
            return list(session.exec(select(ScheduleRun).order_by(col(ScheduleRun.id))))

    def by(self, holder: str) -> int:
        return sum(run.holder == holder for run in self.runs())


def wait_for(is_so: Callable[[], bool]) -> None:
    give_up = time.monotonic() + WITHIN_S
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.02)


@pytest.fixture
def clocks(database: Database, tmp_path: Path) -> Iterator[Clocks]:
    found = Clocks(database, tmp_path)
    yield found
    for process in found.processes.values():
        process.kill()
        process.wait(10)


def assert_each_tick_once(runs: list[ScheduleRun]) -> None:
    ticks = [run.tick_at for run in runs]
    assert len(set(ticks)) == len(ticks)
    for run in runs:  # a missed one is not made up for beside those that follow
        assert run.tick_at is not None
        assert timedelta(0) <= run.started_at - run.tick_at < timedelta(seconds=EVERY_S)


def test_c2_of_two_clocks_one_ticks_and_the_other_takes_over(clocks: Clocks) -> None:
    clocks.start()
    clocks.start()
    wait_for(lambda: len(clocks.runs()) >= 3)
    first = clocks.leader()
    (second,) = clocks.processes.keys() - {first}
    assert clocks.by(second) == 0

    clocks.stop_between_transactions(first)
    so_far = clocks.by(first)
    wait_for(lambda: clocks.by(second) >= 1)
    clocks.tell(first, signal.SIGCONT)
    reached = clocks.by(second)
    wait_for(lambda: clocks.by(second) >= reached + 3)
    assert clocks.by(first) == so_far

    clocks.tell(second, signal.SIGKILL)
    wait_for(lambda: clocks.by(first) >= so_far + 2)
    assert_each_tick_once(clocks.runs())


def test_c2_a_killed_leader_is_followed_within_thirty_seconds() -> None:
    pace = Pace()
    assert pace.lease_s == LEADER_LEASE.total_seconds()
    assert pace.lease_s + pace.lead_every_s + pace.look_every_s < 30
