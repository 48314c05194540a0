"""Q13 with real processes: what a server that stands in for Meta sees by its own clock."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet
from sqlmodel import col, func, select

from core.lanes.holding import hold, release
from core.messaging import intake
from core.ports.clock import SystemClock
from core.ports.vault import Vault
from core.runtime import Runtime
from core.team.owners import COMMAND
from data.engine import Database
from data.enums import HoldCause, HoldScope, PlanName
from data.operations import Heartbeat
from data.people import Workspace
from tests.conftest import PHONE_ID, Place, make_place
from tests.core.desk import number, order
from tests.ports import free_port

pytestmark = pytest.mark.crash

ROOT = Path(__file__).parent.parent.parent
LIMITS = {PlanName.STARTER: 10, PlanName.PRO: 30, PlanName.ENTERPRISE: 80}
HEALTHY_WITHIN_S = 40.0
WINDOW_S = 1.0
USE = 0.93
# Below that something else had the processor when we wanted it, and nobody could keep a pace.
TIME_TO_SPARE = 0.25
USE_OF_A_BUSY_MACHINE = 0.1
IDLE = slice(3, 5)  # of the columns of /proc/stat: idle, and waiting for a disk
# By then the processes have their connections, and a backlog a full window behind it.
SETTLED_S = 1.5

Seen = dict[str, list[tuple[float, str]]]


@dataclass(frozen=True)
class Town:
    """One workspace a plan, each with a phone of its own, on one database."""

    runtime: Runtime
    places: dict[PlanName, Place]
    phones: dict[PlanName, str]
    environment: dict[str, str]
    receiver: str

    def queue(self, seconds: float) -> None:
        """More of each than can go in that time; it is held until ``go``."""
        with self.runtime.unit(COMMAND, write=True) as unit:
            hold(
                unit, scope=HoldScope.EVERYTHING, subject="*", cause=HoldCause.PERSON, reason="Getting ready"
            )
        for plan, place in self.places.items():
            with self.runtime.unit(place.owner, write=True) as unit:
                count = int(LIMITS[plan] * (seconds + SETTLED_S + 2))
                phone = self.phones[plan]
                sends = [order(number(index), phone_number_id=phone, queued=True) for index in range(count)]
                intake.store_all([(unit, request) for request in sends])

    def go(self) -> None:
        with self.runtime.unit(COMMAND, write=True) as unit:
            release(unit, scope=HoldScope.EVERYTHING, subject="*")
            unit.ring()

    def beats(self) -> int:
        """How many workers say that they are there."""
        with self.runtime.unit(COMMAND) as unit:
            workers = select(func.count()).select_from(Heartbeat).where(col(Heartbeat.kind) == "worker")
            return unit.session.exec(workers).one()

    def seen(self) -> Seen:
        found: Seen = httpx.get(f"{self.receiver}/log", trust_env=False).json()
        return found

    @contextmanager
    def running(self, *words: str, port: int = 0) -> Iterator[None]:
        """A process of ours; ended at the end."""
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "main.py"), *words],
            env=self.environment | {"WAYPOST_PORT": str(port)},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture
def receiver() -> Iterator[str]:
    command = [sys.executable, str(Path(__file__).parent / "receiver.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.fixture
def town(database: Database, runtime: Runtime, receiver: str, password_hash: str, tmp_path: Path) -> Town:
    key = Fernet.generate_key().decode()
    here = replace(runtime, vault=Vault((key,)), clock=SystemClock())
    places, phones = {}, {}
    for index, plan in enumerate(LIMITS):
        first = index * 50
        places[plan] = make_place(
            here, password_hash, name=plan.title(), waba_id=f"10020030040{index}", first=first
        )
        phones[plan] = str(int(PHONE_ID) + first)
        with here.unit(places[plan].owner, write=True) as unit:
            workspace = unit.session.get_one(Workspace, places[plan].workspace.id)
            workspace.plan = plan
            unit.session.add(workspace)
    environment = {
        "PATH": os.environ["PATH"],
        "WAYPOST_DATABASE_URL": database.url.render_as_string(hide_password=False),
        "WAYPOST_QUEUE_URL": f"sqlite:///{tmp_path / 'huey.db'}",
        "WAYPOST_SECRET_KEYS": key,
        "WAYPOST_GRAPH_URL": receiver,
    }
    return Town(here, places, phones, environment, receiver)


class Machine:
    """How much of the machine nobody wanted, since this was made."""

    def __init__(self) -> None:
        self._began = self._ticks()

    def idle_share(self) -> float:
        spent = [now - then for now, then in zip(self._ticks(), self._began, strict=True)]
        return sum(spent[IDLE]) / sum(spent)

    @staticmethod
    def _ticks() -> list[int]:
        return [int(word) for word in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]


def busiest(moments: list[float]) -> int:
    """The most that any window of one second holds: looked at from each request on."""
    return max(sum(1 for later in moments[i:] if later - one < WINDOW_S) for i, one in enumerate(moments))


WORKERS = (("worker", "--with-clock"), ("worker",))


def watch_a_backlog(town: Town, *commands: tuple[str, ...], seconds: float) -> None:
    """Those processes of ours, two workers among them, over a backlog of each plan."""
    town.queue(seconds)
    with ExitStack() as processes:
        for words in commands:
            processes.enter_context(town.running(*words, port=free_port()))
        wait_for(lambda: town.beats() == 2, "two workers")
        town.go()
        wait_for(lambda: set(town.phones.values()) <= town.seen().keys(), "the first sends")
        time.sleep(SETTLED_S)
        since, machine = time.time(), Machine()
        time.sleep(seconds)
        least_use = USE if machine.idle_share() >= TIME_TO_SPARE else USE_OF_A_BUSY_MACHINE
    seen = town.seen()
    for plan, limit in LIMITS.items():
        moments = [at for at, _ in seen[town.phones[plan]]]
        assert busiest(moments) <= limit, plan
        used = sum(1 for at in moments if since <= at < since + seconds)
        assert used >= seconds * limit * least_use - 1, plan  # one may lie just beyond either end
    sent = Counter(message_id for requests in seen.values() for _, message_id in requests)
    assert max(sent.values()) == 1


def wait_for(happens: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + HEALTHY_WITHIN_S
    while not happens():
        assert time.monotonic() < give_up, f"no sign of {what}"
        time.sleep(0.05)


def test_q13_no_second_at_meta_exceeds_the_limit_and_a_backlog_uses_it(town: Town) -> None:
    watch_a_backlog(town, *WORKERS, seconds=4)


@pytest.mark.long
def test_q13_no_second_of_a_minute_exceeds_the_limit(town: Town) -> None:
    watch_a_backlog(town, *WORKERS, ("web",), seconds=60)
