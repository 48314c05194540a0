"""A real web process over a database of its own, and people who are signed in to it."""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import httpx
from cryptography.fernet import Fernet

from core.monitoring.commands import beat
from core.ports.bell import SilentBell
from core.ports.clock import SystemClock
from core.ports.graph import Graph
from core.ports.mail import Outbox
from core.ports.vault import Vault
from core.runtime import Runtime
from core.settings import Settings
from core.team.owners import COMMAND
from core.team.sign_in import sign_in
from core.unit import ANONYMOUS
from data.engine import open_database
from data.enums import MemberStatus, Role
from data.people import Member, User
from tests.conftest import APP_SECRET, PASSWORD, Place, make_place
from tests.ports import free_port

ROOT = Path(__file__).parent.parent
COOKIE = "waypost_session"
STARTS_WITHIN_S = 120.0
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Console:
    """``runtime`` works on the same database as the web process at ``url``, to make and check things."""

    url: str
    runtime: Runtime
    sandbox_url: str
    password_hash: str

    def new_place(self) -> Place:
        """A workspace of its own for one test, so that tests do not meet."""
        number = next(_numbers)
        self.beat()
        return make_place(
            self.runtime,
            self.password_hash,
            name=f"Northwind{number}",
            waba_id=str(100200300401000 + number),  # beyond those that the sandbox has
            first=number * 100,
        )

    def beat(self) -> None:
        """Worker and clock count as running for the next 25 seconds."""
        with self.runtime.unit(COMMAND, write=True) as unit:
            for kind in ("worker", "inbox", "clock"):
                beat(unit, kind=kind, holder="test")

    def add_person(self, place: Place, role: Role) -> str:
        """A new member's e-mail address; the password is ``PASSWORD``."""
        email = f"{role.value}{next(_numbers)}@northwind.example"
        with self.runtime.unit(COMMAND, write=True) as unit:
            user = User(
                id=unit.new_id("usr"),
                email=email,
                name=f"{role.value.capitalize()} Person",
                password_hash=self.password_hash,
                created_at=unit.now,
            )
            unit.session.add(user)
            unit.session.flush()
            unit.session.add(
                Member(
                    id=unit.new_id("mem"),
                    workspace_id=place.workspace.id,
                    user_id=user.id,
                    role=role,
                    status=MemberStatus.ACTIVE,
                    joined_at=unit.now,
                )
            )
        return email

    def token_for(self, email: str) -> str:
        """A fresh session's cookie."""
        return sign_in(self.runtime, ANONYMOUS, email=email, password=PASSWORD, agent="test").token

    def owner_email(self, place: Place) -> str:
        return f"owner@{place.workspace.name.lower()}.example"


@contextmanager
def running_console(
    folder: Path,
    empty: Path,
    sandbox_url: str,
    password_hash: str,
    *,
    demo: bool = False,
    command: str = "web",
    retry_delays: str = "",
    more_settings: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Console]:
    """``empty`` is a migrated database file; it is copied into ``folder``. ``demo``: with its pages.
    ``command`` ``serve``: with worker and clock. ``more_settings`` are of the process alone."""
    database_path = folder / "waypost.db"
    database_path.write_bytes(empty.read_bytes())
    key = Fernet.generate_key().decode()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    chosen = {
        "WAYPOST_PORT": str(port),
        "WAYPOST_DATABASE_URL": f"sqlite:///{database_path}",
        "WAYPOST_QUEUE_URL": f"sqlite:///{folder / 'huey.db'}",
        "WAYPOST_SECRET_KEYS": key,
        "WAYPOST_GRAPH_URL": sandbox_url,
        "WAYPOST_META_APP_SECRET": APP_SECRET,
        "WAYPOST_WEBHOOK_VERIFY_TOKEN": "test-verify-token",
        "WAYPOST_DEMO": str(demo).lower(),
    }
    if retry_delays:
        chosen["WAYPOST_RETRY_DELAYS"] = retry_delays
    chosen |= more_settings
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WAYPOST_")}
    log = (folder / "web.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), command],
        cwd=folder,
        env=inherited | chosen,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    settings = Settings(
        _env_file=None,
        waypost_port=port,
        waypost_database_url=f"sqlite:///{database_path}",
        waypost_graph_url=sandbox_url,
        waypost_meta_app_secret=APP_SECRET,
    )
    runtime = Runtime(
        settings=settings,
        database=open_database(settings.waypost_database_url),
        clock=SystemClock(),
        vault=Vault((key,)),
        graph=Graph(base_url=sandbox_url, version=settings.waypost_graph_version, timeout_s=2.0),
        bell=SilentBell(),
        holder="test",
        mail=Outbox(folder / "var" / "outbox", sender=settings.mail_from),
    )
    try:
        _wait_until_answers(url, process, folder / "web.log")
        yield Console(url=url, runtime=runtime, sandbox_url=sandbox_url, password_hash=password_hash)
    finally:
        process.terminate()
        process.wait(20)
        log.close()
        runtime.database.dispose()


def wait_for(is_so: Callable[[], bool], *, within_s: float) -> None:
    """For what another process does after it has answered."""
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _wait_until_answers(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the web process ended:\n{log.read_text()}")
        try:
            httpx.get(f"{url}/login", timeout=20.0)
            return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise TimeoutError(log.read_text())
