"""``python growth.py [ROWS …]``: how what a piece of work takes grows with what is stored already.

By default 10,000, 100,000 and 1,000,000 rows. The exponent is the slope of the logarithm of the time over
that of the rows: 0 is work that does not grow, 1 what grows with the rows.
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from statistics import linear_regression

import ledger
import letters
from drain import answering, drain
from hooks import applying

SIZES = (10_000, 100_000, 1_000_000)
SENT, TOLD = 5_000, 5_000
FLAT, LINEAR = 0.15, 1.1


@dataclass(frozen=True, slots=True)
class Grown:
    """``took_s``: of the same work, once for each size."""

    what: str
    took_s: tuple[float, ...]
    exponent: float
    goal: float


def grow(sizes: Sequence[int], *, say: Callable[[str], None]) -> list[Grown]:
    found = []
    for what, (work, goal) in WORK.items():
        took = []
        for size in sizes:
            say(f"{what}, {size:,} stored")
            took.append(work(size))
        slope = linear_regression([log(size) for size in sizes], [log(one) for one in took]).slope
        found.append(Grown(what, tuple(took), slope, goal))
    return found


def table(grown: Sequence[Grown], sizes: Sequence[int]) -> str:
    head = "| the same work | " + " | ".join(f"with {size:,}" for size in sizes) + " | exponent | goal |"
    lines = [head, "|---" * (len(sizes) + 3) + "|"]
    for one in grown:
        took = " | ".join(f"{seconds * 1000:,.1f} ms" for seconds in one.took_s)
        missed = ", **missed**" if one.exponent > one.goal else ""
        lines.append(f"| {one.what} | {took} | {one.exponent:+.2f} | ≤ {one.goal}{missed} |")
    return "\n".join(lines)


def _sends(waiting: int) -> float:
    with tempfile.TemporaryDirectory(prefix="waypost-bench-") as name, answering(Path(name)) as address:
        return SENT / drain(address, messages=waiting, first=SENT).per_second


def _statuses(stored: int) -> float:
    return 3 * TOLD / applying(stored=stored, messages=TOLD).ours


def _letters(question: str) -> Callable[[int], float]:
    return lambda stored: letters.ask(question, stored)


WORK: dict[str, tuple[Callable[[int], float], float]] = {
    f"{SENT:,} of the waiting messages are sent": (_sends, FLAT),
    f"{3 * TOLD:,} statuses are applied": (_statuses, FLAT),
    "the first page of the dead letters": (_letters("first page"), FLAT),
    "their groups": (_letters("groups"), FLAT),
    "what this month has cost so far": (ledger.month_at, FLAT),
    "the draft of a month with so many conversations": (lambda size: ledger.draft(size).ours_s, LINEAR),
}


if __name__ == "__main__":
    chosen = tuple(map(int, sys.argv[1:])) or SIZES
    print(table(grow(chosen, say=lambda what: print(what, file=sys.stderr, flush=True)), chosen))
