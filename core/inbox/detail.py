"""One webhook, with everything that it said to this workspace."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlmodel import col, select

from core.inbox.applying import owners_of
from core.inbox.owners import owners
from core.inbox.queries import SHOWN, DeliveryRow, delivery_row
from core.inbox.reading import named, read
from core.inbox.rules import parsed
from core.inbox.updates import Change, Content, InboundMessage, Preference, Update
from core.messaging.reports import StatusReport
from core.storable import storable
from core.unit import Unit
from data.inbox import Delivery, DeliveryFailure

_KINDS: Mapping[type[Content], str] = MappingProxyType(
    {StatusReport: "status", InboundMessage: "message", Preference: "user_preferences"}
)


@dataclass(frozen=True, slots=True)
class FailureView:
    """``path`` says where in the body, such as ``entry[0].changes[1].value.statuses[3]``."""

    path: str
    field: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """One delivery with everything it said to this workspace: ``body`` is its JSON, less what concerns other
    workspaces, None when the raw text is gone. ``said``: kind of update (``status``, ``message``, or the
    field) → number."""

    row: DeliveryRow
    sha256: str
    body: Any | None
    said: dict[str, int]
    failures: list[FailureView]


def delivery(unit: Unit, delivery_id: str) -> DeliveryView:
    """NotFound for other workspaces' too."""
    unit.require("webhooks.view")
    found = unit.find(Delivery, delivery_id, called="delivery")
    shown = unit.scoped(Delivery).where(col(Delivery.id) == delivery_id).with_only_columns(*SHOWN)
    failures = unit.session.exec(
        select(DeliveryFailure)
        .where(col(DeliveryFailure.delivery_id) == found.id)
        .order_by(col(DeliveryFailure.path))
    )
    envelope = None if found.body is None else parsed(found.body)
    return DeliveryView(
        row=delivery_row(unit, unit.session.execute(shown).one()),
        sha256=found.sha256,
        body=None if envelope is None else storable(_own(unit, envelope)),
        said={} if envelope is None else _said(unit, envelope),
        failures=[FailureView(one.path, one.field, one.reason, one.at) for one in failures],
    )


def _own(unit: Unit, envelope: Any) -> Any:
    """The envelope without the changes of other workspaces' phones and accounts."""
    if not isinstance(envelope, dict) or not isinstance(envelope.get("entry"), list):
        return envelope
    whose = owners(unit, {phone or waba for phone, waba in named(envelope)})
    entries = []
    for entry in envelope["entry"]:
        changes = entry.get("changes") if isinstance(entry, dict) else None
        if not isinstance(changes, list):
            continue
        mine = [
            change
            for change in changes
            if any(
                whose.get(phone or waba) == unit.workspace_id
                for phone, waba in named({"entry": [{**entry, "changes": [change]}]})
            )
        ]
        if mine:
            entries.append({**entry, "changes": mine})
    return {**envelope, "entry": entries}


def _said(unit: Unit, envelope: Any) -> dict[str, int]:
    updates = read(envelope).updates
    whose = owners_of(unit, updates)
    mine = [one for one in updates if whose.get(one.phone_number_id or one.waba_id) == unit.workspace_id]
    return dict(Counter(_kind(one) for one in mine))


def _kind(update: Update) -> str:
    if isinstance(update.content, Change):
        return update.field
    return _KINDS[type(update.content)]
