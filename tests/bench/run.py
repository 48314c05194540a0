"""``make bench``: the figures of docs/benchmarks.md, on both databases, and how they grow. ``--quick``: less
of everything, and nothing is written. ``--ten-million``: over so many rows too, which takes an hour more.

Ours and bare take turns within one run: what else the machine does meets both, so the ratios hold where the
rates do not.
"""

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import at_the_desk
import growth
import ledger
import letters
from beside import TROUBLES, alone_s, beside_s
from direct import CONNECTIONS, Direct, bare_route, clients, direct, start_s
from drain import PER_PHONE, PHONES, Drained, answering, bare_loop, drain, settings_for
from hooks import CONNECTIONS as HOOK_CONNECTIONS
from hooks import Applied, applying, bare_hook, posting, storing
from page import write_block
from processes import printed
from renewal import MESSAGES, PACE, renewed_s
from stores import Store, postgres_answers

FAILING_SHARE = 0.3
SHORT_LADDER = "0.5,1,2,4"
MISSED = ", **missed**"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. ``backlog``, ``sends`` and ``failing`` count messages; ``posts`` webhooks;
    ``told`` messages of which statuses are applied, with ``stored`` and with ``many_stored`` messages in the
    database (0: not measured); ``events`` messages of which conversations are computed; ``conversations``
    of the month that is drafted, ``many_conversations`` stored while this month is asked for (0: neither);
    ``beside`` messages of the phone beside one in trouble; ``decisions`` claims; ``letters`` dead letters,
    of which ``redriven`` are sent again at once; ``growth`` the rows of each step of the growth."""

    rounds: int
    backlog: int
    sends: int
    failing: int
    starts: int
    sign_ins: int
    posts: int
    told: int
    stored: int
    many_stored: int
    events: int
    conversations: int
    many_conversations: int
    beside: int
    decisions: int
    letters: int
    redriven: int
    growth: tuple[int, ...]


FULL = Size(
    rounds=3,
    backlog=20_000,
    sends=3_000,
    failing=2_000,
    starts=3,
    sign_ins=100,
    posts=20_000,
    told=5_000,
    stored=10_000,
    many_stored=0,
    events=1_000_000,
    conversations=1_000_000,
    many_conversations=0,
    beside=800,
    decisions=60,
    letters=1_000_000,
    redriven=100_000,
    growth=growth.SIZES,
)
QUICK = Size(
    rounds=1,
    backlog=3_000,
    sends=600,
    failing=500,
    starts=1,
    sign_ins=20,
    posts=2_000,
    told=1_000,
    stored=10_000,
    many_stored=0,
    events=100_000,
    conversations=100_000,
    many_conversations=0,
    beside=300,
    decisions=20,
    letters=30_000,
    redriven=5_000,
    growth=(10_000, 30_000),
)


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
        ratio = median(ours / bare for ours, bare in pairs)
        return cls(
            what=what,
            ours=f"{median(ours for ours, _ in pairs):,.0f} /s",
            bare=f"{median(bare for _, bare in pairs):,.0f} /s",
            ratio=f"{ratio:.2f}",
            goal=f"≥ {goal}{'' if ratio >= goal else MISSED}",
        )

    @classmethod
    def taking(cls, what: str, compared: ledger.Compared, *, goal: float) -> "Figure":
        """Of seconds: ours may take ``goal`` times as long as the bare thing."""
        return cls(
            what=what,
            ours=f"{compared.ours_s * 1000:,.1f} ms",
            bare=f"{compared.bare_s * 1000:,.1f} ms",
            ratio=f"{compared.ratio:.2f}",
            goal=f"≤ {goal} ×{'' if compared.ratio <= goal else MISSED}",
        )


def measure(size: Size) -> list[Figure]:
    """All figures; says on standard error what is being measured."""
    with tempfile.TemporaryDirectory(prefix="waypost-bench-") as name:
        folder = Path(name)
        with answering(folder) as address:
            drained = _drains(address, size)
            sent = _directs(address, size)
            elsewhere = _on_postgresql(address, size)
        with answering(folder, refused_share=FAILING_SHARE) as address:
            _say("drain with failures")
            failing = drain(address, messages=size.failing, WAYPOST_RETRY_DELAYS=SHORT_LADDER)
    _say("start")
    starts = [start_s() for _ in range(size.starts)]
    _say("sign-ins")
    known_ms, unknown_ms = sign_in_ms(times=size.sign_ins)
    hooks = _hooks(size)
    applied = [_applied(size, stored=size.stored) for _ in range(size.rounds)]
    beside = _beside(size)
    renewed = _renewed(size)
    deciding = _deciding(size, cpu_ms=median(ours.cpu_ms for ours, _ in drained))
    workbench = _letters(size)
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
        Figure.compared(f"webhooks stored, {HOOK_CONNECTIONS} connections", hooks, goal=0.6),
        Figure.compared(
            "statuses applied, from POSTs of 1,000", [(one.ours, one.bare) for one in applied], goal=0.25
        ),
        *_with_many_stored(size, applied),
        *_billing(size),
        *beside,
        *deciding,
        *workbench,
        *renewed,
        Figure("memory of the worker after the drain", _megabytes(drained), "< 200 MB"),
        Figure("memory of the web process after the sends", _megabytes(sent), "< 200 MB"),
        Figure("start of `serve` to the first healthy answer", f"{median(starts):.1f} s", "< 4 s"),
        Figure(
            "failed sign-in, known and unknown address, median",
            f"{known_ms:.0f} ms, {unknown_ms:.0f} ms",
            "within 20 %",
            ratio=f"{known_ms / unknown_ms:.2f}",
        ),
        Figure(
            f"accepted in the end, {FAILING_SHARE:.0%} of the tries failing in passing",
            f"{delivered:.2%}",
            "≥ 99 %",
        ),
        *elsewhere,
    ]


def _on_postgresql(address: str, size: Size) -> list[Figure]:
    """What depends on the database most, on the server that answers."""
    if not postgres_answers():
        _say("nothing on PostgreSQL: none answers at WAYPOST_TEST_POSTGRES_URL")
        return []
    there = Store.POSTGRESQL
    drained = [(ours.per_second, bare) for ours, bare in _drains(address, size, there)]
    sent = [(ours.per_second, bare) for ours, bare in _directs(address, size, there)]
    hooks = _hooks(size, there)
    applied = [_applied(size, stored=size.stored, store=there) for _ in range(size.rounds)]
    _say("a draft and the dead letters, on PostgreSQL")
    drafted = ledger.draft(size.conversations // 10, store=there)
    few = {one.what: one.p95_s for one in letters.ask_all(size.letters // 100, store=there)}
    many = {one.what: one.p95_s for one in letters.ask_all(size.letters // 10, store=there)}
    return [
        Figure.compared("on PostgreSQL: drain by one worker", drained, goal=0.7),
        Figure.compared("on PostgreSQL: direct sends", sent, goal=0.5),
        Figure.compared("on PostgreSQL: webhooks stored", hooks, goal=0.6),
        Figure.compared(
            "on PostgreSQL: statuses applied", [(one.ours, one.bare) for one in applied], goal=0.25
        ),
        Figure.taking(
            f"on PostgreSQL: rating and draft of {size.conversations // 10:,} conversations, against a scan",
            drafted,
            goal=3,
        ),
        *(
            Figure.taking(
                f"on PostgreSQL: {what}, {size.letters // 10:,} dead letters "
                f"instead of {size.letters // 100:,}, 95 %",
                ledger.Compared(many[what], few[what]),
                goal=2,
            )
            for what in ("first page", "groups", max(many, key=lambda what: many[what] / few[what]))
        ),
    ]


def _drains(address: str, size: Size, store: Store = Store.SQLITE) -> list[tuple[Drained, float]]:
    pairs = []
    for number in range(size.rounds):
        _say(f"drain on {store}, round {number + 1} of {size.rounds}")
        bare = bare_loop(address, messages=size.backlog)
        pairs.append((drain(address, messages=size.backlog, store=store), bare))
    return pairs


def _directs(address: str, size: Size, store: Store = Store.SQLITE) -> list[tuple[Direct, float]]:
    pairs = []
    with bare_route(address) as route:
        clients(route, "", messages=CONNECTIONS)
        for number in range(size.rounds):
            _say(f"direct sends on {store}, round {number + 1} of {size.rounds}")
            bare = clients(route, "", messages=size.sends)
            pairs.append((direct(address, messages=size.sends, store=store), bare))
    return pairs


def sign_in_ms(*, times: int) -> tuple[float, float]:
    """Of a known and an unknown address, over a fresh database."""
    with tempfile.TemporaryDirectory(prefix="waypost-bench-") as name:
        known, unknown = printed("signing_in.py", times, cwd=Path(name), settings={}).split()
    return float(known), float(unknown)


def _hooks(size: Size, store: Store = Store.SQLITE) -> list[tuple[float, float]]:
    pairs = []
    with bare_hook() as route:
        posting(route, posts=HOOK_CONNECTIONS)
        for number in range(size.rounds):
            _say(f"webhooks stored on {store}, round {number + 1} of {size.rounds}")
            bare = posting(route, posts=size.posts)
            pairs.append((storing(posts=size.posts, store=store), bare))
    return pairs


def _applied(size: Size, *, stored: int, store: Store = Store.SQLITE) -> Applied:
    _say(f"statuses applied on {store}, {stored:,} messages stored")
    return applying(stored=stored, messages=size.told, store=store)


def _with_many_stored(size: Size, few: list[Applied]) -> list[Figure]:
    if not size.many_stored:
        return []
    many = _applied(size, stored=size.many_stored)
    ours, before = many.ours, median(one.ours for one in few)
    what = f"the same with {size.many_stored:,} messages stored instead of {size.stored:,}"
    return [Figure(what, f"{ours:,.0f} /s", "≤ 1.3 × the cost", f"{before:,.0f} /s", f"{before / ours:.2f}")]


def _billing(size: Size) -> list[Figure]:
    """Conversations and billing; every goal is how many times the bare thing it may take."""
    _say("conversations and billing")
    computed = ledger.recompute(size.events)
    drafted = ledger.draft(size.conversations)
    figures = [
        Figure.taking(f"windows of {size.events:,} events, against a bare loop", computed.rules, goal=4),
        Figure(
            "the same from rows to rows, in batches",
            f"{size.events / computed.whole_s:,.0f} /s",
            "informative",
        ),
        Figure.taking(
            f"rating and draft of {size.conversations:,} conversations, against a scan", drafted, goal=3
        ),
    ]
    if size.many_conversations:
        few, many = ledger.month_at(10_000), ledger.month_at(size.many_conversations)
        what = f"this month, {size.many_conversations:,} conversations stored instead of 10,000"
        figures.append(Figure.taking(what, ledger.Compared(many, few), goal=1.5))
    return figures


def _beside(size: Size) -> list[Figure]:
    """Of another phone's messages, 95 % are out by then: beside a phone in trouble, and alone."""
    pairs: dict[str, list[tuple[float, float]]] = {trouble: [] for trouble in TROUBLES}
    for number in range(min(size.rounds, 3)):
        _say(f"a phone beside another in trouble, round {number + 1} of {min(size.rounds, 3)}")
        alone = alone_s(messages=size.beside)
        for trouble, found in pairs.items():
            found.append((beside_s(trouble, messages=size.beside), alone))
    return [
        Figure(
            f"95 % of {size.beside} messages out, beside {trouble}",
            f"{median(ours for ours, _ in found):.1f} s",
            "≤ 1.2 × alone",
            f"{median(alone for _, alone in found):.1f} s",
            f"{median(ours / alone for ours, alone in found):.2f}",
        )
        for trouble, found in pairs.items()
    ]


def _renewed(size: Size) -> list[Figure]:
    found = []
    for number in range(min(size.rounds, 3)):
        _say(f"a token replaced among {MESSAGES} messages, round {number + 1} of {min(size.rounds, 3)}")
        found.append(renewed_s())
    return [
        Figure(
            "from a replaced token to the first send", f"{median(one for one, _ in found):.2f} s", "≤ 60 s"
        ),
        Figure(
            f"and to the last of {MESSAGES} messages, {PACE} a second",
            f"{median(last for _, last in found):.1f} s",
            "informative",
        ),
    ]


def _deciding(size: Size, *, cpu_ms: float) -> list[Figure]:
    """``cpu_ms``: of a whole send."""
    figures = []
    for processes in (1, 4):
        _say(f"throughput decisions, {processes} at once")
        cost = decision_ms(processes=processes, claims=size.decisions)
        what = f"processor time of a throughput decision, {processes} process{'es' if processes > 1 else ''}"
        goal = f"≤ 3 % of a send{'' if cost / cpu_ms <= 0.03 else MISSED}"
        figures.append(Figure(what, f"{cost:.3f} ms", goal, f"{cpu_ms:.2f} ms", f"{cost / cpu_ms:.1%}"))
    return figures


def _letters(size: Size) -> list[Figure]:
    """The workbench over many letters, beside the same over 10,000: of all its questions the one that grows
    most, and a bulk redrive."""
    _say(f"the workbench over {size.letters:,} dead letters")
    few = {one.what: one.p95_s for one in letters.ask_all(10_000)}
    many = {one.what: one.p95_s for one in letters.ask_all(size.letters)}
    _say("the same in a browser")
    small, large = at_the_desk.look(100), at_the_desk.look(size.letters)
    _say(f"a bulk redrive of {size.redriven:,}")
    redriven = letters.redrive(size.redriven)
    shown = ["first page", "groups", max(many, key=lambda what: many[what] / few[what])]
    figures = [
        Figure.taking(
            f"{what}{', which grows most' if index == 2 else ''}, "
            f"{size.letters:,} dead letters instead of 10,000, 95 %",
            ledger.Compared(many[what], few[what]),
            goal=2,
        )
        for index, what in enumerate(shown)
    ]
    figures += [
        Figure.taking(
            f"{what} in a browser, {size.letters:,} dead letters instead of 100",
            ledger.Compared(many_s, few_s),
            goal=1.5,
        )
        for what, many_s, few_s in (
            ("first row visible", large.row_s, small.row_s),
            ("a letter opened by a click", large.opened_s, small.opened_s),
        )
    ]
    ratio = redriven.bare_per_second / redriven.per_second
    return [
        *figures,
        Figure(
            f"bulk redrive of {size.redriven:,} letters, against a bare UPDATE in chunks",
            f"{redriven.per_second:,.0f} /s",
            f"≤ 3 × the time{'' if ratio <= 3 else MISSED}",
            f"{redriven.bare_per_second:,.0f} /s",
            f"{ratio:.2f}",
        ),
        Figure(
            f"memory of the web process after it showed {size.letters:,} dead letters",
            f"{large.web_mb:.0f} MB",
            "informative",
        ),
        Figure("from the click until it runs", f"{redriven.start_s * 1000:,.0f} ms", "informative"),
    ]


def decision_ms(*, processes: int, claims: int) -> float:
    """For a message, over one database that so many work on at once."""
    with tempfile.TemporaryDirectory(prefix="waypost-bench-") as name, ThreadPoolExecutor(processes) as pool:
        folder, settings = Path(name), settings_for("http://127.0.0.1:9")
        printed("backlog.py", PHONES * PER_PHONE, PHONES, cwd=folder, settings=settings)

        def one(_: int) -> float:
            return float(printed("deciding.py", claims, cwd=folder, settings=settings))

        return median(pool.map(one, range(processes)))


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


def _say(what: str) -> None:
    print(f"measuring: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    wanted = set(sys.argv[1:])
    size = QUICK if "--quick" in wanted else FULL
    if "--ten-million" in wanted:
        size = replace(size, many_stored=10_000_000, many_conversations=10_000_000)
    figures = table(measure(size))
    print(figures)
    grown = growth.table(growth.grow(size.growth, say=_say), size.growth)
    print(grown)
    if size is not QUICK:
        write_block("figures", figures)
        write_block("growth", grown)
