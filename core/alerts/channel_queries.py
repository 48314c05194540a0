"""Channels as people see them: where they lead, what they were told last, and why not. Never a secret."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select

from core.alerts.channel_forms import ChannelForm, clock
from core.alerts.wording import subject_of
from core.unit import Unit
from data.channels import AlertChannel, AlertNotice
from data.enums import AlertEvent, ChannelKind, NoticeState, Role

NEWEST = 20


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """``form``: what it was made of, without its address. ``target``: as much of that as may be seen.
    ``last_error``: why the last attempt failed, None when it did not."""

    id: str
    name: str
    kind: ChannelKind
    is_on: bool
    target: str
    form: ChannelForm
    made_at: datetime
    tried_at: datetime | None
    told_at: datetime | None
    last_error: str | None
    can_change: bool


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """``next_at``: of one that was not taken yet, when it is tried again; of one that waits, until when."""

    id: str
    event: AlertEvent
    subject: str
    state: NoticeState
    attempts: int
    last_error: str | None
    created_at: datetime
    sent_at: datetime | None
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class ChannelView:
    """``notices``: the newest, newest first."""

    channel: ChannelRow
    notices: tuple[NoticeRow, ...]


def list_channels(unit: Unit) -> list[ChannelRow]:
    """All of the workspace, in the order in which they were made; a workspace has at most fifty."""
    unit.require("alerts.view")
    found = unit.session.exec(unit.scoped(AlertChannel).order_by(col(AlertChannel.id)))
    return [_row(unit, one) for one in found]


def get_channel(unit: Unit, channel_id: str) -> ChannelView:
    """NotFound for another workspace's channel too."""
    unit.require("alerts.view")
    channel = unit.find(AlertChannel, channel_id, called="alert channel")
    newest = (
        select(AlertNotice)
        .where(col(AlertNotice.channel_id) == channel.id)
        .order_by(col(AlertNotice.id).desc())
        .limit(NEWEST)
    )
    name = unit.workspace().name
    notices = tuple(_notice(one, workspace=name) for one in unit.session.exec(newest))
    return ChannelView(_row(unit, channel), notices)


def _row(unit: Unit, channel: AlertChannel) -> ChannelRow:
    return ChannelRow(
        id=channel.id,
        name=channel.name,
        kind=channel.kind,
        is_on=channel.is_on,
        target=channel.target,
        form=ChannelForm(
            name=channel.name,
            kind=channel.kind,
            roles=tuple(Role(role) for role in channel.roles),
            addresses=tuple(channel.addresses),
            least=channel.least,
            kinds=tuple(channel.kinds),
            quiet_from=clock(channel.quiet_from),
            quiet_until=clock(channel.quiet_until),
            critical_passes=channel.critical_passes,
            of_platform=channel.of_platform,
        ),
        made_at=channel.made_at,
        tried_at=channel.tried_at,
        told_at=channel.told_at,
        last_error=channel.last_error,
        can_change=unit.actor.can("settings.manage"),
    )


def _notice(notice: AlertNotice, *, workspace: str) -> NoticeRow:
    is_open = notice.state in (NoticeState.QUEUED, NoticeState.WAITING)
    return NoticeRow(
        id=notice.id,
        event=notice.event,
        subject=subject_of(notice.event, notice.said, workspace=workspace).removeprefix(f"{workspace}: "),
        state=notice.state,
        attempts=notice.attempts,
        last_error=notice.last_error,
        created_at=notice.created_at,
        sent_at=notice.sent_at,
        next_at=notice.due_at if is_open else None,
    )
