"""Which letters a bulk redrive leaves where they are, and why: what cannot succeed now (Q10)."""

from collections.abc import Collection, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, or_
from sqlmodel import col

from core.contacts.queries import SERVICE_WINDOW
from core.lanes.queries import holds
from core.templates.rules import PARKED, SENDABLE
from core.unit import Unit
from data.enums import HoldScope, MessageState, Outcome, SuppressionKind
from data.messages import Attempt, DeadLetter, Message, ServiceWindow, Suppression
from data.sending import Hold, Phone, Template

NOT_OPEN = "not_open"
# What a person is told about each.
REASONS: Mapping[str, str] = MappingProxyType(
    {
        NOT_OPEN: "redriven, resolved or discarded meanwhile",
        "being_sent": "being sent now",
        "lane_held": "their number is held",
        "outcome_unknown": "may have been delivered; sending again may deliver twice",
        "recipient_suppressed": "opted out or cannot be reached",
        "window_closed": "the customer has not written in the last 24 hours",
        "template_unknown": "their template is gone",
        "template_paused": "their template is paused, or under review",
        "template_not_sendable": "their template may not be sent",
    }
)


def held_phones(unit: Unit) -> list[str]:
    """The workspace's phones that are held now, by whatever hold."""
    active = holds(unit)
    phones = [phone.id for phone in unit.session.exec(unit.scoped(Phone))]
    if any(hold.scope in (HoldScope.WORKSPACE, HoldScope.EVERYTHING) for hold in active):
        return sorted(phones)
    return sorted({hold.subject for hold in active if hold.scope is HoldScope.LANE} & set(phones))


def skip_reason(*, held: Collection[str], include_unknown: bool, now: datetime) -> ColumnElement[Any]:
    """Of a letter joined to its message, its phone and (outer) its template: why it is skipped, or NULL."""
    is_text = col(Message.template_name).is_(None)
    whens: list[tuple[ColumnElement[bool], str]] = [
        (col(Message.state).not_in([MessageState.DEAD, MessageState.FAILED]), "being_sent"),
        (col(DeadLetter.phone_number_id).in_(list(held)), "lane_held"),
    ]
    if not include_unknown:
        whens.append((_may_have_been_taken(), "outcome_unknown"))
    whens += [
        (_is_suppressed(), "recipient_suppressed"),
        (and_(is_text, ~_window_is_open(now)), "window_closed"),
        (and_(~is_text, col(Template.id).is_(None)), "template_unknown"),
        (and_(~is_text, or_(col(Template.status).in_(PARKED), _template_is_held())), "template_paused"),
        (and_(~is_text, col(Template.status).not_in(SENDABLE)), "template_not_sendable"),
    ]
    return case(*whens, else_=None)


def template_of_message() -> ColumnElement[bool]:
    """What joins a message to its template; its phone is joined already."""
    return and_(
        col(Template.waba_id) == col(Phone.waba_id),
        col(Template.name) == col(Message.template_name),
        col(Template.language) == col(Message.template_language),
    )


def may_duplicate() -> ColumnElement[bool]:
    """Of a letter joined to its message: whether sending it again may deliver twice."""
    return or_(col(Message.may_duplicate), _may_have_been_taken())


def _may_have_been_taken() -> ColumnElement[bool]:
    unknown = exists().where(
        col(Attempt.message_id) == col(Message.id),
        col(Attempt.outcome).in_([Outcome.UNKNOWN, Outcome.LATE]),
    )
    return or_(col(DeadLetter.may_duplicate), unknown)


def _is_suppressed() -> ColumnElement[bool]:
    concerns = or_(
        col(Suppression.kind) == SuppressionKind.ALL,
        and_(col(Suppression.kind) == SuppressionKind.MARKETING, col(Template.category) == "MARKETING"),
    )
    return exists().where(
        col(Suppression.contact_id) == col(Message.contact_id), col(Suppression.lifted_at).is_(None), concerns
    )


def _window_is_open(now: datetime) -> ColumnElement[bool]:
    return exists().where(
        col(ServiceWindow.phone_number_id) == col(Message.phone_number_id),
        col(ServiceWindow.contact_id) == col(Message.contact_id),
        col(ServiceWindow.last_inbound_at) > now - SERVICE_WINDOW,
    )


def _template_is_held() -> ColumnElement[bool]:
    return exists().where(
        col(Hold.scope) == HoldScope.TEMPLATE,
        col(Hold.subject) == col(Template.id),
        col(Hold.released_at).is_(None),
    )
