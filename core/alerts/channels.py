"""Making, changing and testing the channels through which alerts reach people (A3)."""

import secrets
from typing import Any

from sqlmodel import col, delete, func, select, update

from core import access
from core.alerts.announcing import add_notice, quiet_now
from core.alerts.channel_forms import (
    ChannelForm,
    sound_kinds,
    sound_name,
    sound_people,
    sound_quiet,
    sound_target,
)
from core.alerts.commands import resolve_alert
from core.errors import Conflict, Impossible
from core.moments import rfc3339
from core.unit import Unit
from data.channels import AlertChannel, AlertNotice
from data.enums import AlertEvent, ChannelKind, NoticeState

CHANNELS_MAX = 50
SECRET_PREFIX = "whsec_"  # noqa: S105 - how it begins, not what it is
SWITCHED_OFF = "The channel was switched off."
_UNTOLD = (NoticeState.QUEUED, NoticeState.WAITING)


def target_field(channel_id: str) -> str:
    """What a channel's address is sealed as: its own, so that it opens in no other row (K3)."""
    return f"alert_channel.target:{channel_id}"


def secret_field(channel_id: str) -> str:
    return f"alert_channel.secret:{channel_id}"


def make_channel(unit: Unit, form: ChannelForm) -> tuple[str, str | None]:
    """The id of a new channel that is on, and for a webhook the secret its calls are signed with: shown
    once. Refused with what is wrong about the form."""
    unit.require("settings.manage")
    count = select(func.count()).select_from(AlertChannel)
    present = unit.session.exec(count.where(col(AlertChannel.workspace_id) == unit.workspace_id)).one()
    if present >= CHANNELS_MAX:
        raise Impossible(f"A workspace has at most {CHANNELS_MAX} channels.", code="too_many_channels")
    channel = AlertChannel(
        id=unit.new_id("chn"),
        workspace_id=unit.workspace_id,
        kind=form.kind,
        is_on=True,
        roles=[],
        addresses=[],
        target="",
        made_at=unit.now,
        **_common(unit, form),
    )
    _fill(unit, channel, form)
    secret = _give_secret(unit, channel) if form.kind is ChannelKind.WEBHOOK else None
    unit.session.add(channel)
    unit.record("alert_channel.made", _target(channel), after=_seen(channel))
    return channel.id, secret


def change_channel(unit: Unit, channel_id: str, form: ChannelForm) -> None:
    """The channel is as the form says; its kind stays. What waits for the end of quiet hours waits by the
    new ones."""
    channel = _mine(unit, channel_id)
    if form.kind is not channel.kind:
        raise Conflict("A channel keeps its kind. Make another one instead.", code="channel_kind")
    before = _seen(channel)
    for name, value in _common(unit, form, channel).items():
        setattr(channel, name, value)
    _fill(unit, channel, form)
    unit.session.add(channel)
    waiting = (col(AlertNotice.channel_id) == channel.id, col(AlertNotice.state) == NoticeState.WAITING)
    until = quiet_now(unit, channel) or unit.now
    unit.session.exec(update(AlertNotice).where(*waiting).values(due_at=until))
    unit.record("alert_channel.changed", _target(channel), before=before, after=_seen(channel))


def switch_channel(unit: Unit, channel_id: str, *, is_on: bool) -> None:
    """It is told of what happens from now on, or of nothing more; what it was not yet told of it is not
    told at all."""
    channel = _mine(unit, channel_id)
    if channel.is_on == is_on:
        return
    channel.is_on = is_on
    unit.session.add(channel)
    if not is_on:
        untold = (col(AlertNotice.channel_id) == channel.id, col(AlertNotice.state).in_(_UNTOLD))
        ended = {"state": NoticeState.FAILED, "due_at": None, "last_error": SWITCHED_OFF}
        unit.session.exec(update(AlertNotice).where(*untold).values(**ended))
        _forget_failure(unit, channel)
    unit.record("alert_channel.switched_on" if is_on else "alert_channel.switched_off", _target(channel))


def renew_secret(unit: Unit, channel_id: str) -> str:
    """Calls of the webhook are signed with this new secret, shown once, and no more with the former."""
    channel = _mine(unit, channel_id)
    if channel.kind is not ChannelKind.WEBHOOK:
        raise Conflict("Only webhooks are signed.", code="channel_kind")
    secret = _give_secret(unit, channel)
    unit.session.add(channel)
    unit.record("alert_channel.secret_renewed", _target(channel))
    return secret


def delete_channel(unit: Unit, channel_id: str) -> None:
    """The channel is gone, with the record of what was said through it."""
    channel = _mine(unit, channel_id)
    _forget_failure(unit, channel)
    unit.session.exec(delete(AlertNotice).where(col(AlertNotice.channel_id) == channel.id))
    unit.session.delete(channel)
    unit.record("alert_channel.deleted", _target(channel), before=_seen(channel))


def test_channel(unit: Unit, channel_id: str) -> str:
    """A test is on its way, whatever the hour; the id of its notice. Conflict while another still is."""
    channel = _mine(unit, channel_id)
    if not channel.is_on:
        raise Conflict("The channel is switched off. Switch it on to test it.", code="channel_off")
    under_way = select(AlertNotice.id).where(
        col(AlertNotice.channel_id) == channel.id,
        col(AlertNotice.event) == AlertEvent.TEST,
        col(AlertNotice.state) == NoticeState.QUEUED,
        col(AlertNotice.attempts) == 0,
    )
    if unit.session.exec(under_way.limit(1)).first() is not None:
        raise Conflict("A test is on its way already.", code="test_under_way")
    said = {"event": AlertEvent.TEST.value, "at": rfc3339(unit.now)}
    notice = add_notice(unit, channel, AlertEvent.TEST, said, passes=True)
    unit.record("alert_channel.tested", _target(channel))
    return notice.id


def _mine(unit: Unit, channel_id: str) -> AlertChannel:
    unit.require("settings.manage")
    return unit.find(AlertChannel, channel_id, called="alert channel", lock=True)


def _common(unit: Unit, form: ChannelForm, present: AlertChannel | None = None) -> dict[str, Any]:
    begin, end = sound_quiet(form)
    if form.of_platform and not (present is not None and present.of_platform):
        unit.require(access.PLATFORM_ADMIN)
    return {
        "name": sound_name(form),
        "least": form.least,
        "kinds": sound_kinds(form),
        "quiet_from": begin,
        "quiet_until": end,
        "critical_passes": form.critical_passes,
        "of_platform": form.of_platform,
    }


def _fill(unit: Unit, channel: AlertChannel, form: ChannelForm) -> None:
    if channel.kind is ChannelKind.MAIL:
        channel.roles, channel.addresses = sound_people(form)
    elif form.target.strip() or channel.sealed_target is None:
        url, channel.target = sound_target(form, unit.settings)
        channel.sealed_target = unit.vault.seal(
            url, workspace_id=channel.workspace_id, field=target_field(channel.id)
        )


def _give_secret(unit: Unit, channel: AlertChannel) -> str:
    secret = SECRET_PREFIX + secrets.token_urlsafe(32)
    channel.sealed_secret = unit.vault.seal(
        secret, workspace_id=channel.workspace_id, field=secret_field(channel.id)
    )
    return secret


def _forget_failure(unit: Unit, channel: AlertChannel) -> None:
    resolve_alert(unit, kind="channel_failed", subject=channel.id, workspace_id=channel.workspace_id)


def _target(channel: AlertChannel) -> str:
    return f"alert_channel:{channel.id}"


def _seen(channel: AlertChannel) -> dict[str, Any]:
    """For the audit log: what the page shows of it, and no address that lets anyone in."""
    return {
        "name": channel.name,
        "kind": channel.kind.value,
        "roles": channel.roles,
        "addresses": channel.addresses,
        "target": channel.target,
        "least": channel.least.value,
        "kinds": channel.kinds,
        "quiet_from": channel.quiet_from,
        "quiet_until": channel.quiet_until,
        "critical_passes": channel.critical_passes,
        "of_platform": channel.of_platform,
    }
