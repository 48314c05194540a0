"""A whole Waypost of real processes, with a sandbox of its own, that can be killed and started again."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from tests.ports import free_port

ROOT = Path(__file__).parent.parent.parent
WABA_ID = "100200300400500"
PHONES = 4
GRAPH_TIMEOUT_S = 2.0
HEALTHY_WITHIN_S = 40.0
LOOK_EVERY_S = 0.05


class Console:
    """``serve`` in a process group and a folder of its own. ``up`` is set while it answers. What ``settings``
    says is set for it; ``sandbox_running`` is Meta, which is elsewhere and keeps settings of its own."""

    def __init__(self, folder: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.up = threading.Event()
        self.port, self.sandbox_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.sandbox_url = f"http://127.0.0.1:{self.sandbox_port}"
        self._serve: subprocess.Popen[bytes] | None = None
        self.worker = 0
        self._of_meta = {
            "PATH": os.environ["PATH"],
            "WAYPOST_PORT": str(self.port),
            "WAYPOST_GRAPH_URL": self.sandbox_url,
            "WAYPOST_GRAPH_TIMEOUT": str(GRAPH_TIMEOUT_S),
            "WAYPOST_RETRY_DELAYS": "1,1,2",
            "WAYPOST_META_APP_SECRET": "crash-secret",
            "WAYPOST_WEBHOOK_VERIFY_TOKEN": "crash-verify",
        }
        self._environment = {**self._of_meta, **(settings or {})}
        address = self._environment.get("WAYPOST_DATABASE_URL", f"sqlite:///{folder / 'var' / 'waypost.db'}")
        self._database = create_engine(address, poolclass=NullPool)

    def start(self) -> None:
        """Started; it answers, and its worker is at work."""
        self._serve = self._popen("serve")
        deadline = time.monotonic() + HEALTHY_WITHIN_S
        while not is_healthy(self.url):
            assert self._serve.poll() is None, "serve ended"
            assert time.monotonic() < deadline, "serve did not become healthy"
            time.sleep(LOOK_EVERY_S)
        self.up.set()
        self.wait_for_worker()

    def kill(self) -> None:
        """SIGKILL to the whole process group, at once."""
        assert self._serve is not None
        self.up.clear()
        children = self.children()
        os.killpg(self._serve.pid, signal.SIGKILL)
        self._serve.wait()
        for child in children:
            wait_until_gone(child)

    def kill_worker(self) -> None:
        """SIGKILL to the worker alone. Its supervisor starts another."""
        os.kill(self.worker, signal.SIGKILL)
        wait_until_gone(self.worker)
        self.wait_for_worker()

    def kill_one(self, name: str) -> None:
        """SIGKILL to that child alone: web, worker or clock."""
        [child] = [child for child in self.children() if is_command(child, name)]
        os.kill(child, signal.SIGKILL)
        wait_until_gone(child)

    def wait_for_worker(self) -> None:
        """The worker of this moment beats, so it works."""
        deadline = time.monotonic() + HEALTHY_WITHIN_S
        while True:
            assert time.monotonic() < deadline, "no worker came to work"
            for child in self.children():
                beats = "SELECT 1 FROM heartbeat WHERE holder LIKE :holder"
                if is_command(child, "worker") and self.rows(beats, holder=f"%:{child}"):
                    self.worker = child
                    return
            time.sleep(LOOK_EVERY_S)

    def wait_until_sending(self) -> None:
        """The worker of this moment has something on the wire, so that a kill hits something."""
        deadline = time.monotonic() + HEALTHY_WITHIN_S
        held = "SELECT 1 FROM message WHERE state = 'sending' AND lease_holder LIKE :holder"
        while not self.rows(held, holder=f"%:{self.worker}"):
            assert time.monotonic() < deadline, "the worker took nothing up"
            time.sleep(LOOK_EVERY_S / 2)

    def children(self) -> list[int]:
        assert self._serve is not None
        listed = Path(f"/proc/{self._serve.pid}/task/{self._serve.pid}/children").read_text()
        return [int(child) for child in listed.split()]

    def stop(self) -> None:
        if self._serve is not None and self._serve.poll() is None:
            self._serve.send_signal(signal.SIGINT)
            self._serve.wait(30)

    def delete_queue_file(self) -> None:
        """Huey's file of a SQLite console is gone, under whoever has it open."""
        for path in (self.folder / "var").glob("huey.db*"):
            path.unlink()

    def command(self, *words: str, stdin: str = "") -> str:
        """What a command prints."""
        done = self._done(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def refused(self, *words: str) -> str:
        """What a command says that cannot do its work."""
        done = self._done(*words)
        assert done.returncode != 0, done.stdout
        return done.stderr.strip()

    def _done(self, *words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, str(ROOT / "main.py"), *words],
            cwd=self.folder,
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def rows(self, sql: str, **values: str) -> list[Any]:
        """Read beside whatever runs; none while the database is away."""
        try:
            with self._database.connect() as connection:
                return [tuple(row) for row in connection.execute(text(sql), values)]
        except DBAPIError:
            return []

    def sandbox(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = httpx.request(method, f"{self.sandbox_url}/sandbox{path}", json=body, trust_env=False)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    @contextmanager
    def another(self, *words: str) -> Iterator[None]:
        """One process more, beside those that are supervised."""
        process = self._popen(*words)
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)

    @contextmanager
    def sandbox_running(self) -> Iterator[None]:
        """A real sandbox process, whose webhooks come here."""
        process = self._popen(
            "sandbox",
            *("--port", str(self.sandbox_port), "--phones", str(PHONES), "--answer-delay", "0.08"),
            *("--webhook-url", f"{self.url}/webhooks/whatsapp"),
            environment=self._of_meta,
        )
        try:
            deadline = time.monotonic() + HEALTHY_WITHIN_S
            while not answers(f"{self.sandbox_url}/sandbox/state"):
                assert time.monotonic() < deadline, "the sandbox did not start"
                time.sleep(LOOK_EVERY_S)
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _popen(self, *words: str, environment: Mapping[str, str] | None = None) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, str(ROOT / "main.py"), *words],
            cwd=self.folder,
            env=environment or self._environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )


def is_command(pid: int, command: str) -> bool:
    """Whether that process is main.py with that command."""
    try:
        return command.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int) -> None:
    """Its last write is over too: a killed process is dead only once the kernel says so."""
    status = Path(f"/proc/{pid}/stat")
    while True:
        try:
            if status.read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except (FileNotFoundError, ProcessLookupError):
            return
        time.sleep(0.01)


def is_healthy(url: str) -> bool:
    return answers(f"{url}/api/v1/admin/health")


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
