"""A whole Waypost of real processes, with a sandbox of its own, that can be killed and started again."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parent.parent.parent
WABA_ID = "100200300400500"
PHONES = 4
GRAPH_TIMEOUT_S = 2.0
HEALTHY_WITHIN_S = 40.0
LOOK_EVERY_S = 0.05


class Console:
    """``serve`` in a process group and a folder of its own. ``up`` is set while it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.up = threading.Event()
        self.port, self.sandbox_port = _free_port(), _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.sandbox_url = f"http://127.0.0.1:{self.sandbox_port}"
        self._serve: subprocess.Popen[bytes] | None = None
        self._worker = 0
        self._environment = {
            "PATH": os.environ["PATH"],
            "WAYPOST_PORT": str(self.port),
            "WAYPOST_GRAPH_URL": self.sandbox_url,
            "WAYPOST_GRAPH_TIMEOUT": str(GRAPH_TIMEOUT_S),
            "WAYPOST_RETRY_DELAYS": "1,1,2",
            "WAYPOST_META_APP_SECRET": "crash-secret",
            "WAYPOST_WEBHOOK_VERIFY_TOKEN": "crash-verify",
        }

    def start(self) -> None:
        """Started; it answers, and its worker is at work."""
        self._serve = self._popen("serve")
        deadline = time.monotonic() + HEALTHY_WITHIN_S
        while not _is_healthy(self.url):
            assert self._serve.poll() is None, "serve ended"
            assert time.monotonic() < deadline, "serve did not become healthy"
            time.sleep(LOOK_EVERY_S)
        self.up.set()
        self.wait_for_worker()

    def kill(self) -> None:
        """SIGKILL to the whole process group, at once."""
        assert self._serve is not None
        self.up.clear()
        children = self._children()
        os.killpg(self._serve.pid, signal.SIGKILL)
        self._serve.wait()
        for child in children:
            _wait_until_gone(child)

    def kill_worker(self) -> None:
        """SIGKILL to the worker alone. Its supervisor starts another."""
        os.kill(self._worker, signal.SIGKILL)
        _wait_until_gone(self._worker)
        self.wait_for_worker()

    def wait_for_worker(self) -> None:
        """The worker of this moment beats, so it works."""
        deadline = time.monotonic() + HEALTHY_WITHIN_S
        while True:
            assert time.monotonic() < deadline, "no worker came to work"
            for child in self._children():
                if _is_worker(child) and self.rows(f"SELECT 1 FROM heartbeat WHERE holder LIKE '%:{child}'"):
                    self._worker = child
                    return
            time.sleep(LOOK_EVERY_S)

    def wait_until_sending(self) -> None:
        """The worker of this moment has something on the wire, so that a kill hits something."""
        deadline = time.monotonic() + HEALTHY_WITHIN_S
        held = f"SELECT 1 FROM message WHERE state = 'sending' AND lease_holder LIKE '%:{self._worker}'"
        while not self.rows(held):
            assert time.monotonic() < deadline, "the worker took nothing up"
            time.sleep(LOOK_EVERY_S / 2)

    def _children(self) -> list[int]:
        assert self._serve is not None
        listed = Path(f"/proc/{self._serve.pid}/task/{self._serve.pid}/children").read_text()
        return [int(child) for child in listed.split()]

    def stop(self) -> None:
        if self._serve is not None and self._serve.poll() is None:
            self._serve.send_signal(signal.SIGINT)
            self._serve.wait(30)

    def command(self, *words: str, stdin: str = "") -> str:
        """What a command prints."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "main.py"), *words],
            cwd=self.folder,
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def rows(self, sql: str) -> list[Any]:
        """Read beside whatever runs."""
        path = self.folder / "var" / "waypost.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as database:
            return database.execute(sql).fetchall()

    def sandbox(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = httpx.request(method, f"{self.sandbox_url}/sandbox{path}", json=body, trust_env=False)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    @contextmanager
    def sandbox_running(self) -> Iterator[None]:
        """A real sandbox process, whose webhooks come here."""
        process = self._popen(
            "sandbox",
            *("--port", str(self.sandbox_port), "--phones", str(PHONES), "--answer-delay", "0.08"),
            *("--webhook-url", f"{self.url}/webhooks/whatsapp"),
        )
        try:
            deadline = time.monotonic() + HEALTHY_WITHIN_S
            while not _answers(f"{self.sandbox_url}/sandbox/state"):
                assert time.monotonic() < deadline, "the sandbox did not start"
                time.sleep(LOOK_EVERY_S)
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _popen(self, *words: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, str(ROOT / "main.py"), *words],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _is_worker(pid: int) -> bool:
    try:
        return b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except FileNotFoundError:
        return False


def _wait_until_gone(pid: int) -> None:
    """Its last write is over too: a killed process is dead only once the kernel says so."""
    status = Path(f"/proc/{pid}/stat")
    while True:
        try:
            if status.read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except (FileNotFoundError, ProcessLookupError):
            return
        time.sleep(0.01)


def _is_healthy(url: str) -> bool:
    return _answers(f"{url}/api/v1/admin/health")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
