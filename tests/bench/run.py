"""``python tests/bench/run.py``: the figures of docs/benchmarks.md, as one table. ``--quick``: less of
everything, and nothing is written.

Ours and bare take turns within one run: what else the machine does meets both, so the ratios hold where the
rates do not.
"""

import os
import platform
import sqlite3
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from direct import CONNECTIONS, Direct, bare_route, clients, direct, start_s
from drain import IN_FLIGHT, PER_PHONE, PHONES, Drained, answering, bare_loop, drain
from processes import ROOT

REPORT = ROOT / "docs" / "benchmarks.md"
FAILING_SHARE = 0.3
SHORT_LADDER = "0.5,1,2,4"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. ``backlog``, ``sends`` and ``failing`` count messages."""

    rounds: int
    backlog: int
    sends: int
    failing: int
    starts: int


FULL = Size(rounds=5, backlog=20_000, sends=3_000, failing=2_000, starts=3)
QUICK = Size(rounds=1, backlog=3_000, sends=600, failing=500, starts=1)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table; every column as it is shown."""

    what: str
    ours: str
    goal: str
    bare: str = ""
    ratio: str = ""

    @classmethod
    def compared(cls, what: str, pairs: list[tuple[float, float]], *, goal: float) -> "Figure":
        """Of (ours, bare) in messages a second: the medians, and the median of the rounds' ratios."""
        return cls(
            what=what,
            ours=f"{median(ours for ours, _ in pairs):,.0f} /s",
            bare=f"{median(bare for _, bare in pairs):,.0f} /s",
            ratio=f"{median(ours / bare for ours, bare in pairs):.2f}",
            goal=f"≥ {goal}",
        )


def measure(size: Size) -> list[Figure]:
    """All figures; says on standard error what is being measured."""
    with tempfile.TemporaryDirectory(prefix="waypost-bench-") as name:
        folder = Path(name)
        with answering(folder) as address:
            drained = _drains(address, size)
            sent = _directs(address, size)
        with answering(folder, refused_share=FAILING_SHARE) as address:
            _say("drain with failures")
            failing = drain(address, messages=size.failing, WAYPOST_RETRY_DELAYS=SHORT_LADDER)
    _say("start")
    starts = [start_s() for _ in range(size.starts)]
    delivered = failing.by_state.get("sent", 0) / size.failing
    return [
        Figure.compared(
            f"drain by one worker, {size.backlog:,} messages, {PHONES} phones",
            [(ours.per_second, bare) for ours, bare in drained],
            goal=0.7,
        ),
        Figure.compared(
            f"direct sends through the API, {CONNECTIONS} connections",
            [(ours.per_second, bare) for ours, bare in sent],
            goal=0.5,
        ),
        Figure("memory of the worker after the drain", _megabytes(drained), "< 200 MB"),
        Figure("memory of the web process after the sends", _megabytes(sent), "< 200 MB"),
        Figure("start of `serve` to the first healthy answer", f"{median(starts):.1f} s", "< 4 s"),
        Figure(
            f"accepted in the end, {FAILING_SHARE:.0%} of the tries failing in passing",
            f"{delivered:.2%}",
            "≥ 99 %",
        ),
    ]


def _drains(address: str, size: Size) -> list[tuple[Drained, float]]:
    pairs = []
    for number in range(size.rounds):
        _say(f"drain, round {number + 1} of {size.rounds}")
        bare = bare_loop(address, messages=size.backlog)
        pairs.append((drain(address, messages=size.backlog), bare))
    return pairs


def _directs(address: str, size: Size) -> list[tuple[Direct, float]]:
    pairs = []
    with bare_route(address) as route:
        clients(route, "", messages=CONNECTIONS)
        for number in range(size.rounds):
            _say(f"direct sends, round {number + 1} of {size.rounds}")
            bare = clients(route, "", messages=size.sends)
            pairs.append((direct(address, messages=size.sends), bare))
    return pairs


def _megabytes(pairs: list[tuple[Drained, float]] | list[tuple[Direct, float]]) -> str:
    return f"{max(ours.memory_mb for ours, _ in pairs):.0f} MB"


def table(figures: list[Figure]) -> str:
    """The figures as a Markdown table whose columns line up."""
    rows = [("figure", "ours", "bare", "ratio", "goal")]
    rows += [(one.what, one.ours, one.bare, one.ratio, one.goal) for one in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def report(figures: list[Figure], size: Size) -> str:
    machine = (
        f"{os.cpu_count()} cores ({platform.machine()}), {platform.system()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version} with `synchronous=FULL`"
    )
    return f"""# Benchmarks

What `make bench` measured on {datetime.now(UTC):%d %B %Y}: {machine}. It overwrites this page.

{table(figures)}

Rates are medians of {size.rounds} rounds. Ours and bare take turns, and the ratio is the median of the
rounds' ratios: it holds on a busy machine, the rates do not.

## What is compared with what

- **Drain**: a worker process as `serve` runs it, with clock and queue, over a backlog that is due;
  {PER_PHONE} sends in flight for a phone, {IN_FLIGHT} in all, the phones' throughput lifted. *Bare* is a loop
  that keeps {IN_FLIGHT} requests of the same size in flight with the same HTTP client and transport, against
  the same server, and stores nothing. The rate counts from the first claim to the last settling, by the
  worker's own stamps.
- **Direct sends**: the web process as `serve` runs it, throughput lifted; every send is authorised, checked,
  stored, sent, settled and answered. *Bare* is a FastAPI route of one process that forwards each request
  with the same HTTP client and stores nothing.
- **Meta** is a server in a process of its own that answers every request at once and does nothing else.
- **Failing in passing**: that share of all tries is refused with Meta's 131016, tries of retries included;
  the ladder is {SHORT_LADDER} seconds. Five tries in a row fail for {FAILING_SHARE**5:.2%} of the messages.
- **Memory** is the resident set of one process.
"""


def _say(what: str) -> None:
    print(f"measuring: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    quick = "--quick" in sys.argv[1:]
    chosen = QUICK if quick else FULL
    found = measure(chosen)
    print(table(found))
    if not quick:
        REPORT.write_text(report(found, chosen))
