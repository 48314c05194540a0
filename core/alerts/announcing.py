"""What happens to an alert is written down for every channel that wants to know, in the transaction in which
it happens (A3)."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import col, select

from core.alerts.notice_rules import CALM, RANK, is_wanted, quiet_end
from core.moments import rfc3339
from core.unit import Unit
from data.alerts import Alert
from data.channels import AlertChannel, AlertNotice
from data.enums import AlertEvent, NoticeState, Severity
from data.people import Workspace

CHANNEL_FAILED = "channel_failed"


def announce(unit: Unit, alert: Alert, event: AlertEvent) -> None:
    """One notice for each channel that is on and wants it: at once, or when its quiet hours end. The end of
    an alert is told where its beginning was, two minutes later; where the same is back by then, neither its
    end nor its new beginning is told."""
    for channel in _channels_of(unit, alert):
        if event is AlertEvent.RESOLVED:
            tells = _knows(unit, channel, alert)
        else:
            tells = is_wanted(
                kind=alert.kind, severity=alert.severity, least=channel.least, kinds=channel.kinds
            )
        if event is AlertEvent.OPENED and tells and _goes_on(unit, channel, alert):
            continue
        if tells and not (alert.kind == CHANNEL_FAILED and alert.subject == channel.id):
            add_notice(
                unit,
                channel,
                event,
                snapshot(unit, alert, event),
                alert_id=alert.id,
                passes=alert.severity is Severity.CRITICAL and channel.critical_passes,
                after=CALM if event is AlertEvent.RESOLVED else timedelta(0),
            )


def add_notice(
    unit: Unit,
    channel: AlertChannel,
    event: AlertEvent,
    said: dict[str, Any],
    *,
    alert_id: str | None = None,
    passes: bool = False,
    after: timedelta = timedelta(0),
) -> AlertNotice:
    """``passes``: whether it goes in quiet hours too. ``after``: at the earliest."""
    until = None if passes else quiet_now(unit, channel)
    notice = AlertNotice(
        id=unit.new_id("ntc"),
        channel_id=channel.id,
        workspace_id=channel.workspace_id,
        alert_id=alert_id,
        event=event,
        said=said,
        state=NoticeState.QUEUED if until is None else NoticeState.WAITING,
        attempts=0,
        created_at=unit.now,
        due_at=max(until or unit.now, unit.now + after),
    )
    unit.session.add(notice)
    return notice


def quiet_now(unit: Unit, channel: AlertChannel) -> datetime | None:
    """When the channel's quiet hours end, if it is in them."""
    zone = ZoneInfo(unit.session.get_one(Workspace, channel.workspace_id).timezone)
    return quiet_end(unit.now, zone=zone, quiet_from=channel.quiet_from, quiet_until=channel.quiet_until)


def snapshot(unit: Unit, alert: Alert, event: AlertEvent) -> dict[str, Any]:
    """The alert as it is at this moment, in the words of the API."""
    return {
        "event": event.value,
        "at": rfc3339(unit.now),
        "alert": {
            "id": alert.id,
            "kind": alert.kind,
            "severity": alert.severity.value,
            "title": alert.title,
            "subject": alert.subject,
            "detail": alert.detail,
            "outcome": alert.outcome,
            "link": f"{unit.settings.public_url}/alerts?open={alert.id}&state=all",
            "openedAt": rfc3339(alert.opened_at),
            "resolvedAt": rfc3339(alert.resolved_at) if alert.resolved_at else None,
        },
    }


def _channels_of(unit: Unit, alert: Alert) -> list[AlertChannel]:
    if alert.workspace_id is None:
        statement = select(AlertChannel).where(col(AlertChannel.of_platform).is_(True))
    else:
        statement = select(AlertChannel).where(col(AlertChannel.workspace_id) == alert.workspace_id)
    statement = statement.where(col(AlertChannel.is_on).is_(True)).order_by(col(AlertChannel.id))
    return list(unit.session.exec(statement))


def _goes_on(unit: Unit, channel: AlertChannel, alert: Alert) -> bool:
    """Whether the channel was not told yet that the same had ended: it is not told now, and knows of this
    one. One that is back worse than it was is news."""
    statement = (
        select(AlertNotice)
        .join(Alert, col(Alert.id) == col(AlertNotice.alert_id))
        .where(
            col(AlertNotice.channel_id) == channel.id,
            col(AlertNotice.event) == AlertEvent.RESOLVED,
            col(AlertNotice.state).in_((NoticeState.QUEUED, NoticeState.WAITING)),
            col(AlertNotice.attempts) == 0,
            col(Alert.kind) == alert.kind,
            col(Alert.subject) == alert.subject,
        )
        .with_for_update(of=AlertNotice)
    )
    notice = unit.session.exec(statement).first()
    if notice is None or RANK[Severity(notice.said["alert"]["severity"])] < RANK[alert.severity]:
        return False
    notice.state, notice.due_at, notice.alert_id = NoticeState.UNSAID, None, alert.id
    unit.session.add(notice)
    return True


def _knows(unit: Unit, channel: AlertChannel, alert: Alert) -> bool:
    told = select(AlertNotice.id).where(
        col(AlertNotice.alert_id) == alert.id, col(AlertNotice.channel_id) == channel.id
    )
    return unit.session.exec(told.limit(1)).first() is not None
