"""What the clock does, and when (C2): the one table. What it calls is core's."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from core import audit
from core.alerts import telling
from core.alerts.delivery import tell_due
from core.backups.taking import take_by_schedule
from core.billing import invoices, posting, thresholds, workspaces
from core.contacts.sweeping import clear_webhooks, has_work
from core.conversations import commands as conversations
from core.dead_letters import bulk
from core.dead_letters import purge as letter_purge
from core.inbox.lane import has_due as webhooks_due
from core.inbox.purge import purge
from core.inbox.watch import find_silent, watch
from core.lanes import probes
from core.lanes.commands import end_holds, has_ended_holds
from core.mail.delivery import deliver_due
from core.messaging import letter_counts
from core.messaging.aside import has_parked_no_more, unpark
from core.messaging.claiming import has_due
from core.messaging.settling import rescue
from core.monitoring import commands as monitoring
from core.monitoring.queries import BEAT_EVERY_S
from core.monitoring.watching import watch as watch_health
from core.phones import charges
from core.phones import sync as phones
from core.phones.due import DueAccount, Reading
from core.ports.bell import Due
from core.runtime import Runtime
from core.schedules.running import Line
from core.templates import metric_purge, standing
from core.templates import sync as templates
from core.tokens import refresh as tokens
from core.traffic import folding
from core.unit import Identity, Unit

log = structlog.get_logger()

CLOCK = Identity(process="clock")


HOUR_S, DAY_S = 3600.0, 86_400.0
HEARTBEAT = "heartbeat"


@dataclass(frozen=True, slots=True)
class Schedule:
    """``run`` is called every ``every_s`` seconds, and says in words what came of it.

    With ``at_s`` it has its moments, so many seconds past midnight UTC and every ``every_s`` from there; a
    missed one is made up for once, and each run is kept. Without, it is a tick: of those only the last run
    and failures are kept. ``by_leader`` ticks happen in one clock process only. ``when_asked`` is called
    before, when a person wants it now. ``at_start``: it also runs when a clock begins to lead.
    """

    name: str
    every_s: float
    run: Callable[[Runtime], str | None]
    about: str
    by_leader: bool = True
    at_s: float | None = None
    can_pause: bool = True
    when_asked: Callable[[Runtime], object] | None = None
    at_start: bool = False

    @property
    def line(self) -> Line:
        """What is on record of it."""
        return Line(self.name, self.about, self.every_s, self.at_s, self.can_pause, self.at_start)


def schedules(runtime: Runtime) -> list[Schedule]:
    """The one table of what happens when."""
    sweep_tokens_every_s = runtime.settings.token_refresh_interval_hours * HOUR_S
    table = [
        # Every clock does these two: after a crash the leader's lease would keep them waiting for longer than
        # the work it left may wait. Done twice they do no harm.
        Schedule("sweep", 1.0, sweep, "Finds due work that no one rang for", by_leader=False),
        Schedule("rescue", 2.0, rescue_all, "Takes back what a dead worker had", by_leader=False),
        Schedule("bulk work", 0.5, bulk.run_due, "Does what was asked of many dead letters"),
        Schedule("letter counts", 2.0, count_letters, "Adds up what became of dead letters"),
        Schedule("traffic", 5.0, count_traffic, "Adds up what was sent and heard"),
        Schedule("probes", 1.0, probe, "Asks whether what Meta holds may go again"),
        Schedule(
            HEARTBEAT, BEAT_EVERY_S, beat, "Says that the clock is alive", by_leader=False, can_pause=False
        ),
        Schedule("health watch", 60.0, watch_health, "Whether disk, backups and queue are well"),
        Schedule("webhook watch", 10.0, watch_webhooks, "Whether webhooks come, and in time"),
        Schedule(
            "purge", DAY_S, purge_webhooks, "Forgets webhooks older than the retention", at_s=2.5 * HOUR_S
        ),
        Schedule(
            "purge notices",
            DAY_S,
            purge_notices,
            "Forgets what channels were told",
            at_s=2.75 * HOUR_S,
        ),
        Schedule(
            "purge template metrics",
            DAY_S,
            purge_metrics,
            "Leaves the day's totals of what became of templates",
            at_s=2.9 * HOUR_S,
        ),
        Schedule(
            "purge traffic",
            DAY_S,
            purge_traffic,
            "Forgets minutes and hours of traffic that nobody looks at any more",
            at_s=2.95 * HOUR_S,
        ),
        Schedule(
            "template guard",
            20.0,
            judge_again,
            "Whether workspaces with rejections are well again",
            can_pause=False,
        ),
        Schedule(
            "purge letters",
            DAY_S,
            purge_letters,
            "Forgets dead letters that were dealt with long ago",
            at_s=3.0 * HOUR_S,
        ),
        Schedule("mail", 2.0, send_mail, "Sends mail that is due"),
        Schedule("alert channels", 2.0, tell_channels, "Tells alerts through channels"),
        Schedule("erasures", 5.0, finish_erasures, "Empties webhooks that name erased contacts"),
        Schedule(
            "phone sync",
            10.0,
            sync_phones,
            "Reads each account from Meta, hourly",
            when_asked=make_phones_due,
        ),
        Schedule(
            "template sync",
            10.0,
            sync_templates,
            "Reads each account's templates, hourly",
            when_asked=make_templates_due,
        ),
        Schedule(
            "meta charges",
            60.0,
            copy_charges,
            "Copies what Meta says it charged, daily",
            when_asked=make_charges_due,
        ),
        Schedule("conversations", 20.0, conversations.recompute_due, "Computes conversations that changed"),
        Schedule(
            "close conversations", 300.0, conversations.close_ended, "Writes down which have ended", at_s=0.0
        ),
        Schedule("time zones", 60.0, workspaces.begin_zones, "Lets new time zones begin with their month"),
        # Every hour, because every workspace's month and day end at an hour of its own.
        Schedule(
            "invoice drafts", HOUR_S, invoices.draft_all, "Brings drafts of invoices up to date", at_s=420.0
        ),
        Schedule(
            "finalise invoices",
            HOUR_S,
            invoices.finalise_due,
            "Finalises those whose grace is over",
            at_s=720.0,
        ),
        Schedule("post invoices", 60.0, posting.post_due, "Mails invoices that were finalised"),
        Schedule("billing watch", 60.0, thresholds.watch_all, "Whether plans and budgets are nearly used"),
        Schedule(
            "audit head", HOUR_S, tell_audit_head, "Puts the end of the audit log into this one", at_s=0.0
        ),
        Schedule("tokens", 1.0, tokens.keep_alive, "Renews tokens, and tries again what failed"),
        Schedule(
            "token sweep",
            sweep_tokens_every_s,
            sweep_tokens,
            "Has every token looked at",
            at_s=0.0,
            at_start=True,
        ),
    ]
    if runtime.settings.waypost_backup_dir is not None and runtime.database.is_sqlite:
        every_s = runtime.settings.waypost_backup_hours * HOUR_S
        table.append(Schedule("backups", every_s, take_by_schedule, "Copies the whole database", at_s=900.0))
    if runtime.settings.waypost_demo:
        from core import demo

        table.append(
            Schedule("demo traffic", demo.EVERY_S, demo.send_some, "Sends as a calm working day does")
        )
    return table


def sweep(runtime: Runtime) -> None:
    """Due work that nobody rang for is found within a second; so are holds that have ended, and templates
    that may be sent again."""
    with runtime.unit(CLOCK) as unit:
        due = {Due.SENDS: has_due(unit), Due.WEBHOOKS: webhooks_due(unit)}
        ended, parked = has_ended_holds(unit), has_parked_no_more(unit)
    if ended:
        with runtime.unit(CLOCK, write=True) as unit:
            end_holds(unit)
    while parked:
        with runtime.unit(CLOCK, write=True) as unit:
            parked = unpark(unit) > 0
    for work, waits in due.items():
        if waits:
            runtime.bell.ring(work)


def probe(runtime: Runtime) -> None:
    """Whether what Meta holds may go again is asked as soon as it is time to."""
    with runtime.unit(CLOCK) as unit:
        due = probes.has_due(unit)
    if due:
        asyncio.run(_probe(replace(runtime, graph=runtime.graph.again())))


async def _probe(runtime: Runtime) -> None:
    try:
        await probes.probe(runtime)
    finally:
        await runtime.graph.close()


def finish_erasures(runtime: Runtime) -> None:
    """Raw webhooks that name erased contacts are emptied, some at a time."""
    with runtime.unit(CLOCK) as unit:
        more = has_work(unit)
    while more:
        with runtime.unit(CLOCK, write=True) as unit:
            more = clear_webhooks(unit)


def rescue_all(runtime: Runtime) -> str | None:
    """What a dead process had is taken back."""
    taken_back = 0
    while True:
        with runtime.unit(CLOCK, write=True) as unit:
            rescued = rescue(unit)
        if not rescued:
            return f"Took back {counted(taken_back, 'message')}" if taken_back else None
        taken_back += rescued
        log.warning("took back work of a process that is gone", messages=rescued)


def watch_webhooks(runtime: Runtime) -> None:
    """Alerts say whether webhooks come, are Meta's, and are applied in time."""
    with runtime.unit(CLOCK) as unit:
        silent = find_silent(unit)
    with runtime.unit(CLOCK, write=True) as unit:
        watch(unit, silent)


def purge_webhooks(runtime: Runtime) -> str:
    """Raw webhooks older than the retention are forgotten, little by little."""
    return f"Forgot {counted(_purge(runtime, purge), 'webhook')}"


def purge_notices(runtime: Runtime) -> str:
    """So is what was said through alert channels."""
    return f"Forgot {counted(_purge(runtime, telling.purge), 'notice')}"


def purge_metrics(runtime: Runtime) -> str:
    """Of what became of templates long ago the day's totals are left."""
    return f"Totalled {counted(_purge(runtime, metric_purge.purge), 'event')}"


def purge_letters(runtime: Runtime) -> str:
    """So are dead letters that were dealt with, and words and counts that nobody needs any more."""
    forgotten = _purge(runtime, letter_purge.purge)
    more, go_on = True, False
    while more:
        with runtime.unit(CLOCK, write=True) as unit:
            more = letter_purge.tidy_words(unit, go_on=go_on)
        go_on = True
    with runtime.unit(CLOCK, write=True) as unit:
        letter_counts.forget_old_hours(unit)
    return f"Forgot {counted(forgotten, 'dead letter')}"


def _purge(runtime: Runtime, some: Callable[[Unit], int]) -> int:
    forgotten = 0
    while True:
        with runtime.unit(CLOCK, write=True) as unit:
            purged = some(unit)
        if not purged:
            return forgotten
        forgotten += purged


def judge_again(runtime: Runtime) -> str | None:
    """Levels are as they should be when events have grown old."""
    judged = standing.keep_due(runtime)
    return f"Judged {counted(judged, 'workspace')}" if judged else None


def tell_channels(runtime: Runtime) -> None:
    tell_due(runtime)


def send_mail(runtime: Runtime) -> str | None:
    sent = deliver_due(runtime)
    return f"Sent {counted(sent, 'mail')}" if sent else None


def make_phones_due(runtime: Runtime) -> None:
    _make_due(runtime, phones.READING)


def make_templates_due(runtime: Runtime) -> None:
    _make_due(runtime, templates.READING)


def make_charges_due(runtime: Runtime) -> None:
    _make_due(runtime, charges.READING)


def sync_phones(runtime: Runtime) -> str | None:
    """Accounts are read from Meta every hour, and soon after a webhook spoke of them."""
    return _read_due(runtime, phones.READING)


def sync_templates(runtime: Runtime) -> str | None:
    """Templates are read from Meta every hour, and soon after a webhook told of one."""
    return _read_due(runtime, templates.READING)


def copy_charges(runtime: Runtime) -> str | None:
    """What Meta says it charged is copied every day: it forgets it."""
    return _read_due(runtime, charges.READING)


def sweep_tokens(runtime: Runtime) -> str:
    """Every token is to be looked at; the tick of the tokens does it."""
    return f"{counted(tokens.look_at_all(runtime), 'token')} to look at"


def tell_audit_head(runtime: Runtime) -> str:
    """The end of the audit log is said in this one, where nobody who changes the database can reach it."""
    with runtime.unit(CLOCK) as unit:
        number, hashed = audit.head(unit.session)
    log.info("audit head", number=number, hash=hashed)
    return f"Entry {number:,}"


def _make_due(runtime: Runtime, reading: Reading) -> None:
    with runtime.unit(CLOCK, write=True) as unit:
        reading.make_all_due(unit)


def _read_due(runtime: Runtime, reading: Reading) -> str | None:
    with runtime.unit(CLOCK) as unit:
        if not reading.has_due(unit):
            return None
    with runtime.unit(CLOCK, write=True) as unit:
        due = reading.take_due(unit)
    if not due:
        return None
    asyncio.run(_read(replace(runtime, graph=runtime.graph.again()), reading, due))
    return f"Read {counted(len(due), 'account')}"


async def _read(runtime: Runtime, reading: Reading, due: list[DueAccount]) -> None:
    try:
        await reading.read_all(runtime, CLOCK, due)
    finally:
        await runtime.graph.close()


def count_traffic(runtime: Runtime) -> None:
    """What was counted is in the minutes, hours and days."""
    _add_up(runtime, folding.has_changes, folding.add_up, at_once=folding.AT_ONCE)


def purge_traffic(runtime: Runtime) -> None:
    """Two days of minutes, two months of hours and two years of days stay."""
    with runtime.unit(CLOCK, write=True) as unit:
        folding.forget_old(unit)


def count_letters(runtime: Runtime) -> None:
    """Changes of dead letters are added up, so that whoever counts them reads little."""
    _add_up(runtime, letter_counts.has_changes, letter_counts.add_up, at_once=letter_counts.AT_ONCE)


def _add_up(
    runtime: Runtime, has_some: Callable[[Unit], bool], add_up: Callable[[Unit], int], *, at_once: int
) -> None:
    """Some in a transaction, until fewer come than that."""
    with runtime.unit(CLOCK) as unit:
        more = has_some(unit)
    while more:
        with runtime.unit(CLOCK, write=True) as unit:
            more = add_up(unit) == at_once


def beat(runtime: Runtime) -> None:
    with runtime.unit(CLOCK, write=True) as unit:
        monitoring.beat_clock(unit, holder=runtime.holder)
    monitoring.write_counts(runtime)


def counted(count: int, one: str) -> str:
    """``1 token``, ``1,200 tokens``."""
    return f"{count:,} {one}{'' if count == 1 else 's'}"
