"""Whether webhooks come, are Meta's, and are applied in time. What is not so is an alert until it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Row, text
from sqlmodel import col, func, select

from core.alerts.commands import raise_alert, resolve_alert
from core.alerts.kinds import kind_of
from core.inbox.signatures import bad_since
from core.unit import Unit
from data.alerts import Alert
from data.columns import from_micros, to_micros
from data.enums import Severity
from data.inbox import PENDING, Delivery, PhoneHeard

SILENCE, LAG, SIGNATURES = "webhook_silence", "webhook_lag", "webhook_signatures"
LATE_AFTER = timedelta(seconds=60)
SILENT_AFTER = timedelta(minutes=5)
SENT_WITHIN = timedelta(minutes=10)
REFUSED_WITHIN = timedelta(minutes=5)
LOOKED_AT = 100_000
PAGE = "/webhooks"

# One step through the index of each workspace, over ten minutes of its sends. SQLite must be told to, or it
# walks all messages in the order of the groups.
_SENT = """
SELECT message.workspace_id, message.phone_number_id, min(message.sent_at) AS first_at, last_at
FROM workspace CROSS JOIN message {hint}
LEFT JOIN phone_heard ON phone_heard.phone_number_id = message.phone_number_id
WHERE message.workspace_id = workspace.id
  AND message.sent_at >= :since AND message.sent_at < :until AND message.direction = 'outbound'
GROUP BY message.workspace_id, message.phone_number_id, last_at
ORDER BY message.workspace_id, message.phone_number_id
"""
_SENT_ON = {
    "sqlite": text(_SENT.format(hint="INDEXED BY ix_message_sent")),
    "postgresql": text(_SENT.format(hint="")),
}


@dataclass(frozen=True, slots=True)
class SilentPhone:
    phone_number_id: str
    workspace_id: str


def watch(unit: Unit, silent: Iterable[SilentPhone]) -> None:
    """Alerts are as the last minutes were. ``silent``: what ``find_silent`` found, a moment ago."""
    _watch_lag(unit)
    _watch_signatures(unit)
    _watch_silence(unit, silent)


def find_silent(unit: Unit) -> list[SilentPhone]:
    """The numbers that are silent now. It reads ten minutes of sends: a writer would keep others waiting."""
    span = {"since": to_micros(unit.now - SENT_WITHIN), "until": to_micros(unit.now)}
    connection = unit.session.connection()
    return [
        SilentPhone(row.phone_number_id, row.workspace_id)
        for row in connection.execute(_SENT_ON[connection.dialect.name], span)
        if _row_is_silent(row, now=unit.now)
    ]


def is_silent(*, first_sent_at: datetime, last_heard_at: datetime | None, now: datetime) -> bool:
    """Whether a number that sends is told nothing: five minutes after a send that Meta took, no webhook has
    come for the number since.

    *Sent at 9:00, nothing since 8:58 → silent at 9:05; a status at 9:07 → no more.*
    """
    if now - first_sent_at < SILENT_AFTER:
        return False
    return last_heard_at is None or last_heard_at < first_sent_at


def _watch_lag(unit: Unit) -> None:
    """*Received at 9:00:00 and still waiting at 9:01:01 → alert; nothing waits any more → resolved.*"""
    oldest = (
        select(Delivery.workspace_id, Delivery.received_at)
        .where(PENDING)
        .order_by(col(Delivery.id))
        .limit(LOOKED_AT)  # which also keeps SQLite from walking all deliveries in the order of the groups
        .subquery()
    )
    waiting = select(oldest.c.workspace_id, func.min(oldest.c.received_at)).group_by(oldest.c.workspace_id)
    late = {
        workspace_id: since
        for workspace_id, since in unit.session.exec(waiting)
        if unit.now - since > LATE_AFTER
    }
    for workspace_id, since in late.items():
        minutes = (unit.now - since).total_seconds() / 60
        raise_alert(
            unit,
            kind=LAG,
            subject="inbox",
            severity=Severity.WARNING,
            title=kind_of(LAG).title,
            detail=f"The oldest has been waiting for {minutes:.0f} min.",
            workspace_id=workspace_id,
            link=PAGE,
        )
    for alert in _open(unit, LAG):
        if alert.workspace_id not in late:
            resolve_alert(unit, kind=LAG, subject=alert.subject, workspace_id=alert.workspace_id)


def _watch_signatures(unit: Unit) -> None:
    """The installation's: nobody can say whose a forged webhook is. It ends five minutes after the last
    wrong one, once a right one came."""
    refused = bad_since(unit, unit.now - REFUSED_WITHIN)
    newest = unit.session.exec(
        select(Delivery.received_at).order_by(col(Delivery.id).desc()).limit(1)
    ).first()
    if refused:
        genuine = newest is not None and unit.now - newest <= REFUSED_WITHIN
        raise_alert(
            unit,
            kind=SIGNATURES,
            subject="webhooks",
            severity=Severity.WARNING if genuine else Severity.CRITICAL,
            title=kind_of(SIGNATURES).title,
            detail=f"{refused:,} were refused in the last five minutes. "
            + ("Right ones arrive too." if genuine else "No right one arrived meanwhile."),
            link=PAGE,
        )
        return
    for alert in _open(unit, SIGNATURES):
        if newest is not None and newest > alert.last_seen_at:
            resolve_alert(unit, kind=SIGNATURES, subject=alert.subject)


def _watch_silence(unit: Unit, silent: Iterable[SilentPhone]) -> None:
    for one in silent:
        raise_alert(
            unit,
            kind=SILENCE,
            subject=one.phone_number_id,
            severity=Severity.WARNING,
            title=kind_of(SILENCE).title,
            detail="Nothing has arrived for it since it sent, for five minutes and more.",
            workspace_id=one.workspace_id,
            link=PAGE,
        )
    told = _open(unit, SILENCE)
    heard = _heard(unit, [alert.subject for alert in told])
    for alert in told:
        if alert.subject in heard and heard[alert.subject] > alert.opened_at:
            resolve_alert(unit, kind=SILENCE, subject=alert.subject, workspace_id=alert.workspace_id)


def _row_is_silent(row: "Row[tuple[str, str, int, int | None]]", *, now: datetime) -> bool:
    return is_silent(
        first_sent_at=from_micros(row.first_at),
        last_heard_at=None if row.last_at is None else from_micros(row.last_at),
        now=now,
    )


def _open(unit: Unit, kind: str) -> list[Alert]:
    return list(
        unit.session.exec(
            select(Alert)
            .where(col(Alert.kind) == kind, col(Alert.open_key) > "")
            .order_by(col(Alert.open_key))
        )
    )


def _heard(unit: Unit, phones: Iterable[str]) -> dict[str, datetime]:
    found = unit.session.exec(select(PhoneHeard).where(col(PhoneHeard.phone_number_id).in_(list(phones))))
    return {row.phone_number_id: row.last_at for row in found}
