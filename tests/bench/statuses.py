"""``python statuses.py STORED MESSAGES STORE``: how fast one process applies statuses that came in POSTs of
1,000, with so many messages stored, and how fast a bare ``executemany`` writes the same rows. Prints both, in
updates a second.

Works on the database that the environment names. Ours and bare take turns, POST by POST, on the same rows:
what else the machine does meets both.
"""

import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import backlog
import bodies
import psycopg
from stores import Store, on

import main as waypost
from core.garbage import look_seldom
from core.inbox.intake import Arrival, store
from core.inbox.lane import apply_due
from core.runtime import Runtime
from core.unit import Identity

Bare = sqlite3.Connection | psycopg.Connection[Any]
PHONES = 40
PER_POST = 1_000
WORDS = ("sent", "delivered", "read")
META = Identity(process="webhook")
_ADD_MESSAGES = """
WITH RECURSIVE numbers (n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :until)
INSERT INTO message (id, workspace_id, phone_number_id, contact_id, direction, kind, recipient, payload,
    template_name, template_language, state, attempt, round, rung, rate_waits, leases_lost, may_duplicate,
    wamid, created_at, sent_at)
SELECT printf('msg_%026d', n), :workspace, :phone + n % :phones, printf('con_%026d', n % :contacts),
    'outbound', 'template', printf('+%d', 4915100000000 + n % :contacts),
    '{"to": "+4915100000000", "template": {}}',
    'order_update', 'en_US', 'sent', 1, 1, 0, 0, 0, 0, printf('wamid.%d', n), :now, :now FROM numbers
"""
_ADD_ATTEMPTS = """
INSERT INTO attempt (message_id, number, round, may_duplicate, claimed_at, started_at, finished_at, outcome,
    wamid)
SELECT id, 1, 1, 0, :now, :now, :now, 'accepted', wamid FROM message
"""
_ADD_CONTACTS = """
WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :contacts)
INSERT INTO contact (id, workspace_id, wa_id, created_at, last_activity_at)
SELECT printf('con_%026d', n), :workspace, printf('%d', 4915100000000 + n), :now, :now FROM numbers
"""
_BARE_STATUS = (
    "INSERT INTO message_status (wamid, status, at, message_id, received_at, pricing, conversation) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_BARE_MESSAGE = "UPDATE message SET state = ?, delivered_at = ?, read_at = ? WHERE id = ?"


@dataclass(frozen=True, slots=True)
class Applied:
    ours: float
    bare: float


def fill(runtime: Runtime, *, stored: int) -> None:
    """So many accepted messages, in one insert: one by one ten million would take hours."""
    backlog.load(runtime, messages=0, phones=PHONES)
    contacts = max(1, min(stored // 10, 100_000))
    with sqlite3.connect(runtime.database.path) as database:
        database.execute("PRAGMA synchronous=OFF")
        workspace = database.execute("SELECT id FROM workspace").fetchone()[0]
        facts = {
            "workspace": workspace,
            "phone": bodies.FIRST_PHONE,
            "phones": PHONES,
            "contacts": contacts,
            "now": int(time.time() * 1e6),
            "first": 0,
            "until": stored,
        }
        for statement in (_ADD_CONTACTS, _ADD_MESSAGES, _ADD_ATTEMPTS):
            database.execute(statement, facts)
    database.close()


def measure(runtime: Runtime, *, stored: int, messages: int, first_of_all: int = 0) -> Applied:
    """``messages`` spread over all that are stored, from that one on, each with three statuses."""
    step = stored // messages
    ours_s = bare_s = 0.0
    bare = _connected(runtime)
    for first in range(0, messages, PER_POST):
        numbers = [first_of_all + number * step for number in range(first, first + PER_POST)]
        for word in WORDS:
            ours_s += _ours(runtime, numbers, word)
            rows = _written(bare, word, numbers)
            _undo(bare, rows, word)
            bare_s += _bare(bare, rows, word)
    bare.close()
    total = messages * len(WORDS)
    return Applied(total / ours_s, total / bare_s)


def _connected(runtime: Runtime) -> Bare:
    """The driver alone, tuned as ours is."""
    if not runtime.database.is_sqlite:
        address = runtime.database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(address, autocommit=True)
    bare = sqlite3.connect(runtime.database.path, isolation_level=None)
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "cache_size=-16000"):
        bare.execute(f"PRAGMA {pragma}")
    return bare


def _many(database: Bare, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
    if isinstance(database, sqlite3.Connection):
        database.executemany(statement, rows)
    else:
        with database.cursor() as cursor:
            cursor.executemany(statement.replace("?", "%s"), rows)


def _ours(runtime: Runtime, numbers: list[int], word: str) -> float:
    """Seconds from the first look to the last commit; storing the POST is measured elsewhere."""
    body = bodies.webhook(numbers, status=word, phone=bodies.phone_id(0))
    with runtime.unit(META, write=True) as unit:
        phones = frozenset({bodies.phone_id(0)})
        store(unit, [Arrival(body, runtime.clock.now(), phones, frozenset())])
    started = time.perf_counter()
    while apply_due(runtime):
        pass
    return time.perf_counter() - started


def _written(database: Bare, word: str, numbers: list[int]) -> list[tuple[object, ...]]:
    wamids = ",".join(f"'wamid.{number}'" for number in numbers)
    found = database.execute(
        "SELECT wamid, status, at, message_id, received_at, "
        "CAST(pricing AS TEXT), CAST(conversation AS TEXT) FROM message_status "
        f"WHERE wamid IN ({wamids}) AND status = '{word}'"
    ).fetchall()
    if len(found) != len(numbers):
        raise RuntimeError(f"{len(found)} of {len(numbers)} statuses were applied")
    return found


def _undo(database: Bare, rows: list[tuple[object, ...]], word: str) -> None:
    """As it was before, so that the same rows can be written again."""
    before = WORDS[max(0, WORDS.index(word) - 1)]
    database.execute("BEGIN")
    _many(database, "DELETE FROM message_status WHERE wamid = ? AND status = ? AND at = ?", _keys(rows))
    _many(database, "UPDATE message SET state = ? WHERE id = ?", [(before, row[3]) for row in rows])
    database.execute("COMMIT")


def _keys(rows: list[tuple[object, ...]]) -> Iterator[tuple[object, ...]]:
    return (row[:3] for row in rows)


def _bare(database: Bare, rows: list[tuple[object, ...]], word: str) -> float:
    started = time.perf_counter()
    database.execute("BEGIN")
    _many(database, _BARE_STATUS, rows)
    if word != "sent":
        moved = [(word, row[2], row[2] if word == "read" else None, row[3]) for row in rows]
        _many(database, _BARE_MESSAGE, moved)
    database.execute("COMMIT")
    return time.perf_counter() - started


if __name__ == "__main__":
    stored, messages = map(int, sys.argv[1:3])
    settings = waypost._settings()
    waypost._migrate(settings)
    with waypost._runtime(settings) as runtime:
        fill(runtime, stored=stored)
        look_seldom()  # as the worker does
        with on(Store(sys.argv[3]), runtime) as there:
            measure(there, stored=stored, messages=PER_POST, first_of_all=1)  # the first statements compile
            found = measure(there, stored=stored, messages=messages)
    print(f"{found.ours:.1f} {found.bare:.1f}")
