"""SIGKILL at random moments to a console of real processes: nothing lost, nothing sent twice unmarked."""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.console import GRAPH_TIMEOUT_S, WABA_ID, Console
from tests.crash.senders import Senders

pytestmark = pytest.mark.crash

SENDS_A_ROUND = 100
DRAINED_WITHIN_S = 75.0
TAKEN_BACK_WITHIN_S = GRAPH_TIMEOUT_S + 5.0
ENDED = "('sent', 'delivered', 'read', 'failed', 'dead')"
ON_THE_WAY = "('claimed', 'sending')"


@pytest.fixture
def seed() -> int:
    """Printed, so that a failure can be repeated: WAYPOST_CRASH_SEED=… make test."""
    chosen = int(os.environ.get("WAYPOST_CRASH_SEED") or random.randrange(10**6))
    print(f"WAYPOST_CRASH_SEED={chosen}")
    return chosen


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    console = Console(tmp_path)
    with console.sandbox_running():
        try:
            yield console
        finally:
            console.stop()


@pytest.fixture
def senders(console: Console, seed: int) -> Senders:
    """Clients with a key, of a workspace whose sends meet faults: some fail once, of a few the answer is
    lost."""
    slug = console.command(
        "create-owner",
        *("--workspace", "Northwind", "--email", "ada@example.com", "--plan", "enterprise"),
        stdin="correct horse battery\n",
    )
    key = console.command("api-key", "create", "--workspace", slug, "--role", "agent", "--name", "crash")
    phones = console.command("connect", "--workspace", slug, "--waba", WABA_ID, stdin="crash-token\n")
    passing = {"kind": "error", "code": 131016, "share": 0.15, "times": 1, "per": "message"}
    reset = {"kind": "reset", "share": 0.02, "times": 1, "per": "message"}
    for fault in (passing, reset):
        console.sandbox("POST", "/faults", fault)
    return Senders(console, key=key, phones=phones.splitlines(), seed=seed)


@pytest.mark.parametrize(("rounds", "whole"), [(4, True), (3, False)], ids=["everything", "the-worker-alone"])
def test_kills_at_random_moments_lose_nothing_and_mark_what_may_be_double(
    console: Console, senders: Senders, seed: int, rounds: int, whole: bool
) -> None:
    dice = random.Random(seed)
    console.start()
    for number in range(rounds):
        senders.send(range(number * SENDS_A_ROUND, (number + 1) * SENDS_A_ROUND))
        console.wait_until_sending()
        time.sleep(dice.uniform(0.0, 0.8))
        if number == 1:
            _delete_queue_file(console)
        if whole:
            console.kill()
            console.start()
        else:
            console.kill_worker()
    stuck = _drain(console, senders)

    assert not senders.refused
    assert all(len(ids) == 1 for ids in senders.ids.values()), "a key was answered with two messages"
    answered = {message_id for ids in senders.ids.values() for message_id in ids}
    stored = {row[0] for row in console.rows("SELECT id FROM message")}
    assert len(answered) == rounds * SENDS_A_ROUND
    assert answered == stored
    assert _count(console, f"state NOT IN {ENDED}") == 0
    assert not stuck, "work of a dead process was not taken back in time"
    _check_duplicates(console)


def _drain(console: Console, senders: Senders) -> set[tuple[str, int]]:
    """Waits until every send is answered and every message has ended. Returns the attempts that a killed
    process had under way and that still were when they should have been taken back."""
    started = time.monotonic()
    senders.finish()
    under_way = _on_the_way(console)
    stuck: set[tuple[str, int]] | None = None
    while not senders.have_finished or _count(console, f"state NOT IN {ENDED}"):
        where = "SELECT state, waiting_for, count(*) FROM message GROUP BY 1, 2"
        assert time.monotonic() < started + DRAINED_WITHIN_S, console.rows(where)
        if stuck is None and time.monotonic() > started + TAKEN_BACK_WITHIN_S:
            stuck = under_way & _on_the_way(console)
        time.sleep(0.1)
    return stuck or set()


def _check_duplicates(console: Console) -> None:
    """Meta took every message that says so; what it took twice is marked, and it is no more than was in
    flight unanswered: its process was killed, its answer was reset, or came too late."""
    counts = console.sandbox("GET", "/counts")
    accepted: dict[str, int] = counts["byCallback"]
    taken = {row[0] for row in console.rows("SELECT id FROM message WHERE state != 'dead'")}
    assert taken <= accepted.keys()
    twice = {message_id for message_id, times in accepted.items() if times > 1}
    marked = {row[0] for row in console.rows("SELECT id FROM message WHERE may_duplicate")}
    [[unanswered]] = console.rows(
        f"SELECT count(*) FROM attempt WHERE finished_at - started_at >= {GRAPH_TIMEOUT_S * 1e6}"
    )
    print(f"unanswered {unanswered}, resets {counts['resets']}, sent twice {len(twice)}")
    assert twice <= marked
    assert counts["duplicates"] <= unanswered + counts["resets"]


def _delete_queue_file(console: Console) -> None:
    for path in (console.folder / "var").glob("huey.db*"):
        path.unlink()


def _on_the_way(console: Console) -> set[tuple[str, int]]:
    return set(console.rows(f"SELECT id, attempt FROM message WHERE state IN {ON_THE_WAY}"))


def _count(console: Console, where: str) -> int:
    found: int = console.rows(f"SELECT count(*) FROM message WHERE {where}")[0][0]
    return found
