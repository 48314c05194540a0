"""Holding lanes and workspaces, and letting them go (Q7). The API's words are pause and resume."""

from sqlmodel import col, select

from core.errors import Impossible, NotFound
from core.unit import Unit
from data.enums import HoldCause, HoldScope
from data.sending import Hold, Lane

REASON_MAX = 500


def pause(unit: Unit, *, phone_number_id: str | None = None, reason: str | None = None) -> None:
    """The workspace, or one of its lanes, sends nothing until it is resumed; what is on the wire finishes."""
    unit.require("queues.pause")
    scope, subject = _subject(unit, phone_number_id)
    text = (reason or "").strip()
    if len(text) > REASON_MAX:
        raise Impossible(f"A reason has at most {REASON_MAX} characters.", code="reason_too_long")
    if any(hold.cause is HoldCause.PERSON for hold in active_holds(unit, scope, subject)):
        return
    hold(unit, scope=scope, subject=subject, cause=HoldCause.PERSON, reason=text or "Paused by hand")
    unit.record("queue.paused", f"{scope}:{subject}", after={"reason": text})


def resume(unit: Unit, *, phone_number_id: str | None = None, reason: str | None = None) -> None:
    """Whatever held the workspace or lane, it sends again."""
    unit.require("queues.pause")
    scope, subject = _subject(unit, phone_number_id)
    released = release(unit, scope=scope, subject=subject)
    if released:
        unit.record(
            "queue.resumed", f"{scope}:{subject}", before={"holds": released}, after={"reason": reason}
        )
        unit.ring()


def hold(
    unit: Unit,
    *,
    scope: HoldScope,
    subject: str,
    cause: HoldCause,
    reason: str,
    workspace_id: str | None = None,
    error_code: str | None = None,
) -> None:
    """One hold more, unless the subject is held for that cause already."""
    if any(active.cause is cause for active in active_holds(unit, scope, subject)):
        return
    unit.session.add(
        Hold(
            id=unit.new_id("hld"),
            workspace_id=workspace_id or unit.workspace_id,
            scope=scope,
            subject=subject,
            cause=cause,
            error_code=error_code,
            reason=reason,
            held_at=unit.now,
            held_by=unit.actor.id,
        )
    )


def release(unit: Unit, *, scope: HoldScope, subject: str, cause: HoldCause | None = None) -> list[str]:
    """Ends the active holds of the subject (of one cause, if given); returns their causes."""
    released = []
    for active in active_holds(unit, scope, subject):
        if cause is None or active.cause is cause:
            active.released_at = unit.now
            active.released_by = unit.actor.id
            unit.session.add(active)
            released.append(active.cause.value)
    return released


def active_holds(unit: Unit, scope: HoldScope, subject: str) -> list[Hold]:
    statement = select(Hold).where(
        col(Hold.scope) == scope, col(Hold.subject) == subject, col(Hold.released_at).is_(None)
    )
    return list(unit.session.exec(statement))


def _subject(unit: Unit, phone_number_id: str | None) -> tuple[HoldScope, str]:
    if phone_number_id is None:
        return HoldScope.WORKSPACE, unit.workspace_id
    statement = unit.scoped(Lane).where(col(Lane.phone_number_id) == phone_number_id)
    if unit.session.exec(statement).first() is None:
        raise NotFound.of("phone number")
    return HoldScope.LANE, phone_number_id
