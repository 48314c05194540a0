"""What the dead-letter workbench costs with a million letters, beside the same with ten thousand; and a bulk
redrive beside a bare UPDATE of the same rows.

``python tests/bench/letters.py 100000`` prints it for so many letters.
"""

import json
import random
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta

import sqlite_utils
from ledger import PHONE_ID, WABA_ID, _clerk, _file, _ledger, _timed
from stores import Store, on

from core.dead_letters import bulk
from core.dead_letters.bulk import Order
from core.dead_letters.figures import letter_figures
from core.dead_letters.filters import NOBODY, LetterFilter
from core.dead_letters.groups import letter_groups
from core.dead_letters.lists import LetterSort, counts_by_state, list_letters
from core.garbage import look_seldom
from core.ports.meta_errors import ErrorClass, explain
from core.runtime import Runtime
from core.unit import Unit
from data.columns import to_micros
from data.enums import BulkVerb, LetterState
from data.words import index_text

TIMES = 40
CODES = ("meta_131026", "meta_131049", "meta_130472", "meta_132000", "meta_131000", "network_timeout")
CAUSES = 40
PHONES = 5
TEMPLATES = 20
WORDS = [f"{one}word" for one in ("alpha", "beta", "gamma", "delta", "eta", "theta", "iota", "kappa")]
OPEN = LetterState.OPEN
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """Seconds of one question, the 95th percentile."""

    what: str
    p95_s: float


@dataclass(frozen=True, slots=True)
class Redriven:
    """``start_s``: from the click until it runs. Rates in letters a second."""

    start_s: float
    per_second: float
    bare_per_second: float


def ask_all(letters: int, *, store: Store = Store.SQLITE) -> list[Asked]:
    """Every question of the page, with so many open letters."""
    with _workbench(letters) as (runtime, workspace_id), on(store, runtime) as there:
        return [Asked(what, _p95(there, workspace_id, ask)) for what, ask in QUESTIONS.items()]


def ask(question: str, letters: int) -> float:
    """Seconds of one of them."""
    with _workbench(letters) as (runtime, workspace_id):
        return _p95(runtime, workspace_id, QUESTIONS[question])


def redrive(letters: int) -> Redriven:
    """Bulk redrive of so many, as fast as the machine lets it, against the same rows changed by a bare UPDATE
    in chunks."""
    with _workbench(letters) as (runtime, workspace_id):
        bare_per_second = letters / _bare_s(runtime)
    with _workbench(letters) as (runtime, workspace_id):
        look_seldom()  # as the clock does, whose work this is
        order = Order(BulkVerb.REDRIVE, wanted=LetterFilter(), confirm=True, rate_per_second=1000)
        started = time.perf_counter()
        with runtime.unit(_clerk(workspace_id), write=True) as unit:
            work_id = bulk.start(unit, order).id
        start_s = time.perf_counter() - started
        started = time.perf_counter()
        more = True
        while more:
            with runtime.unit(_clerk(workspace_id), write=True) as unit:
                unit.throughput_lifted = True
                more = bulk.take_step(unit, work_id)
        took_s = time.perf_counter() - started
        with runtime.unit(_clerk(workspace_id)) as unit:
            view = bulk.work_view(unit, work_id)
        if view.done != letters:
            raise AssertionError(f"{view.done:,} of {letters:,} were redriven: {view.skipped}")
    return Redriven(start_s, letters / took_s, bare_per_second)


def _questions() -> dict[str, Callable[[Unit], object]]:
    def page(sort: LetterSort = LetterSort.NEWEST, **wanted: object) -> Callable[[Unit], object]:
        narrowed = LetterFilter(**{"state": OPEN} | wanted)  # type: ignore[arg-type]
        return lambda unit: list_letters(unit, narrowed, sort=sort)

    def deep(unit: Unit) -> object:
        return list_letters(unit, LetterFilter(state=OPEN), cursor=_middle(unit))

    return {
        "first page": page(),
        "first page of all states": page(state=None),
        "a page in the middle": deep,
        "by code": page(error_code=CODES[3]),
        "by cause": page(fingerprint="cause7"),
        "by phone": page(phone_number_id=str(int(PHONE_ID) + 3)),
        "by template": page(template_name="template_7"),
        "by class": page(klass=ErrorClass.FIX),
        "by number": page(to="+4915100004321"),
        "by attempts": page(attempts=3),
        "nobody in charge": page(assignee_id=NOBODY),
        "of the last day": page(last_hours=24),
        "oldest first": page(LetterSort.OLDEST),
        "most attempts first": page(LetterSort.MOST_ATTEMPTS),
        "fewest attempts first": page(LetterSort.FEWEST_ATTEMPTS),
        "by a common word": page(q="gamma"),
        "by a rare word": page(q="nw4321"),
        "by two words": page(q="gamma nw99"),
        "by a pasted number": page(q="+49 151 00004321"),
        "groups": lambda unit: letter_groups(unit, LetterFilter(state=OPEN)),
        "groups of one phone": lambda unit: letter_groups(
            unit, LetterFilter(state=OPEN, phone_number_id=PHONE_ID)
        ),
        "figures": letter_figures,
        "counts by state": counts_by_state,
    }


def _middle(unit: Unit) -> str:
    at = to_micros(unit.now - timedelta(days=15))
    return f"{at}.3.dl_9"


def _p95(runtime: Runtime, workspace_id: str, ask: Callable[[Unit], object]) -> float:
    def once() -> None:
        with runtime.unit(_clerk(workspace_id)) as unit:
            ask(unit)

    once()
    times = sorted(_timed(once) for _ in range(TIMES))
    return times[int(TIMES * 0.95)]


def _bare_s(runtime: Runtime) -> float:
    """Both rows of a letter, a commit for each chunk, with the same care for the disk as ours."""
    with closing(sqlite3.connect(runtime.database.path, isolation_level=None)) as file:
        file.execute("PRAGMA synchronous=FULL")
        ids = [row[0] for row in file.execute("SELECT id FROM dead_letter ORDER BY dead_at, id")]
        for trigger in ("in", "out", "again"):
            file.execute(f"DROP TRIGGER dead_letter_counted_{trigger}")
        now = to_micros(runtime.clock.now())
        started = time.perf_counter()
        for first in range(0, len(ids), CHUNK):
            chunk = ids[first : first + CHUNK]
            file.execute("BEGIN IMMEDIATE")
            file.executemany(
                "UPDATE dead_letter SET state = 'redriven', closed_at = ? WHERE id = ?",
                [(now, one) for one in chunk],
            )
            file.executemany(
                "UPDATE message SET state = 'queued', due_at = ?, round = round + 1 WHERE id = ?",
                [(now, f"msg_{one[3:]}") for one in chunk],
            )
            file.execute("COMMIT")
        return time.perf_counter() - started


@contextmanager
def _workbench(letters: int) -> Iterator[tuple[Runtime, str]]:
    """A workspace with so many open letters of the last thirty days."""
    with _ledger() as (runtime, workspace_id):
        with _file(runtime) as file:
            _write(file, workspace_id, letters, now=to_micros(runtime.clock.now()))
        yield runtime, workspace_id


def _write(file: sqlite3.Connection, workspace_id: str, letters: int, *, now: int) -> None:
    dice = random.Random(1)
    step = 30 * 86_400_000_000 // letters
    database = sqlite_utils.Database(file)
    phones = [str(int(PHONE_ID) + number) for number in range(PHONES)]
    known = next(iter(database["phone"].rows_where("id = ?", [PHONE_ID])))
    database["phone"].insert_all({**known, "id": phone} for phone in phones[1:])
    database["lane"].insert_all(
        {"phone_number_id": phone, "workspace_id": workspace_id, "slots": b""} for phone in phones
    )
    database["template"].insert_all(
        {
            "id": f"tpl_{number}",
            "workspace_id": workspace_id,
            "waba_id": WABA_ID,
            "name": f"template_{number}",
            "language": "en",
            "category": "UTILITY",
            "status": "APPROVED",
            "components": "[]",
            "parameter_format": "POSITIONAL",
            "synced_at": 0,
        }
        for number in range(TEMPLATES)
    )
    # Of a million rows each trigger and index costs minutes; they are made once, at the end.
    kept = [
        (name, sql)
        for name, sql in file.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND (type = 'trigger' AND "
            "tbl_name IN ('dead_letter', 'letter_text') OR type = 'index' AND tbl_name IN "
            "('message', 'dead_letter')) ORDER BY type"
        )
    ]
    for name, sql in kept:
        file.execute(f"DROP {sql.split()[1]} {name}")
    messages, rows, texts = [], [], []
    for number in range(letters):
        one = f"{number:010d}"
        cause = dice.randrange(CAUSES)
        code, template = CODES[cause % len(CODES)], f"template_{cause % TEMPLATES}"
        at, phone = now - (letters - number) * step, phones[dice.randrange(PHONES)]
        to, attempts = f"+49151{number % 100_000_000:08d}", 1 + cause % 5
        said = f"{dice.choice(WORDS)} {dice.choice(WORDS)} NW{number % 50_000}"
        payload = {"to": to, "template": {"name": template, "language": "en", "components": [said]}}
        messages.append(
            (f"msg_{one}", workspace_id, phone, to, json.dumps(payload), template, attempts, code, at)
        )
        rows.append(
            (
                f"dl_{one}",
                workspace_id,
                f"msg_{one}",
                code,
                f"cause{cause}",
                to,
                phone,
                template,
                attempts,
                at,
            )
        )
        texts.append(
            (
                number + 1,
                workspace_id,
                f"dl_{one}",
                index_text(code, explain(code).title, template),
                index_text(said),
            )
        )
        if len(rows) == 20_000 or number == letters - 1:
            file.executemany(
                "INSERT INTO message (id, workspace_id, phone_number_id, contact_id, direction, kind, "
                "recipient, payload, template_name, template_language, state, attempt, round, rung, "
                "rate_waits, leases_lost, may_duplicate, error_code, created_at) "
                "VALUES (?, ?, ?, 'con_00000000', 'outbound', 'template', ?, ?, ?, 'en', 'dead', ?, 1, 0, "
                "0, 0, 0, ?, ?)",
                messages,
            )
            file.executemany(
                "INSERT INTO dead_letter (id, workspace_id, message_id, round, state, error_code, "
                "error_detail, fingerprint, recipient, phone_number_id, template_name, attempts, "
                "may_duplicate, dead_at) VALUES (?, ?, ?, 1, 'open', ?, 'It failed', ?, ?, ?, ?, ?, 0, ?)",
                rows,
            )
            file.executemany("INSERT INTO letter_text VALUES (?, ?, ?, ?, ?)", texts)
            messages, rows, texts = [], [], []
    for _, sql in kept:
        file.execute(sql)
    file.execute("INSERT INTO letter_word(letter_word) VALUES ('rebuild')")
    key = "workspace_id, state, fingerprint, phone_number_id, error_code, template_name"
    file.execute(f"INSERT INTO letter_tally SELECT {key}, count(*) FROM dead_letter GROUP BY {key}")
    file.execute(
        f"INSERT INTO letter_hour ({key}, hour, letters) SELECT {key}, dead_at / 3600000000, count(*) "
        f"FROM dead_letter WHERE dead_at > {now - 2 * 86_400_000_000} GROUP BY {key}, dead_at / 3600000000"
    )


QUESTIONS = _questions()


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    few = {one.what: one.p95_s for one in ask_all(10_000)}
    for one in ask_all(count):
        base = few[one.what]
        print(f"{one.what:28} {one.p95_s * 1000:8.1f} ms {base * 1000:8.1f} ms {one.p95_s / base:6.2f}")
    done = redrive(min(count, 100_000))
    ratio = done.bare_per_second / done.per_second
    print(f"redrive {done.per_second:,.0f} /s, bare {done.bare_per_second:,.0f} /s, {ratio:.2f} ×", end=" ")
    print(f"runs after {done.start_s * 1000:.0f} ms")
