"""Holding lanes, templates, workspaces and everything, and letting them go (Q7). The API's words are pause
and resume."""

from datetime import datetime, timedelta

from sqlmodel import col, select

from core import access
from core.errors import Impossible, Malformed, NotFound
from core.lanes.holding import active_holds, hold, release
from core.unit import Unit
from data.enums import HoldCause, HoldScope
from data.sending import Hold, Lane, Template

REASON_MAX = 500
EVERYTHING = "*"


def pause(
    unit: Unit,
    *,
    phone_number_id: str | None = None,
    template_id: str | None = None,
    reason: str | None = None,
    until: datetime | None = None,
) -> None:
    """The workspace, or one of its lanes or templates, sends nothing until it is resumed, or until that
    moment; what is on the wire finishes."""
    unit.require("queues.pause")
    scope, subject = _subject(unit, phone_number_id, template_id)
    _hold_by_hand(unit, scope, subject, reason=reason, until=until)


def resume(
    unit: Unit,
    *,
    phone_number_id: str | None = None,
    template_id: str | None = None,
    reason: str | None = None,
) -> None:
    """Whatever held the workspace, lane or template, it sends again."""
    unit.require("queues.pause")
    scope, subject = _subject(unit, phone_number_id, template_id)
    _release_by_hand(unit, scope, subject, reason=reason)


def pause_everything(unit: Unit, *, reason: str | None = None, until: datetime | None = None) -> None:
    """No workspace sends anything until it is resumed, or until that moment."""
    unit.require(access.PLATFORM_ADMIN)
    _hold_by_hand(unit, HoldScope.EVERYTHING, EVERYTHING, reason=reason, until=until)


def resume_everything(unit: Unit, *, reason: str | None = None) -> None:
    """What held all workspaces at once holds them no more; what holds one of them still does."""
    unit.require(access.PLATFORM_ADMIN)
    _release_by_hand(unit, HoldScope.EVERYTHING, EVERYTHING, reason=reason)


def ends_in(unit: Unit, minutes: int) -> datetime | None:
    """The end of a pause of so many minutes from now; of 0 there is none."""
    return unit.now + timedelta(minutes=minutes) if minutes else None


def has_ended_holds(unit: Unit) -> bool:
    ended = select(Hold.id).where(col(Hold.released_at).is_(None), col(Hold.until) <= unit.now)
    return unit.session.exec(ended.limit(1)).first() is not None


def end_holds(unit: Unit) -> int:
    """Holds whose end has come are released; returns how many."""
    due = unit.session.exec(
        select(Hold).where(col(Hold.released_at).is_(None), col(Hold.until) <= unit.now).limit(500)
    ).all()
    for one in due:
        release(unit, scope=one.scope, subject=one.subject, only=one)
        unit.record(
            "queue.resumed",
            f"{one.scope}:{one.subject}",
            before={"holds": [one.cause.value]},
            after={"reason": "its end had come"},
            workspace_id=one.workspace_id,
        )
    if due:
        unit.ring()
    return len(due)


def _hold_by_hand(
    unit: Unit, scope: HoldScope, subject: str, *, reason: str | None, until: datetime | None
) -> None:
    text = (reason or "").strip()
    if len(text) > REASON_MAX:
        raise Impossible(f"A reason has at most {REASON_MAX} characters.", code="reason_too_long")
    if until is not None and until <= unit.now:
        raise Malformed.field("until", "must lie in the future")
    if any(one.cause is HoldCause.PERSON for one in active_holds(unit, scope, subject)):
        return
    hold(
        unit,
        scope=scope,
        subject=subject,
        cause=HoldCause.PERSON,
        reason=text or "Paused by hand",
        workspace_id=None if scope is HoldScope.EVERYTHING else unit.workspace_id,
        until=until,
    )
    after = {"reason": text} if until is None else {"reason": text, "until": until.isoformat()}
    unit.record("queue.paused", f"{scope}:{subject}", after=after)


def _release_by_hand(unit: Unit, scope: HoldScope, subject: str, *, reason: str | None) -> None:
    released = release(unit, scope=scope, subject=subject)
    if released:
        unit.record(
            "queue.resumed", f"{scope}:{subject}", before={"holds": released}, after={"reason": reason}
        )
        unit.ring()


def _subject(unit: Unit, phone_number_id: str | None, template_id: str | None) -> tuple[HoldScope, str]:
    if template_id is not None:
        unit.find(Template, template_id, called="template")
        return HoldScope.TEMPLATE, template_id
    if phone_number_id is None:
        return HoldScope.WORKSPACE, unit.workspace_id
    statement = unit.scoped(Lane).where(col(Lane.phone_number_id) == phone_number_id)
    if unit.session.exec(statement).first() is None:
        raise NotFound.of("phone number")
    return HoldScope.LANE, phone_number_id
