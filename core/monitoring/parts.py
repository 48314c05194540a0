"""What Waypost is made of, and how each part is: the one list for the Health page and ``doctor``."""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text
from sqlmodel import col, func, select

from core.errors import Unavailable
from core.monitoring.commands import CLOCK, INBOX, STANDBY, WEB, WORKER
from core.monitoring.queries import STALE_AFTER
from core.monitoring.rules import GIGABYTE, Standing, late_since, of_disk, of_lag
from core.ports.bell import QueueUnreachable
from core.runtime import Runtime
from core.unit import Identity, Unit
from data.alerts import Alert, Mail
from data.columns import from_micros
from data.enums import HoldCause, HoldScope, MailState
from data.inbox import Delivery
from data.operations import Heartbeat
from data.sending import Hold

# One step through an index for each workspace.
_NEWEST_SENT = text(
    "SELECT max((SELECT max(sent_at) FROM message WHERE message.workspace_id = workspace.id)) FROM workspace"
)
_START = "Start one: python main.py serve"
SINCE = "Since"
UNWELL = "part_unwell"
SLOW_S = 1.0


@dataclass(frozen=True, slots=True)
class Part:
    """``said``: how it is, in a sentence that names no tenant. ``at``: the moment that tells most; ``of``:
    what it is the moment of, as in *Last mail*. ``advice``: what to do, empty while all is well."""

    key: str
    title: str
    standing: Standing
    said: str
    advice: str = ""
    at: datetime | None = None
    of: str = SINCE


def examine(runtime: Runtime, identity: Identity) -> list[Part]:
    """Each part, as it is now. Real checks: it reads the database, asks the queue, looks at the disk."""
    began = runtime.clock.monotonic()
    try:
        with runtime.unit(identity) as unit:
            unit.require("monitoring.view")
            unit.session.connection().execute(text("SELECT 1"))
            took_s = runtime.clock.monotonic() - began
            processes = [*_processes(unit)]
            traffic = [_webhooks(unit), _meta(unit), _mail(unit)]
            unwell = _unwell(unit)
    except Unavailable as error:
        lost = Part("database", "Database", Standing.BAD, error.sentence, "See whether it runs.")
        return [lost, *quiet_parts(runtime)]
    queue, *others = [_since(part, unwell) for part in quiet_parts(runtime)]
    return [*processes, _database(runtime, took_s), queue, *traffic, *others]


def quiet_parts(runtime: Runtime) -> list[Part]:
    """Those that leave no trace in the database: the queue, the disk, backups. An alert about each says since
    when it is unwell."""
    return [_queue(runtime), _disk(runtime), _backups(runtime)]


def _since(part: Part, unwell: dict[str, datetime]) -> Part:
    is_unwell = part.standing in (Standing.BAD, Standing.WARNING)
    is_known = is_unwell and part.at is None and part.key in unwell
    return replace(part, at=unwell[part.key]) if is_known else part


def _unwell(unit: Unit) -> dict[str, datetime]:
    """part → since when an alert about it is open."""
    is_open = col(Alert.workspace_id).is_(None) & col(Alert.resolved_at).is_(None)
    return dict(
        unit.session.exec(
            select(Alert.subject, Alert.opened_at).where(is_open, col(Alert.kind) == UNWELL)
        ).all()
    )


def _processes(unit: Unit) -> Iterator[Part]:
    settings = unit.settings
    alive: Counter[str] = Counter()
    seen: dict[str, datetime] = {}
    for kind, at in unit.session.exec(select(Heartbeat.kind, Heartbeat.beat_at)):
        seen[kind] = max(at, seen.get(kind, at))
        alive[kind] += unit.now - at < STALE_AFTER
    for key, title, kind, is_wanted, does in (
        ("web", "Web", WEB, True, "Pages, the API and webhooks are served"),
        ("worker", "Worker", WORKER, settings.start_message_retry_worker, "Messages are sent and retried"),
        ("inbox", "Webhook worker", INBOX, settings.start_webhook_worker, "Webhooks are applied"),
        ("clock", "Clock", CLOCK, True, "Schedules run"),
    ):
        if not is_wanted:
            yield Part(key, title, Standing.OFF, "Switched off by a setting.")
        elif alive[kind]:
            more = f", {alive[STANDBY]} standing by" if kind == CLOCK and alive[STANDBY] else ""
            count = _counted(alive[kind], "process", "processes")
            yield Part(key, title, Standing.WELL, f"{does}: {count}{more}.")
        elif kind in seen:
            advice = f"{_START}; the log of the one that stopped says why."
            yield Part(key, title, Standing.BAD, "It has stopped.", advice, seen[kind])
        else:
            yield Part(key, title, Standing.BAD, "None was ever seen.", f"{_START}.")


def _database(runtime: Runtime, took_s: float) -> Part:
    database = runtime.database
    size = f", {_size(database.path.stat().st_size)}" if database.is_sqlite else ""
    said = f"{'SQLite' if database.is_sqlite else 'PostgreSQL'}{size}, answers in {took_s * 1000:.1f} ms."
    if took_s > SLOW_S:
        advice = "It is slow: look at its disk, and at what else the machine does."
        return Part("database", "Database", Standing.WARNING, said, advice)
    return Part("database", "Database", Standing.WELL, said)


def _queue(runtime: Runtime) -> Part:
    began = runtime.clock.monotonic()
    try:
        waiting = runtime.bell.waiting()
    except QueueUnreachable as error:
        said = f"Huey's storage cannot be used ({error}). The clock finds due work every second meanwhile."
        return Part("queue", "Queue", Standing.BAD, said, "Check WAYPOST_QUEUE_URL and what it points to.")
    took_ms = (runtime.clock.monotonic() - began) * 1000
    rings = _counted(waiting, "ring waits", "rings wait") if waiting else "no ring waits"
    return Part("queue", "Queue", Standing.WELL, f"Huey's storage answers in {took_ms:.1f} ms; {rings}.")


def _webhooks(unit: Unit) -> Part:
    key, title = "webhooks", "Webhooks"
    pending = select(Delivery.received_at).where(text("state = 'pending'"))
    oldest = unit.session.exec(pending.order_by(col(Delivery.id)).limit(1)).first()
    standing = of_lag(oldest, now=unit.now)
    if standing is not Standing.WELL:
        said = "They wait to be applied; statuses, replies and billing are behind by as much."
        advice = "Check that a webhook worker runs, and that the database answers."
        return Part(key, title, standing, said, advice, oldest)
    every = select(Delivery.received_at).order_by(col(Delivery.id).desc())
    newest = unit.session.exec(every.limit(1)).first()
    said = "Applied as they come." if newest else "None has come yet."
    return Part(key, title, standing, said, at=newest, of="Last webhook")


def _meta(unit: Unit) -> Part:
    key, title = "meta", "Meta"
    held = select(func.count(), func.min(Hold.held_at)).where(
        text("released_at IS NULL"), col(Hold.cause) == HoldCause.META
    )
    everything, since = unit.session.exec(held.where(col(Hold.scope) == HoldScope.EVERYTHING)).one()
    if everything:
        said = "It cannot be reached, so sending waits. One message is tried now and then."
        advice = "If Meta is down, nothing: messages go by themselves. Else check this machine's network."
        return Part(key, title, Standing.BAD, said, advice, since)
    lanes, since = unit.session.exec(held).one()
    if lanes:
        said = f"It fails at everything of {_counted(lanes, 'number, which waits', 'numbers, which wait')}."
        return Part(key, title, Standing.WARNING, said, "Nothing: each is tried again by itself.", since)
    newest = unit.session.connection().execute(_NEWEST_SENT).scalar()
    if newest is None:
        return Part(key, title, Standing.WELL, "No message was sent yet.")
    at = from_micros(newest)
    return Part(key, title, Standing.WELL, "It takes messages.", at=at, of="Last message taken")


def _mail(unit: Unit) -> Part:
    key, title = "mail", "Mail"
    advice = "Check WAYPOST_SMTP_URL; the alert about the mail says what the server answered."
    tried = (text("state = 'queued'"), col(Mail.attempts) > 0)
    count, oldest = unit.session.exec(select(func.count(), func.min(Mail.created_at)).where(*tried)).one()
    if count:
        said = f"{_counted(count, 'mail was', 'mails were')} not taken yet, and tried again."
        return Part(key, title, Standing.WARNING, said, advice, oldest)
    settled = select(Mail.state, Mail.created_at).where(col(Mail.state) != MailState.QUEUED)
    last = unit.session.exec(settled.order_by(col(Mail.id).desc()).limit(1)).first()
    if last is not None and last[0] is MailState.FAILED:
        said = "The last mail could not be delivered."
        return Part(key, title, Standing.BAD, said, advice, last[1])
    said = "Goes to a mail server." if unit.settings.smtp_url else "Goes into files in var/outbox."
    return Part(key, title, Standing.WELL, said, at=last[1] if last else None, of="Last mail")


def _disk(runtime: Runtime) -> Part:
    database = runtime.database
    folder = database.path.parent if database.is_sqlite else Path()
    try:
        usage = shutil.disk_usage(folder)
    except OSError as error:
        said = f"It cannot be looked at: {error.strerror}."
        return Part("disk", "Disk", Standing.WARNING, said, "Check that the folder is there.")
    standing = of_disk(free=usage.free, total=usage.total)
    of = "where the database lies" if database.is_sqlite else "where the web process runs"
    said = f"{_size(usage.free)} of {_size(usage.total)} are free {of}."
    advice = "" if standing is Standing.WELL else "Free some: a full disk stops all sending."
    return Part("disk", "Disk", standing, said, advice)


def _backups(runtime: Runtime) -> Part:
    key, title, of = "backups", "Backups", "Newest backup"
    folder = runtime.settings.waypost_backup_dir
    if folder is None:
        return Part(key, title, Standing.OFF, "WAYPOST_BACKUP_DIR is not set, so none are watched.")
    try:
        newest = max((one.stat().st_mtime for one in folder.iterdir() if one.is_file()), default=None)
    except OSError as error:
        said = f"The folder of WAYPOST_BACKUP_DIR cannot be read: {error.strerror}."
        return Part(key, title, Standing.BAD, said, "Mend that, and make a backup.")
    if newest is None:
        return Part(key, title, Standing.BAD, "There is none in WAYPOST_BACKUP_DIR.", "Make one now.")
    made_at = datetime.fromtimestamp(newest, UTC)
    if late_since(made_at, every_h=runtime.settings.waypost_backup_hours) <= runtime.clock.now():
        advice = "Look why no newer one was made, and make one now."
        return Part(key, title, Standing.BAD, "The newest one is too old.", advice, made_at, of)
    return Part(key, title, Standing.WELL, "Made as often as they should be.", at=made_at, of=of)


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _size(count: int) -> str:
    """``12.3 GB``, ``45 MB``."""
    return f"{count / GIGABYTE:.1f} GB" if count >= GIGABYTE else f"{max(1, round(count / (1 << 20)))} MB"
