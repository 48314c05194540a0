"""What must hold after whatever happened: everything is there, has ended, and was sent once or marked."""

import time

from tests.crash.console import GRAPH_TIMEOUT_S, Console
from tests.crash.senders import Senders

DRAINED_WITHIN_S = 75.0
TAKEN_BACK_WITHIN_S = GRAPH_TIMEOUT_S + 5.0
ENDED = "('sent', 'delivered', 'read', 'failed', 'dead')"
ON_THE_WAY = "('claimed', 'sending')"


def drain(console: Console, senders: Senders, *, within: float = DRAINED_WITHIN_S) -> set[tuple[str, int]]:
    """Waits until every send is answered and every message has ended. Returns the attempts that a killed
    process had under way and that still were when they should have been taken back."""
    started = time.monotonic()
    senders.finish()
    under_way = _on_the_way(console)
    stuck: set[tuple[str, int]] | None = None
    while not senders.have_finished or count(console, f"state NOT IN {ENDED}") != 0:
        where = "SELECT state, waiting_for, count(*) FROM message GROUP BY 1, 2"
        assert time.monotonic() < started + within, console.rows(where)
        if stuck is None and time.monotonic() > started + TAKEN_BACK_WITHIN_S:
            stuck = under_way & _on_the_way(console)
        time.sleep(0.1)
    return stuck or set()


def prove(console: Console, senders: Senders, *, sends: int) -> None:
    """Each of that many sends is one message, which has ended, and of which Meta knows what we know."""
    assert senders.refused == []
    assert all(len(ids) == 1 for ids in senders.ids.values()), "a key was answered with two messages"
    answered = {message_id for ids in senders.ids.values() for message_id in ids}
    stored = {row[0] for row in console.rows("SELECT id FROM message WHERE direction = 'outbound'")}
    assert len(answered) == sends
    assert answered == stored
    assert count(console, f"state NOT IN {ENDED}") == 0
    _prove_duplicates(console)


def prove_books(console: Console) -> None:
    """Conversations and audit log are what they are made of: each command ends with 1 where they are not."""
    console.command("verify", "conversations")
    console.command("verify", "invoices")
    console.command("audit", "verify")


def _prove_duplicates(console: Console) -> None:
    """Meta took every message that says so; what it took twice is marked, and it is no more than was in
    flight unanswered: its process was killed, its answer was reset, or came too late."""
    counts = console.sandbox("GET", "/counts")
    accepted: dict[str, int] = counts["byCallback"]
    taken = {
        row[0]
        for row in console.rows("SELECT id FROM message WHERE direction = 'outbound' AND state != 'dead'")
    }
    assert taken <= accepted.keys()
    twice = {message_id for message_id, times in accepted.items() if times > 1}
    marked = {row[0] for row in console.rows("SELECT id FROM message WHERE may_duplicate")}
    [[unanswered]] = console.rows(
        f"SELECT count(*) FROM attempt WHERE finished_at - started_at >= {int(GRAPH_TIMEOUT_S * 1e6)}"
    )
    print(f"unanswered {unanswered}, resets {counts['resets']}, sent twice {len(twice)}")
    assert twice <= marked
    assert counts["duplicates"] <= unanswered + counts["resets"]


def count(console: Console, where: str) -> int:
    """How many messages; -1 while nobody can say."""
    found = console.rows(f"SELECT count(*) FROM message WHERE {where}")
    return int(found[0][0]) if found else -1


def _on_the_way(console: Console) -> set[tuple[str, int]]:
    return set(console.rows(f"SELECT id, attempt FROM message WHERE state IN {ON_THE_WAY}"))
