"""Numbers as those see them who send with them: Meta's word on each, its lane, and what it did today."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import case
from sqlalchemy import select as select_columns
from sqlmodel import col, func, or_, select

from core.contacts.rules import pretty_number
from core.errors import NotFound
from core.ids import first_id
from core.lanes.queries import HoldView, holds
from core.messaging.queries import LaneStatus, lane_statuses
from core.phones.changes import ChangeView, newest_changes
from core.unit import Unit
from data.enums import HoldCause, HoldScope
from data.messages import Message
from data.sending import Hold, Phone, Waba


@dataclass(frozen=True, slots=True)
class LaneView:
    """``state`` is running, paused (by a person) or held (for a cause); ``held`` counts what waits for the
    hold, ``waiting`` what waits with or without one."""

    state: str
    hold: HoldView | None
    held: int
    waiting: int

    @property
    def is_own(self) -> bool:
        """The phone itself is held, not its workspace or everything."""
        return self.hold is not None and self.hold.scope is HoldScope.LANE


@dataclass(frozen=True, slots=True)
class Sender:
    """``pace``: messages of the last second. ``sync_error``: why its account could not be read last time.
    ``messages_today`` counts both directions since midnight of the workspace's zone."""

    phone_number_id: str
    waba_id: str
    display_number: str
    verified_name: str
    quality: str
    throughput_level: str
    limit_per_second: int
    pace: int
    messaging_tier: str | None
    name_status: str | None
    status: str
    lane: LaneView
    synced_at: datetime
    sync_error: str | None
    messages_today: int
    last_change: ChangeView | None


@dataclass(frozen=True, slots=True)
class SenderPage:
    items: list[Sender]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class UrgentFirst:
    """The first of ``total`` numbers."""

    items: list[Sender]
    total: int


def list_senders(unit: Unit, *, cursor: str | None = None, limit: int = 50) -> SenderPage:
    """By Meta's id."""
    unit.require("phones.view")
    statement = unit.scoped(Phone)
    if cursor is not None:
        statement = statement.where(col(Phone.id) > cursor)
    phones = list(unit.session.exec(statement.order_by(col(Phone.id)).limit(limit + 1)))
    more = len(phones) > limit
    shown = phones[:limit]
    return SenderPage(_senders(unit, shown), shown[-1].id if more else None)


def urgent_first(unit: Unit, *, q: str = "", limit: int = 50) -> UrgentFirst:
    """Those first that are held, then those that are not well, then the others by name. ``q``: part of the
    name, or digits of the number."""
    unit.require("phones.view")
    wanted = [col(Phone.workspace_id) == unit.workspace_id]
    if q.strip():
        digits = func.replace(col(Phone.display_number), " ", "")
        wanted.append(
            or_(
                col(Phone.verified_name).icontains(q.strip(), autoescape=True),
                digits.contains(q.replace(" ", ""), autoescape=True),
            )
        )
    held = select(Hold.subject).where(col(Hold.scope) == HoldScope.LANE, col(Hold.released_at).is_(None))
    failed = select(Waba.id).where(
        col(Waba.workspace_id) == unit.workspace_id, col(Waba.sync_error).is_not(None)
    )
    is_unwell = or_(
        col(Phone.quality) == "RED", col(Phone.status) != "CONNECTED", col(Phone.waba_id).in_(failed)
    )
    urgency = case((col(Phone.id).in_(held), 0), (is_unwell, 1), else_=2)
    ordered = select(Phone).where(*wanted).order_by(urgency, func.lower(Phone.verified_name), col(Phone.id))
    phones = list(unit.session.exec(ordered.limit(limit)))
    total = unit.session.exec(select(func.count()).select_from(Phone).where(*wanted)).one()
    return UrgentFirst(_senders(unit, phones), total)


def senders_of(unit: Unit, phone_number_ids: Sequence[str]) -> list[Sender]:
    """Those numbers, in this order; others' and ones that are gone are left out."""
    unit.require("phones.view")
    rows = unit.session.exec(unit.scoped(Phone).where(col(Phone.id).in_(phone_number_ids)))
    by_id = {row.id: row for row in rows}
    return _senders(unit, [by_id[one] for one in phone_number_ids if one in by_id])


def sender_of(unit: Unit, phone_number_id: str) -> Sender:
    """NotFound for another workspace's number too."""
    unit.require("phones.view")
    return _senders(unit, [unit.find(Phone, phone_number_id, called="phone number")])[0]


def _senders(unit: Unit, phones: list[Phone]) -> list[Sender]:
    if not phones:
        return []
    ids = [phone.id for phone in phones]
    lanes = {lane.phone_number_id: lane for lane in lane_statuses(unit, ids)}
    wide = [hold for hold in holds(unit) if hold.scope in (HoldScope.WORKSPACE, HoldScope.EVERYTHING)]
    today = _messages_today(unit, ids)
    errors = _sync_errors(unit, {phone.waba_id for phone in phones})
    changes = newest_changes(unit, ids)
    found = []
    for phone in phones:
        lane = lanes.get(phone.id)
        if lane is None:
            raise NotFound.of("phone number")
        found.append(
            Sender(
                phone_number_id=phone.id,
                waba_id=phone.waba_id,
                display_number=pretty_number(phone.display_number),
                verified_name=phone.verified_name,
                quality=phone.quality,
                throughput_level=phone.throughput_level,
                limit_per_second=lane.limit_per_second,
                pace=max(0, lane.limit_per_second - lane.remaining),
                messaging_tier=phone.messaging_tier,
                name_status=phone.name_status,
                status=phone.status,
                lane=_lane_view(lane, wide[0] if wide else None),
                synced_at=phone.synced_at,
                sync_error=errors.get(phone.waba_id),
                messages_today=today.get(phone.id, 0),
                last_change=changes.get(phone.id),
            )
        )
    return found


def _lane_view(lane: LaneStatus, wide: HoldView | None) -> LaneView:
    hold = lane.hold or wide
    if hold is None:
        return LaneView("running", None, 0, lane.waiting)
    return LaneView("paused" if hold.cause is HoldCause.PERSON else "held", hold, lane.waiting, lane.waiting)


def _messages_today(unit: Unit, ids: list[str]) -> dict[str, int]:
    local = unit.now.astimezone(ZoneInfo(unit.workspace().timezone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    counted = (
        select_columns(col(Message.phone_number_id), func.count())
        .where(
            col(Message.workspace_id) == unit.workspace_id,
            col(Message.phone_number_id).in_(ids),
            col(Message.id) >= first_id("msg", midnight),
        )
        .group_by(col(Message.phone_number_id))
    )
    return {row[0]: row[1] for row in unit.session.execute(counted)}


def _sync_errors(unit: Unit, waba_ids: set[str]) -> dict[str, str]:
    failed = select(Waba.id, Waba.sync_error).where(
        col(Waba.id).in_(waba_ids), col(Waba.sync_error).is_not(None)
    )
    return {waba_id: error or "" for waba_id, error in unit.session.exec(failed)}
