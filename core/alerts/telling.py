"""Notices on their way (A3): what is due is claimed, and what came of it is settled. A notice is a row, so
neither a kill nor a receiver that is down loses one."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import or_
from sqlalchemy.orm import aliased
from sqlmodel import col, delete, select

from core.alerts.announcing import CHANNEL_FAILED, add_notice
from core.alerts.channels import secret_field, target_field
from core.alerts.commands import raise_alert, resolve_alert
from core.alerts.notice_rules import wait_after
from core.alerts.wording import body_of, subject_of, text_of
from core.mail.commands import send_mail
from core.moments import rfc3339
from core.ports.outward import NotTold
from core.unit import Unit
from data.channels import AlertChannel, AlertNotice
from data.enums import AlertEvent, ChannelKind, MemberStatus, NoticeState, Severity
from data.people import Member, User, Workspace

AT_ONCE = 20
PER_CHANNEL = 3
# What was due and could not be claimed with the rest is looked at again at the next tick.
LOOK_AT = 200
# Longer than any attempt may take.
LEASE = timedelta(seconds=60)
ERROR_MAX = 300
PAGE = "/alerts/channels"
NOBODY = "Nobody has the roles that it goes to, and it has no addresses."


@dataclass(frozen=True, slots=True)
class NoticeClaim:
    """One attempt at one notice. ``attempt`` counts from 1."""

    id: str
    attempt: int
    kind: ChannelKind
    workspace_id: str
    channel_id: str
    sealed_target: bytes = field(repr=False)
    sealed_secret: bytes | None = field(repr=False)
    subject: str
    text: str
    body: bytes
    is_urgent: bool

    @property
    def target_field(self) -> str:
        return target_field(self.channel_id)

    @property
    def secret_field(self) -> str:
        return secret_field(self.channel_id)


def has_due(unit: Unit) -> bool:
    """Whether anything is to be told now: what the clock asks every other second."""
    states = (NoticeState.QUEUED, NoticeState.WAITING)
    return any(unit.session.exec(_due(unit, one).limit(1)).first() is not None for one in states)


def gather(unit: Unit) -> None:
    """What waited for the end of quiet hours is due: alone as it is, several as one digest."""
    due = _due(unit, NoticeState.WAITING).limit(LOOK_AT).with_for_update(skip_locked=True)
    by_channel: dict[str, list[AlertNotice]] = {}
    for notice in unit.session.exec(due):
        by_channel.setdefault(notice.channel_id, []).append(notice)
    for channel_id, notices in by_channel.items():
        channel = unit.session.get_one(AlertChannel, channel_id)
        if len(notices) == 1:
            notices[0].state = NoticeState.QUEUED
        else:
            said = {"at": rfc3339(unit.now), "notices": [notice.said for notice in notices]}
            add_notice(unit, channel, AlertEvent.DIGEST, said, passes=True)
            for notice in notices:
                notice.state, notice.due_at = NoticeState.GATHERED, None
        unit.session.add_all(notices)


def claim(unit: Unit) -> list[NoticeClaim]:
    """Notices that are due, for a minute nobody else's: at most 20, and three of one channel. What goes by
    mail is handed to the mail here and now, so it is told exactly once."""
    due = _due(unit, NoticeState.QUEUED, in_order=True).limit(LOOK_AT).with_for_update(skip_locked=True)
    claims: list[NoticeClaim] = []
    taken: Counter[str] = Counter()
    for notice in unit.session.exec(due).all():
        if taken[notice.channel_id] == PER_CHANNEL or len(claims) == AT_ONCE:
            continue
        taken[notice.channel_id] += 1
        channel = unit.session.get_one(AlertChannel, notice.channel_id)
        workspace = unit.session.get_one(Workspace, notice.workspace_id)
        notice.attempts += 1
        if channel.kind is ChannelKind.MAIL:
            _hand_to_mail(unit, channel, notice, workspace)
        else:
            notice.due_at = unit.now + LEASE
            claims.append(_claim(channel, notice, workspace))
        unit.session.add(notice)
    return claims


def settle(unit: Unit, claim: NoticeClaim, *, error: NotTold | None = None) -> None:
    """What came of that attempt: told, due again by the ladder, or failed with an alert. An attempt that
    another has overtaken changes nothing, unless it is the one that got through."""
    # Not the strongest lock: notices that refer to the channel may be added meanwhile.
    channel = unit.session.get(AlertChannel, claim.channel_id, with_for_update={"key_share": True})
    notice = unit.session.get(AlertNotice, claim.id, with_for_update=True)
    if notice is None or channel is None or notice.state is not NoticeState.QUEUED:
        return
    if error is not None and notice.attempts != claim.attempt:
        return
    if error is None:
        _close(unit, channel, notice)
        return
    wait = None if error.is_final else wait_after(notice.attempts)
    if notice.event is AlertEvent.TEST:  # whoever pressed the button is waiting for the answer
        wait = None
    notice.last_error = channel.last_error = error.sentence[:ERROR_MAX]
    channel.tried_at = unit.now
    if wait is not None:
        notice.due_at = unit.now + wait
    else:
        notice.state, notice.due_at = NoticeState.FAILED, None
        if notice.event is not AlertEvent.TEST:
            _raise_failed(unit, channel, notice)
    unit.session.add_all([notice, channel])


def purge(unit: Unit) -> int:
    """Notices older than the retention that are over are forgotten, at most 500; returns how many."""
    before = unit.now - timedelta(days=unit.settings.waypost_retention_days)
    over = (NoticeState.SENT, NoticeState.FAILED, NoticeState.GATHERED, NoticeState.UNSAID)
    old = (
        select(AlertNotice.id)
        .where(col(AlertNotice.state).in_(over), col(AlertNotice.created_at) < before)
        .limit(500)
    )
    ids = list(unit.session.exec(old))
    if ids:
        unit.session.exec(delete(AlertNotice).where(col(AlertNotice.id).in_(ids)))
    return len(ids)


def _due(unit: Unit, state: NoticeState, *, in_order: bool = False) -> Any:
    """``in_order``: but for those that something said earlier of the same alert has still to precede."""
    statement = select(AlertNotice).where(
        col(AlertNotice.state) == state, col(AlertNotice.due_at) <= unit.now
    )
    if in_order:
        earlier = aliased(AlertNotice)
        precedes = (
            select(earlier.id)
            .where(
                col(earlier.alert_id) == col(AlertNotice.alert_id),
                col(earlier.channel_id) == col(AlertNotice.channel_id),
                col(earlier.id) < col(AlertNotice.id),
                col(earlier.state) == NoticeState.QUEUED,
            )
            .exists()
        )
        statement = statement.where(or_(col(AlertNotice.alert_id).is_(None), ~precedes))
    return statement.order_by(col(AlertNotice.due_at), col(AlertNotice.id))


def _claim(channel: AlertChannel, notice: AlertNotice, workspace: Workspace) -> NoticeClaim:
    assert channel.sealed_target is not None
    subject, text = _words(notice, workspace)
    return NoticeClaim(
        id=notice.id,
        attempt=notice.attempts,
        kind=channel.kind,
        workspace_id=channel.workspace_id,
        channel_id=channel.id,
        sealed_target=channel.sealed_target,
        sealed_secret=channel.sealed_secret,
        body=body_of(notice.event, notice.said, notice_id=notice.id, workspace=workspace.slug),
        is_urgent=_is_urgent(notice),
        subject=subject,
        text=text,
    )


def _words(notice: AlertNotice, workspace: Workspace) -> tuple[str, str]:
    """Subject and text."""
    name, zone = workspace.name, ZoneInfo(workspace.timezone)
    return (
        subject_of(notice.event, notice.said, workspace=name),
        text_of(notice.event, notice.said, workspace=name, zone=zone),
    )


def _is_urgent(notice: AlertNotice) -> bool:
    is_trouble = notice.event in (AlertEvent.OPENED, AlertEvent.ESCALATED)
    return is_trouble and notice.said["alert"]["severity"] == Severity.CRITICAL


def _hand_to_mail(unit: Unit, channel: AlertChannel, notice: AlertNotice, workspace: Workspace) -> None:
    recipients, (subject, text) = _recipients(unit, channel), _words(notice, workspace)
    for address in recipients:
        send_mail(
            unit, to=address, subject=subject, text=text, kind="alert", workspace_id=channel.workspace_id
        )
    if recipients:
        _close(unit, channel, notice)
        return
    notice.state, notice.due_at = NoticeState.FAILED, None
    notice.last_error = channel.last_error = NOBODY
    channel.tried_at = unit.now
    unit.session.add(channel)
    _raise_failed(unit, channel, notice)


def _recipients(unit: Unit, channel: AlertChannel) -> list[str]:
    """Each address once: active members with one of the roles, and those that were named."""
    told = (
        select(User.email)
        .join(Member, col(Member.user_id) == col(User.id))
        .where(
            col(Member.workspace_id) == channel.workspace_id,
            col(Member.role).in_(channel.roles),
            col(Member.status) == MemberStatus.ACTIVE,
        )
        .order_by(col(User.email))
    )
    by_role = list(unit.session.exec(told)) if channel.roles else []
    return list(dict.fromkeys([*by_role, *channel.addresses]))


def _close(unit: Unit, channel: AlertChannel, notice: AlertNotice) -> None:
    notice.state, notice.due_at, notice.last_error = NoticeState.SENT, None, None
    notice.sent_at = channel.tried_at = channel.told_at = unit.now
    channel.last_error = None
    unit.session.add_all([notice, channel])
    resolve_alert(unit, kind=CHANNEL_FAILED, subject=channel.id, workspace_id=channel.workspace_id)


def _raise_failed(unit: Unit, channel: AlertChannel, notice: AlertNotice) -> None:
    raise_alert(
        unit,
        kind=CHANNEL_FAILED,
        subject=channel.id,
        detail=f"“{channel.name}” was tried {notice.attempts} times. {notice.last_error}",
        workspace_id=channel.workspace_id,
        link=f"{PAGE}?open={channel.id}",
    )
