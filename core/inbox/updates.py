"""What one webhook says, update by update: values read from Meta's JSON, nothing looked up yet."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.messaging.reports import StatusReport


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One item of ``messages[]``. At least one of ``wa_id`` (digits without a plus) and ``user_id`` (the
    business-scoped id) is there. ``new_wa_id``: the number that the sender has from now on."""

    wamid: str
    wa_id: str | None
    user_id: str | None
    at: datetime
    meta_type: str
    text: str | None
    name: str | None
    new_wa_id: str | None
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Preference:
    """What a customer decided about marketing: ``value`` is stop, resume, or a word to come."""

    wa_id: str | None
    user_id: str | None
    category: str
    value: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an account, a phone or a template, whole; ``at`` is None where Meta does not date it."""

    value: dict[str, Any]
    at: datetime | None


Content = StatusReport | InboundMessage | Preference | Change


@dataclass(frozen=True, slots=True)
class Update:
    """One thing that Meta tells, with where it stands in the body, and its ``number`` among all that the body
    tells. Its owner is the phone's workspace, or the account's where no phone is named."""

    number: int
    path: str
    field: str
    waba_id: str
    phone_number_id: str | None
    content: Content


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A part of a body that cannot be understood. ``waba_id`` and ``phone_number_id`` as far as known."""

    path: str
    field: str
    waba_id: str
    phone_number_id: str | None
    reason: str


@dataclass(slots=True)
class Reading:
    updates: list[Update] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)


class NotUnderstood(Exception):
    """Says what is wrong with one update."""
