"""The whole cluster of docs/deploy/cluster.sh: sign-ins hold at every web process, a browser stays with one,
and whichever process is killed, the others go on."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.crash.console import LOOK_EVERY_S, ROOT, Console, answers, is_command, wait_until_gone
from tests.crash.proof import drain, prove, prove_books
from tests.crash.senders import EMAIL, PASSWORD, begin
from tests.crash.servers import beside_postgres_and_redis

pytestmark = [pytest.mark.crash, pytest.mark.long]

SENDS = 120
UP_WITHIN_S = 90.0
EXPECTED = {("web",): 2, ("worker",): 4, ("clock", "standby"): 2}
LOOKS = 6
DRAWN = r'^waypost_http_requests_total\{route="/account",status="200"\} (\S+)$'


class Cluster(Console):
    """As a console, but of many processes, which nobody starts again."""

    def start(self) -> None:
        self._serve = subprocess.Popen(
            [str(ROOT / "docs" / "deploy" / "cluster.sh")],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + UP_WITHIN_S
        webs = [f"http://127.0.0.1:{self.port + number}" for number in (1, 2)]
        while not all(answers(f"{url}/login") for url in (self.url, *webs)):
            assert self._serve.poll() is None, "the cluster ended"
            assert time.monotonic() < deadline, "the cluster did not come up"
            time.sleep(LOOK_EVERY_S)
        while any(len(self.beating(*parts)) < count for parts, count in EXPECTED.items()):
            assert time.monotonic() < deadline, "workers and clocks did not come up"
            time.sleep(LOOK_EVERY_S)
        self.up.set()

    def stop(self) -> None:
        if self._serve is not None and self._serve.poll() is None:
            self._serve.send_signal(signal.SIGTERM)
            assert self._serve.wait(60) == 0
            self._serve = None

    def beating(self, *parts: str) -> list[int]:
        """Process ids of those that beat as one of these."""
        beats = [self.rows("SELECT holder FROM heartbeat WHERE kind = :part", part=part) for part in parts]
        return sorted({int(holder.rpartition(":")[2]) for found in beats for (holder,) in found})

    def kill_process(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        wait_until_gone(pid)

    def web_of(self, browser: httpx.Client) -> int:
        """Port of the web process that draws the pages of that browser."""
        before = {port: self._accounts_drawn(port) for port in self._webs()}
        for _ in range(LOOKS):
            assert browser.get("/account").status_code == 200
        drawn = {port: self._accounts_drawn(port) - before[port] for port in before}
        assert sorted(drawn.values())[-1] == LOOKS, drawn
        assert sum(drawn.values()) == LOOKS, drawn
        return max(drawn, key=lambda port: drawn[port])

    def pid_of(self, port: int) -> int:
        """The web process on that port."""
        setting = f"WAYPOST_PORT={port}".encode()
        webs = [child for child in self.children() if is_command(child, "web")]
        [pid] = [pid for pid in webs if setting in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")]
        return pid

    def _webs(self) -> list[int]:
        return [port for port in (self.port + 1, self.port + 2) if answers(f"http://127.0.0.1:{port}/login")]

    def _accounts_drawn(self, port: int) -> int:
        said = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5, trust_env=False).text
        counted = re.search(DRAWN, said, re.MULTILINE)
        return int(float(counted[1])) if counted else 0


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed here; make faults installs it")
    with beside_postgres_and_redis() as settings:
        cluster = Cluster(tmp_path, settings=settings)
        cluster.command("migrate")
        with cluster.sandbox_running():
            try:
                yield cluster
            finally:
                cluster.stop()


def test_whoever_dies_the_others_go_on(cluster: Cluster, seed: int) -> None:
    senders = begin(cluster, seed=seed)
    cluster.start()
    with httpx.Client(base_url=cluster.url, timeout=10, trust_env=False) as browser:
        signed_in = browser.post("/auth/sign-in", data={"email": EMAIL, "password": PASSWORD})
        assert signed_in.status_code == 303
        drawn_by = cluster.web_of(browser)

        senders.send(range(SENDS))
        while not cluster.rows("SELECT 1 FROM message WHERE state IN ('sent', 'delivered', 'read')"):
            time.sleep(LOOK_EVERY_S)
        [[leader]] = cluster.rows("SELECT holder FROM lease WHERE name = 'clock'")
        cluster.kill_process(int(leader.rpartition(":")[2]))
        cluster.kill_process(cluster.beating("worker")[0])
        cluster.kill_process(cluster.pid_of(drawn_by))
        senders.send(range(SENDS, 2 * SENDS))
        assert cluster.web_of(browser) != drawn_by, "signed in at the other one too"
        drain(cluster, senders, within=120)
    prove(cluster, senders, sends=2 * SENDS)
    prove_books(cluster)
