import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from core.sandbox.config import SandboxConfig
from core.sandbox.server import running
from tests.ports import free_port

PROGRAM = """
import sys
from core.sandbox.config import SandboxConfig
from core.sandbox.server import serve
serve(SandboxConfig(statuses=False, answer_delay_s=(0, 0)), "127.0.0.1", int(sys.argv[1]))
"""


@pytest.fixture
def program() -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(port)])
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def await_answer(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            httpx.get(f"{url}/sandbox/state", trust_env=False).raise_for_status()
        except httpx.TransportError:
            assert time.monotonic() < deadline, "the sandbox did not start"
        else:
            return


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_sandbox_soon_even_while_it_holds_an_answer_back(
    program: tuple["subprocess.Popen[bytes]", str], number: signal.Signals
) -> None:
    process, url = program
    await_answer(url)
    httpx.post(f"{url}/sandbox/faults", json={"kind": "timeout"}, trust_env=False).raise_for_status()
    host, port = url.removeprefix("http://").split(":")
    body = b'{"messaging_product":"whatsapp","to":"+49151123","text":{"body":"x"}}'
    with (
        socket.create_connection((host, int(port))) as held,
        socket.create_connection((host, int(port)), timeout=30) as idle,
    ):
        held.sendall(
            b"POST /v23.0/106540352242922/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        while httpx.get(f"{url}/sandbox/state", trust_env=False).json()["accepted"] == 0:
            assert process.poll() is None
        idle.sendall(b"GET /sandbox/state HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(12) == b"HTTP/1.1 200"
        process.send_signal(number)
        process.wait(timeout=30)  # it would hold the answer for sixty
        with pytest.raises(ConnectionResetError):
            held.recv(1)


def test_running_yields_an_address_that_is_gone_afterwards() -> None:
    with running(SandboxConfig()) as url:
        assert httpx.get(f"{url}/sandbox/state", trust_env=False).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/sandbox/state", trust_env=False)
