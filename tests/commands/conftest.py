"""The program as an operator meets it: a process of its own, in an empty directory."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.ports import free_port

MAIN = Path(__file__).parents[2] / "main.py"
PASSWORD = "canary-password-correct-horse"
APP_SECRET = "canary-app-secret"
TOKEN = "canary-access-token"
WABA_ID = "100200300400500"
PHONE_ID = "106540352242922"
# On a machine with nothing else to do it takes three, and the promise is ten; tests share theirs.
HEALTHY_WITHIN_S = 120.0
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


@dataclass
class Place:
    """A directory to work in, with what was printed there. ``settings`` are of the environment."""

    folder: Path
    settings: dict[str, str]
    said: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=lambda: [PASSWORD, APP_SECRET, TOKEN])
    started: list["subprocess.Popen[str]"] = field(default_factory=list)

    def run(self, *words: str, given: str | bytes = "", **settings: str) -> subprocess.CompletedProcess[str]:
        """One command to its end; ``given`` is its standard input."""
        done = subprocess.run(
            [sys.executable, str(MAIN), *words],
            cwd=self.folder,
            env=self.environment(**settings),
            input=given if isinstance(given, bytes) else given.encode(),
            capture_output=True,
            timeout=120,
            check=False,
        )
        answer = subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )
        self.said += [answer.stdout, answer.stderr]
        assert "Traceback" not in answer.stderr, answer.stderr
        return answer

    def start(
        self, *words: str, prepare: Callable[[], None] | None = None, **settings: str
    ) -> "subprocess.Popen[str]":
        """A process that goes on, leader of a process group of its own; it writes to ``log``."""
        with self.log.open("a") as log:
            child = subprocess.Popen(
                [sys.executable, str(MAIN), *words],
                cwd=self.folder,
                env=self.environment(**settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
                preexec_fn=prepare,
            )
        self.started.append(child)
        return child

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings['WAYPOST_PORT']}"

    def environment(self, **settings: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return kept | self.settings | settings

    def pids(self) -> dict[int, list[str]]:
        """Every live process that works in this directory, with its arguments."""
        found = {}
        for process in Path("/proc").iterdir():
            if not process.name.isdigit():
                continue
            try:
                here = (process / "cwd").readlink() == self.folder
                words = (process / "cmdline").read_bytes().decode().split("\0")
                state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if here and state != "Z":
                found[int(process.name)] = words
        return found

    def wait_until_healthy(self, *, within_s: float = HEALTHY_WITHIN_S) -> httpx.Response:
        try:
            return wait_for(lambda: self.health(), within_s=within_s)
        except AssertionError:
            ended = [child.args for child in self.started if child.poll() is not None]
            told = self.log.read_text()[-4000:] if self.log.exists() else ""
            raise AssertionError(f"not healthy within {within_s} s; ended: {ended}\n{told}") from None

    def health(self) -> httpx.Response | None:
        try:
            answer = httpx.get(f"{self.url}/api/v1/admin/health", timeout=20, trust_env=False)
        except httpx.TransportError:
            return None
        return answer if answer.status_code == 200 else None

    def owner(self, name: str = "Northwind") -> str:
        """A workspace with its owner; returns an owner's key for it."""
        made = self.run(
            "create-owner", "--workspace", name, "--email", f"{name.lower()}@x.example", given=PASSWORD
        )
        assert made.returncode == 0, made.stderr
        return self.key("--workspace", made.stdout.strip(), "--role", "owner")

    def move_in(self, var: Path, key: str) -> None:
        """What another place has made is here too; the key is an owner's."""
        shutil.copytree(var, self.folder / "var")
        self.secrets.append(key)

    def key(self, *words: str) -> str:
        made = self.run("api-key", "create", *words, "--name", "test")
        assert made.returncode == 0, made.stderr
        self.said.remove(made.stdout)
        key = made.stdout.strip()
        self.secrets.append(key)
        return key

    def assert_no_secret_was_told(self) -> None:
        told = "\n".join([*self.said, self.log.read_text() if self.log.exists() else ""])
        for secret in self.secrets:
            assert secret not in told

    def close(self) -> None:
        for child in self.started:
            if child.poll() is None:
                child.kill()
            child.wait(10)
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)


def wait_for(ask: Callable[[], Any], *, within_s: float) -> Any:
    give_up = time.monotonic() + within_s
    while True:
        found = ask()
        if found is not None and found is not False:
            return found
        assert time.monotonic() < give_up, f"not within {within_s} s"
        time.sleep(0.05)


@pytest.fixture
def place(tmp_path: Path, sandbox_url: str) -> Iterator[Place]:
    """An empty directory, settings that name the sandbox, and no process left behind."""
    found = Place(
        tmp_path,
        {
            "WAYPOST_PORT": str(free_port()),
            "WAYPOST_SANDBOX_PORT": str(free_port()),
            "WAYPOST_GRAPH_URL": sandbox_url,
            "WAYPOST_META_APP_SECRET": APP_SECRET,
        },
    )
    yield found
    found.close()
    found.assert_no_secret_was_told()


@pytest.fixture(scope="session")
def owned(tmp_path_factory: pytest.TempPathFactory, sandbox_url: str) -> tuple[Path, str]:
    """The ``var`` of a directory with a workspace and its owner, as commands made it, to be copied; and the
    owner's key."""
    place = Place(tmp_path_factory.mktemp("owned"), {"WAYPOST_GRAPH_URL": sandbox_url})
    key = place.owner()
    place.assert_no_secret_was_told()
    return place.folder / "var", key


@pytest.fixture
def northwind(place: Place, owned: tuple[Path, str]) -> Place:
    """A directory with the workspace Northwind, whose owner is northwind@x.example."""
    place.move_in(*owned)
    return place


@pytest.fixture(scope="session")
def furnished(
    tmp_path_factory: pytest.TempPathFactory, sandbox_url: str, owned: tuple[Path, str]
) -> tuple[Path, str]:
    """The ``var`` of a workspace that is connected to the sandbox, to be copied; and its key."""
    place = Place(tmp_path_factory.mktemp("furnished"), {"WAYPOST_GRAPH_URL": sandbox_url})
    place.move_in(*owned)
    made = place.run("connect", "--workspace", "northwind", "--waba", WABA_ID, given=TOKEN)
    assert made.returncode == 0, made.stderr
    place.assert_no_secret_was_told()
    return place.folder / "var", owned[1]


@pytest.fixture
def key(place: Place, furnished: tuple[Path, str]) -> dict[str, str]:
    """The place has a workspace that can send; this is the header to do it with."""
    place.move_in(*furnished)
    return {"Authorization": f"Bearer {furnished[1]}"}


@pytest.fixture(autouse=True)
def fresh_sandbox(sandbox_url: str) -> None:
    httpx.post(f"{sandbox_url}/sandbox/reset", trust_env=False).raise_for_status()
