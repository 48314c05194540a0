"""The history of numbers and accounts as it is read: what Meta said, newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlmodel import col, or_, select

from core.errors import Malformed
from core.phones.reading import inner, word
from core.phones.verdicts import judge
from core.unit import Unit
from data.columns import from_micros, to_micros
from data.enums import ChangeSource, NodeAspect, NodeKind
from data.phones import NodeChange
from data.sending import Phone, Waba

# What came with a change and helps to understand it, wherever Meta puts it.
_REASONS = ("rejection_reason", "requester", "alert_description", "remediation", "rejection_reasons")


Weight = Literal["bad", "good", "plain"]


@dataclass(frozen=True, slots=True)
class ChangeView:
    """``reason``: what Meta gave as one, as it came; empty when it gave none. ``weight``: bad begins
    something that needs a person, good ends it, plain does neither."""

    id: str
    kind: NodeKind
    aspect: NodeAspect
    before: str | None
    after: str | None
    reason: str
    weight: Weight
    at: datetime
    noticed_at: datetime
    source: ChangeSource


@dataclass(frozen=True, slots=True)
class ChangePage:
    items: list[ChangeView]
    next_cursor: str | None


def list_changes(
    unit: Unit, phone_number_id: str, *, cursor: str | None = None, limit: int = 50
) -> ChangePage:
    """What changed about the number, its account and its business, newest first by Meta's time."""
    unit.require("phones.view")
    phone = unit.find(Phone, phone_number_id, called="phone number")
    business_id = unit.session.exec(select(Waba.business_id).where(col(Waba.id) == phone.waba_id)).first()
    subjects = [each for each in (phone.id, phone.waba_id, business_id) if each]
    statement = unit.scoped(NodeChange).where(col(NodeChange.subject).in_(subjects), _is_a_change())
    if cursor is not None:
        at, change_id = _read_cursor(cursor)
        statement = statement.where(
            or_(
                col(NodeChange.at) < at,
                (col(NodeChange.at) == at) & (col(NodeChange.id) < change_id),
            )
        )
    newest = statement.order_by(col(NodeChange.at).desc(), col(NodeChange.id).desc()).limit(limit + 1)
    rows = list(unit.session.exec(newest))
    more = len(rows) > limit
    last = rows[limit - 1] if more else None
    return ChangePage(
        [_view(row) for row in rows[:limit]], f"{to_micros(last.at)}.{last.id}" if last else None
    )


def newest_changes(unit: Unit, phone_number_ids: list[str]) -> dict[str, ChangeView]:
    """phone → its newest change; without the phones that never changed since they were connected."""
    newest = (
        select(NodeChange.id)
        .where(
            col(NodeChange.workspace_id) == col(Phone.workspace_id),
            col(NodeChange.subject) == col(Phone.id),
            col(NodeChange.aspect) != NodeAspect.CONNECTED,
            _is_a_change(),
        )
        .order_by(col(NodeChange.at).desc(), col(NodeChange.id).desc())
        .limit(1)
        .correlate(Phone)
        .scalar_subquery()
    )
    of_phones = select(newest).where(
        col(Phone.workspace_id) == unit.workspace_id, col(Phone.id).in_(phone_number_ids)
    )
    rows = unit.session.exec(unit.scoped(NodeChange).where(col(NodeChange.id).in_(of_phones)))
    return {row.subject: _view(row) for row in rows}


def _is_a_change() -> Any:
    """A webhook may say what was so already; such a row keeps the order of things and is not shown."""
    return col(NodeChange.before).is_distinct_from(col(NodeChange.after))


def _view(row: NodeChange) -> ChangeView:
    return ChangeView(
        id=row.id,
        kind=row.kind,
        aspect=row.aspect,
        before=row.before,
        after=row.after,
        reason=_reason(row.detail or {}),
        weight=_weight(row),
        at=row.at,
        noticed_at=row.noticed_at,
        source=row.source,
    )


def _weight(row: NodeChange) -> Weight:
    verdict = judge(row.aspect, row.before, row.after)
    if verdict is None:
        return "bad" if row.aspect is NodeAspect.VIOLATION else "plain"
    return "good" if verdict.severity is None else "bad"


def _reason(detail: dict[str, Any]) -> str:
    places = (detail, detail.get("alert_info"), detail.get("partner_client_certification_info"))
    for place in places:
        for name in _REASONS:
            found = inner(place, name) if isinstance(place, dict) else None
            said = word(found[0] if isinstance(found, list) and found else found)
            if said and said.upper() not in ("NONE", "NULL"):
                return said
    return ""


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    micros, _, change_id = cursor.partition(".")
    if not (micros.isascii() and micros.isdigit() and len(micros) <= 17 and change_id):
        raise Malformed.field("cursor", "must be the cursor of an earlier page")
    return from_micros(int(micros)), change_id
