"""What the end of a cause lets go (Q7): said on the alert that ends with it, and, where a person has still to
do something, offered there."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sqlmodel import col, func, or_, select

from core.alerts.queries import AlertRow
from core.unit import Unit
from data.enums import HoldCause, HoldScope, LetterState
from data.messages import DUE, DeadLetter, Message
from data.sending import Hold, Phone, Template

LANE_ALERT, TOKEN_ALERT = "lane_held", "token_refresh_failed"
# What ran out of time is buried when it is next looked at, which may be a while after the release.
SOON_AFTER = timedelta(hours=1)
_GONE = {
    HoldCause.TOKEN: "Token renewed",
    HoldCause.PAYMENT: "Payment fixed",
    HoldCause.RESTRICTION: "Restriction lifted",
    HoldCause.REGISTRATION: "Number registered",
    HoldCause.META: "Meta answers again",
    HoldCause.PERSON: "Released",
}


class OfferKind(StrEnum):
    """``resume``: a pause by hand still keeps messages; ``letters``: some ran out of time meanwhile."""

    RESUME = "resume"
    LETTERS = "letters"


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that a person can do for ``count`` messages. ``phone_number_id``: whose lane is to be
    resumed; None for the whole workspace."""

    kind: OfferKind
    count: int
    phone_number_id: str | None


def release_words(unit: Unit, *, scope: HoldScope, subject: str, cause: HoldCause) -> str:
    """What became of the messages that waited, once nothing but people may hold the subject.

    *Payment fixed: 812 messages were released.* *Payment fixed; the number is paused by hand, so 812 messages
    wait on.*
    """
    begin = "Released by hand" if not unit.actor.is_process else _GONE[cause]
    count = _count_waiting(unit, scope, subject)
    if not count:
        return f"{begin}; no message waited."
    messages = f"{count:,} {'message' if count == 1 else 'messages'}"
    if scope is HoldScope.LANE and (stop := _stop(unit, subject)) is not None:
        what = "number" if stop.scope is HoldScope.LANE else "sending"
        return f"{begin}; the {what} is paused, so {messages} {'waits' if count == 1 else 'wait'} on."
    return f"{begin}: {messages} {'was' if count == 1 else 'were'} released."


def offers(unit: Unit, alert: AlertRow) -> tuple[Offer, ...]:
    """What the end of that alert leaves to a person who may do it; nothing while it is open."""
    if alert.resolved_at is None or alert.kind not in (LANE_ALERT, TOKEN_ALERT):
        return ()
    of_alert = col(Phone.id if alert.kind == LANE_ALERT else Phone.waba_id) == alert.subject
    phones = [phone.id for phone in unit.session.exec(unit.scoped(Phone).where(of_alert))]
    found: list[Offer] = []
    if unit.actor.can("queues.pause"):
        found += _resumptions(unit, phones)
    if unit.actor.can("dead_letters.view"):
        found += _expired(unit, phones, alert)
    return tuple(found)


def _resumptions(unit: Unit, phones: list[str]) -> list[Offer]:
    found = []
    for phone in phones:
        stop, count = _stop(unit, phone), _count_waiting(unit, HoldScope.LANE, phone)
        if stop is None or not count or stop.cause is not HoldCause.PERSON:
            continue
        if stop.scope is HoldScope.LANE:
            found.append(Offer(OfferKind.RESUME, count, phone))
        elif stop.scope is HoldScope.WORKSPACE:
            found.append(Offer(OfferKind.RESUME, count, None))
    return found


def _expired(unit: Unit, phones: list[str], alert: AlertRow) -> list[Offer]:
    assert alert.resolved_at is not None
    counted = (
        select(DeadLetter.phone_number_id, func.count())
        .where(
            col(DeadLetter.workspace_id) == unit.workspace_id,
            col(DeadLetter.state) == LetterState.OPEN,
            col(DeadLetter.error_code) == "expired",
            col(DeadLetter.phone_number_id).in_(phones),
            col(DeadLetter.dead_at) >= alert.opened_at,
            col(DeadLetter.dead_at) <= alert.resolved_at + SOON_AFTER,
        )
        .group_by(col(DeadLetter.phone_number_id))
    )
    return [Offer(OfferKind.LETTERS, count, phone) for phone, count in unit.session.exec(counted)]


def _stop(unit: Unit, phone_number_id: str) -> Hold | None:
    """What still holds that lane: itself, its workspace or everything."""
    phone = unit.session.get(Phone, phone_number_id)
    workspace_id = phone.workspace_id if phone is not None else ""
    found = select(Hold).where(
        col(Hold.released_at).is_(None),
        or_(
            (col(Hold.scope) == HoldScope.LANE) & (col(Hold.subject) == phone_number_id),
            (col(Hold.scope) == HoldScope.WORKSPACE) & (col(Hold.subject) == workspace_id),
            col(Hold.scope) == HoldScope.EVERYTHING,
        ),
    )
    return unit.session.exec(found.order_by(col(Hold.scope), col(Hold.id)).limit(1)).first()


def _count_waiting(unit: Unit, scope: HoldScope, subject: str) -> int:
    waiting = select(func.count()).select_from(Message).where(DUE)
    if scope is HoldScope.LANE:
        waiting = waiting.where(col(Message.phone_number_id) == subject)
    elif scope is HoldScope.WORKSPACE:
        waiting = waiting.where(col(Message.workspace_id) == subject)
    elif scope is HoldScope.TEMPLATE:
        template = unit.session.get(Template, subject)
        if template is None:
            return 0
        waiting = waiting.join(Phone, col(Phone.id) == col(Message.phone_number_id)).where(
            col(Phone.waba_id) == template.waba_id,
            col(Message.template_name) == template.name,
            col(Message.template_language) == template.language,
        )
    return unit.session.exec(waiting).one()
