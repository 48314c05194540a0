"""What conversations and billing cost, beside the least that any way of it must: a bare loop, a bare scan.

Works in a SQLite file of its own; its rows are written at once, as a database of years would hold them.
"""

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlite_utils
from sqlalchemy import text
from stores import Store, on

import main as waypost
from core.billing import drafts
from core.billing.queries import current_month
from core.conversations.commands import BATCH, CONVERSATIONS, catch_up
from core.conversations.rules import LENGTH, Event, windows
from core.runtime import Runtime
from core.settings import Settings
from core.team.owners import COMMAND, create_owner
from core.unit import Identity
from data.columns import EPOCH, to_micros
from data.enums import PlanName

EVENTS_A_CONTACT = 20
PHONE_ID, WABA_ID = "100000000000001", "100200300400500"


@dataclass(frozen=True, slots=True)
class Compared:
    """Seconds of ours, and of the bare thing."""

    ours_s: float
    bare_s: float

    @property
    def ratio(self) -> float:
        return self.ours_s / self.bare_s


@dataclass(frozen=True, slots=True)
class Recomputed:
    """``rules``: the windows of all events, against a bare loop over the same sorted tuples. ``whole_s``: all
    of it, from the rows of messages to the rows of conversations."""

    rules: Compared
    whole_s: float


def recompute(events: int) -> Recomputed:
    with _ledger() as (runtime, workspace_id):
        _write_messages(runtime, workspace_id, events)
        rows = _sorted_tuples(runtime)
        pairs: dict[str, list[Event]] = {}
        for contact, at, side, wamid, key in rows:
            pairs.setdefault(contact, []).append(Event(at, side, wamid, key))
        bare_s = min(_timed(lambda: _bare_loop(rows)) for _ in range(5))
        rules_s = min(_timed(lambda: [windows(events) for events in pairs.values()]) for _ in range(5))
        started = time.perf_counter()
        done = 1
        while done:
            with runtime.unit(CONVERSATIONS, write=True) as unit:
                done = catch_up(unit, workspace_id, at_most=BATCH)
        return Recomputed(Compared(rules_s, bare_s), time.perf_counter() - started)


def draft(conversations: int, *, store: Store = Store.SQLITE) -> Compared:
    """Rating and draft of a month with so many conversations, against one scan of their rows."""
    with _ledger() as (runtime, workspace_id):
        start = runtime.clock.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        _write_conversations(
            runtime, workspace_id, conversations, since=start, over=runtime.clock.now() - start
        )
        with on(store, runtime) as there:
            with there.database.read.connect() as database:
                scan = text("SELECT sum(messages_in), max(closes_at) FROM conversation")
                bare_s = min(_timed(lambda: database.execute(scan).one()) for _ in range(5))

            def ours() -> None:
                with there.unit(_clerk(workspace_id), write=True) as unit:
                    drafts.refresh(unit, unit.workspace())

            ours()
            return Compared(min(_timed(ours) for _ in range(5)), bare_s)


def month_at(conversations: int, *, of_month: int = 5_000) -> float:
    """Seconds of the current month's query where so many conversations are stored, ``of_month`` of them in
    it; the median of many."""
    with _ledger() as (runtime, workspace_id):
        now = runtime.clock.now()
        start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        old = max(0, conversations - of_month)
        if old:
            years = timedelta(days=5 * 365)
            _write_conversations(runtime, workspace_id, old, since=start - years, over=years)
        _write_conversations(runtime, workspace_id, of_month, since=start, over=now - start)

        def ask() -> None:
            with runtime.unit(_clerk(workspace_id)) as unit:
                current_month(unit)

        ask()
        times = sorted(_timed(ask) for _ in range(50))
        return times[len(times) // 2]


@contextmanager
def _ledger() -> Iterator[tuple[Runtime, str]]:
    """A new workspace with one number, and the runtime it is in."""
    with tempfile.TemporaryDirectory(prefix="waypost-bench-") as name:
        folder = Path(name)
        settings = Settings(
            _env_file=None,  # type: ignore[call-arg]
            waypost_database_url=f"sqlite:///{folder / 'waypost.db'}",
            waypost_queue_url=f"sqlite:///{folder / 'huey.db'}",
        )
        waypost._migrate(settings)
        with waypost._runtime(settings) as runtime:
            with runtime.unit(COMMAND, write=True) as unit:
                workspace = create_owner(
                    unit,
                    workspace_name="Bench",
                    email="bench@example.com",
                    password_hash="nobody signs in",
                    plan=PlanName.PRO,
                )
            _write_phone(runtime, workspace.id)
            yield runtime, workspace.id


def _write_phone(runtime: Runtime, workspace_id: str) -> None:
    with _file(runtime) as file:
        database = sqlite_utils.Database(file)
        database["waba"].insert(
            {"id": WABA_ID, "workspace_id": workspace_id, "name": "Bench", "connected_at": 0}
        )
        database["phone"].insert(
            {
                "id": PHONE_ID,
                "workspace_id": workspace_id,
                "waba_id": WABA_ID,
                "display_number": "+49 30 1",
                "verified_name": "Bench",
                "quality": "GREEN",
                "throughput_level": "HIGH",
                "status": "CONNECTED",
                "synced_at": 0,
            }
        )
        database["contact"].insert(_contact(workspace_id, 0))


def _write_messages(runtime: Runtime, workspace_id: str, events: int) -> None:
    """Of each contact ``EVENTS_A_CONTACT``, three hours apart, in turn from either side."""
    first = to_micros(runtime.clock.now()) - 20 * LENGTH
    contacts = range(1, events // EVENTS_A_CONTACT + 1)
    with _file(runtime) as file:
        database = sqlite_utils.Database(file)
        database["contact"].insert_all(_contact(workspace_id, contact) for contact in contacts)
        database["message"].insert_all(
            _message(workspace_id, contact, number, first + number * LENGTH // 8 + contact)
            for contact in contacts
            for number in range(EVENTS_A_CONTACT)
        )
        database["conversation_due"].insert_all(
            {
                "phone_number_id": PHONE_ID,
                "contact_id": f"con_{contact:08d}",
                "workspace_id": workspace_id,
                "marked_at": 0,
                "version": 1,
            }
            for contact in contacts
        )


def _contact(workspace_id: str, number: int) -> dict[str, Any]:
    return {
        "id": f"con_{number:08d}",
        "workspace_id": workspace_id,
        "wa_id": str(49_000_000_000 + number),
        "created_at": 0,
        "last_activity_at": 0,
    }


def _message(workspace_id: str, contact: int, number: int, at: int) -> dict[str, Any]:
    outbound = number % 2
    return {
        "id": f"msg_{contact:08d}{number:04d}",
        "workspace_id": workspace_id,
        "phone_number_id": PHONE_ID,
        "contact_id": f"con_{contact:08d}",
        "direction": "outbound" if outbound else "inbound",
        "kind": "text",
        "recipient": "+49",
        "payload": "{}",
        "state": "delivered" if outbound else "received",
        "attempt": outbound,
        "round": 1,
        "rung": 0,
        "rate_waits": 0,
        "leases_lost": 0,
        "may_duplicate": 0,
        "wamid": f"wamid.{contact}.{number}",
        "created_at": at,
        "sent_at": at,
        "meta_type": None if outbound else "text",
    }


def _write_conversations(
    runtime: Runtime, workspace_id: str, count: int, *, since: datetime, over: timedelta
) -> None:
    first, step = to_micros(since), to_micros(EPOCH + over) / count
    with _file(runtime) as file:
        file.executemany(
            "INSERT INTO conversation (id, workspace_id, phone_number_id, contact_id, opened_at, closes_at, "
            "opened_by, messages_in, messages_out, closed_at, billed) "
            "VALUES (?, ?, ?, 'con_00000000', ?, ?, 'customer', 1, 1, 1, 0)",
            (
                (f"cnv_{first}{number:08d}", workspace_id, PHONE_ID, at, at + LENGTH)
                for number in range(count)
                for at in (first + int(number * step),)
            ),
        )
        file.execute("ANALYZE")


def _sorted_tuples(runtime: Runtime) -> list[tuple[str, int, int, str, str]]:
    with _file(runtime) as file:
        rows = file.execute(
            "SELECT contact_id, sent_at, direction = 'outbound', wamid, id FROM message ORDER BY 1, 2, 3, 4"
        )
        return list(rows)


def _bare_loop(rows: list[tuple[str, int, int, str, str]]) -> int:
    found: list[list[Any]] = []
    contact, closes_at, window = "", 0, [0, 0]
    for whom, at, side, _, key in rows:
        if whom != contact or at >= closes_at:
            contact, closes_at = whom, at + LENGTH
            window = [0, 0, key, at]
            found.append(window)
        window[side] += 1
    return len(found)


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@contextmanager
def _file(runtime: Runtime) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(runtime.database.path)) as file:
        file.execute("PRAGMA synchronous=OFF")
        yield file
        file.commit()


def _clerk(workspace_id: str) -> Identity:
    return Identity(process="bench", workspace_id=workspace_id)
