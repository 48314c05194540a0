"""Processes that go on: started, stopped, killed, started again."""

import os
import re
import resource
import signal
import sqlite3
import subprocess
from typing import Any

import httpx
import pytest

from tests.commands.conftest import HEALTHY_WITHIN_S, PHONE_ID, TOKEN, WABA_ID, Place, wait_for

pytestmark = pytest.mark.crash


def template(**more: Any) -> dict[str, Any]:
    wanted = {"name": "hello_world", "language": "en_US"}
    return {"to": "+4915112345678", "template": wanted, "phoneNumberId": PHONE_ID, **more}


def send(place: Place, key: dict[str, str], **more: Any) -> httpx.Response:
    return httpx.post(
        f"{place.url}/api/v1/messages/template",
        json=template(**more),
        headers=key,
        timeout=30,
        trust_env=False,
    )


def status(place: Place, key: dict[str, str], message_id: str) -> str:
    url = f"{place.url}/api/v1/messages/{message_id}"
    found: str = httpx.get(url, headers=key, timeout=10, trust_env=False).json()["status"]
    return found


def processes(place: Place, word: str) -> list[int]:
    return [pid for pid, words in place.pids().items() if word in words]


def replaced(place: Place, word: str, gone: int) -> bool | None:
    """Whether another process runs in the place of the one that is gone."""
    found = processes(place, word)
    return (bool(found) and gone not in found) or None


def assert_all_gone(place: Place, *, within_s: float) -> None:
    wait_for(lambda: not place.pids() or None, within_s=within_s)


def test_serve_starts_sends_and_stops_on_ctrl_c(place: Place, key: dict[str, str]) -> None:
    serve = place.start("serve")
    body = place.wait_until_healthy().json()
    assert body["tokenRefreshCron"] == body["messageRetryQueue"] == "running"
    assert {os.getpgid(pid) for pid in place.pids()} == {serve.pid}
    assert place.run("doctor").returncode == 0
    assert send(place, key).status_code == 200
    queued = send(place, key, mode="queued").json()
    wait_for(lambda: status(place, key, queued["id"]) == "sent" or None, within_s=10)
    assert (place.folder / "var").is_dir()
    os.killpg(serve.pid, signal.SIGINT)
    assert serve.wait(20) == 0
    assert_all_gone(place, within_s=5)
    told = place.log.read_text()
    assert "Waypost is ready" in told
    assert "Traceback" not in told


def test_sigterm_stops_it_too_and_a_killed_child_is_started_again(place: Place, key: dict[str, str]) -> None:
    serve = place.start("serve")
    place.wait_until_healthy()
    for word in ("worker", "web"):
        (first,) = processes(place, word)
        os.kill(first, signal.SIGKILL)
        (second,) = wait_for(
            lambda gone=first, word=word: [p for p in processes(place, word) if p != gone] or None,
            within_s=10,
        )
        assert second != first
    place.wait_until_healthy()
    queued = send(place, key, mode="queued").json()
    wait_for(lambda: status(place, key, queued["id"]) == "sent" or None, within_s=15)
    serve.terminate()
    assert serve.wait(20) == 0
    assert_all_gone(place, within_s=5)


def test_a_killed_supervisor_leaves_no_orphan(place: Place) -> None:
    """Nobody is here yet, so it says where to begin, once."""
    serve = place.start("serve")
    place.wait_until_healthy()
    link = wait_for(lambda: re.search(rf"{place.url}/begin/[\w-]{{43}}", place.log.read_text()), within_s=20)
    assert httpx.get(link[0], timeout=20, trust_env=False).status_code == 200
    assert place.log.read_text().count("/begin/") == 1
    serve.kill()
    serve.wait(10)
    assert_all_gone(place, within_s=8)


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_web_worker_and_clock_start_together_on_one_empty_directory_and_end_well(
    place: Place, told: signal.Signals
) -> None:
    children = [place.start(word) for word in ("web", "worker", "clock")]
    body = place.wait_until_healthy().json()
    assert body["tokenRefreshCron"] == body["messageRetryQueue"] == "running"
    header = {"Authorization": f"Bearer {place.owner()}"}
    made = place.run("connect", "--workspace", "northwind", "--waba", WABA_ID, given=TOKEN)
    assert made.returncode == 0
    queued = send(place, header, mode="queued").json()
    wait_for(lambda: status(place, header, queued["id"]) == "sent" or None, within_s=10)
    for child in children:
        child.send_signal(told)
    assert [child.wait(20) for child in children] == [0, 0, 0]
    assert "Traceback" not in place.log.read_text()


def test_a_full_disk_is_503_and_loses_nothing_that_was_answered(
    place: Place, key: dict[str, str], sandbox_url: str
) -> None:
    """No file may grow beyond a bound that a few messages reach; then the bound is gone."""
    largest = max(path.stat().st_size for path in (place.folder / "var").iterdir())

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 65_536, largest + 65_536))

    web = place.start("web", prepare=bound)
    wait_for(lambda: answers(place), within_s=HEALTHY_WITHIN_S)
    taken: dict[str, str] = {}
    refused = 0
    for number in range(600):
        answer = send(place, key, mode="sync" if number % 4 == 0 else "queued")
        if answer.status_code == 503:
            refused += 1
            assert set(answer.json()) == {"error", "code"}
            if refused == 5:
                break
        elif answer.status_code != 429:
            assert answer.status_code in (200, 202), answer.text
            taken[answer.json()["id"]] = answer.json()["status"]
    assert refused == 5
    web.terminate()
    web.wait(20)
    with sqlite3.connect(place.folder / "var/waypost.db") as database:
        kept = dict(database.execute("SELECT id, state FROM message").fetchall())
    database.close()
    assert taken.items() <= kept.items()
    accepted = httpx.get(f"{sandbox_url}/sandbox/counts", trust_env=False).json()["byCallback"]
    assert set(accepted) <= set(kept)
    place.start("web")
    wait_for(lambda: answers(place), within_s=HEALTHY_WITHIN_S)
    assert send(place, key).status_code == 200


def answers(place: Place) -> bool | None:
    try:
        httpx.get(f"{place.url}/api/v1/admin/health", timeout=5, trust_env=False)
    except httpx.TransportError:
        return None
    return True


def test_the_demo_starts_in_an_empty_directory(place: Place) -> None:
    serve = place.start("serve", "--demo")
    wait_for(lambda: "Sign in as" in place.log.read_text() or None, within_s=HEALTHY_WITHIN_S)
    assert place.health() is not None
    told = place.log.read_text()
    assert place.url in told
    assert "Traceback" not in told
    os.killpg(serve.pid, signal.SIGINT)
    assert serve.wait(25) == 0
    assert_all_gone(place, within_s=5)


def test_a_port_that_is_taken_ends_web_alone(place: Place, sandbox_url: str) -> None:
    web: subprocess.CompletedProcess[str] = place.run("web", WAYPOST_PORT=sandbox_url.rpartition(":")[2])
    assert (web.returncode, web.stderr.count("\n")) == (1, 1)
    assert web.stderr.startswith("WAYPOST_PORT: ")
