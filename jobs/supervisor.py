"""``serve``: starts the processes, keeps them running, stops them together."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import structlog

from core.settings import Settings

log = structlog.get_logger()

MAIN = Path(__file__).parent.parent / "main.py"
STOP_GRACE_S = 20.0
RESTART_AFTER_S = 1.0
WATCH_EVERY_S = 0.2
PARENT_EVERY_S = 0.5
# Waits of the demo's ladder, so that a newcomer sees retries and dead letters within a minute.
DEMO_RETRY_DELAYS = "4,8,12,16"

Prepare = Callable[[Settings], tuple[str, str]]


def demo_environment() -> None:
    """The demo's settings, for this process and its children. Nothing may leave the machine, so the address
    of Meta's API is always the sandbox's; the rest gives way to what is set."""
    port = os.environ.setdefault("WAYPOST_SANDBOX_PORT", "8090")
    os.environ["WAYPOST_GRAPH_URL"] = f"http://127.0.0.1:{port}"
    os.environ["WAYPOST_DEMO"] = "true"
    os.environ.setdefault("WAYPOST_META_APP_ID", "300200100900800")
    os.environ.setdefault("WAYPOST_META_APP_SECRET", "sandbox-app-secret")
    os.environ.setdefault("WAYPOST_WEBHOOK_VERIFY_TOKEN", "sandbox-verify-token")
    os.environ.setdefault("WAYPOST_RETRY_DELAYS", DEMO_RETRY_DELAYS)


def stop_with_parent(parent: int) -> None:
    """Ends this process when its supervisor, of that process id, is gone: a killed one leaves no orphans."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_EVERY_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


class Supervisor:
    """Children are this same program with another command. They stay in this process group."""

    def __init__(self, settings: Settings, *, demo: bool) -> None:
        self._settings = settings
        self._demo = demo
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._stopping = False
        self._status = 0

    def refuse_taken_ports(self) -> None:
        """Says which port is taken, and ends with status 1, before anything is started."""
        ports = {"WAYPOST_PORT": (self._settings.waypost_host, self._settings.waypost_port)}
        if self._demo:
            ports["WAYPOST_SANDBOX_PORT"] = ("127.0.0.1", self._settings.waypost_sandbox_port)
        for setting, (host, port) in ports.items():
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((host, port))
                except OSError as error:
                    print(
                        f"{setting}: cannot listen on {host}:{port}: {error.strerror}. Stop what uses it, or "
                        f"set {setting} to another port.",
                        file=sys.stderr,
                    )
                    sys.exit(1)

    def run(self, *, prepare: Prepare | None, begin: str | None = None) -> int:
        """Until SIGINT or SIGTERM, or until ``prepare`` gives up. The exit status is 0 after a clean stop.
        ``begin`` is where the first owner is made; it is printed, and written nowhere else."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        commands = self._commands()
        for name, command in commands.items():
            self._children[name] = self._start(command)
        threading.Thread(target=self._announce, args=[prepare, begin], name="announce", daemon=True).start()
        while not self._stopping:
            time.sleep(WATCH_EVERY_S)
            for name, child in list(self._children.items()):
                if child.poll() is not None and not self._stopping:
                    log.error("a process ended and is started again", process=name, status=child.returncode)
                    time.sleep(RESTART_AFTER_S)
                    self._children[name] = self._start(commands[name])
        return self._stop()

    def _commands(self) -> dict[str, list[str]]:
        settings = self._settings
        commands = {"web": ["web"]}
        if settings.start_message_retry_worker or settings.start_webhook_worker:
            commands["worker"] = ["worker", "--with-clock"]
        else:
            commands["clock"] = ["clock"]
        if self._demo:
            webhook = f"http://127.0.0.1:{settings.waypost_port}/webhooks/whatsapp"
            port = str(settings.waypost_sandbox_port)
            commands = {"sandbox": ["sandbox", "--demo", "--port", port, "--webhook-url", webhook]} | commands
        return commands

    def _start(self, command: list[str]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, str(MAIN), *command, "--supervised-by", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            # glibc gives each thread a pool of its own, which keeps 20 MB of the web process for nothing.
            env={"MALLOC_ARENA_MAX": "2"} | os.environ,
        )

    def _announce(self, prepare: Prepare | None, begin: str | None) -> None:
        try:
            sign_in = prepare(self._settings) if prepare else None
        except SystemExit:  # it has said why
            if not self._stopping:
                self._status = 1
                self._stopping = True
            return
        self._wait_until_healthy()
        if not self._stopping:
            print(_frame(self._settings.public_url, sign_in, begin), flush=True)

    def _wait_until_healthy(self) -> None:
        url = f"http://{self._settings.waypost_host}:{self._settings.waypost_port}/api/v1/admin/health"
        while not self._stopping:
            try:
                with urllib.request.urlopen(url, timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)

    def _on_signal(self, *_: object) -> None:
        self._stopping = True

    def _stop(self) -> int:
        """The sandbox goes last, so that sends in flight still get their answer."""
        first = [child for name, child in self._children.items() if name != "sandbox"]
        last = [child for name, child in self._children.items() if name == "sandbox"]
        deadline = time.monotonic() + STOP_GRACE_S
        for group in (first, last):
            for child in group:
                if child.poll() is None:
                    child.terminate()
            for child in group:
                try:
                    child.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    log.error("a process did not stop in time and is killed", pid=child.pid)
                    child.kill()
                    child.wait()
        return self._status


def _frame(url: str, sign_in: tuple[str, str] | None, begin: str | None) -> str:
    lines = [f"Waypost is ready:  {url}"]
    if sign_in is not None:
        email, password = sign_in
        lines += [
            "",
            f"Sign in as   {email}",
            f"Password     {password}",
            "",
            "Demo: Meta is a sandbox on this machine, nothing leaves it.",
            "Failed sends are tried again after seconds instead of minutes.",
        ]
    if begin is not None:
        lines += ["", "Nobody is here yet. Become its owner, within an hour:", begin]
    lines += ["", "Stop with Ctrl-C."]
    width = max(map(len, lines)) + 4
    body = "\n".join(f"│  {line.ljust(width - 4)}  │" for line in lines)
    return f"\n┌{'─' * width}┐\n{body}\n└{'─' * width}┘\n"
