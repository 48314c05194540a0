"""Keeping our copy of accounts and their numbers like Meta's."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from core.errors import Conflict
from core.phones import history
from core.phones.history import Node, Word
from core.phones.reading import PhoneNode, WabaNode, kept_node, read_phone, read_waba, verification_of, word
from core.unit import Unit
from data.enums import ChangeSource, NodeAspect
from data.phones import Business
from data.sending import Lane, Phone, Waba

SYNC_EVERY = timedelta(hours=1)
# Meta: a number that is on the phone app too carries no more, whatever its level.
ON_PHONE_APP_PER_SECOND = 20


@dataclass(frozen=True, slots=True)
class Described:
    """An account as Meta describes it. ``business`` is None where the token may not read it; ``is_free``:
    Meta says that the account may send."""

    waba: dict[str, Any]
    phones: list[dict[str, Any]]
    business: dict[str, Any] | None
    is_free: bool = False


def store(unit: Unit, *, waba: Waba, described: Described) -> list[Phone]:
    """Our copies of account, business and numbers are what Meta says; what changed stands in the history.

    Conflict when a number is another workspace's.
    """
    unit.session.flush()
    unit.session.refresh(waba, with_for_update={"key_share": True})
    node = read_waba(described.waba)
    is_new = waba.synced_at is None
    waba.name = node.name or waba.name or waba.id
    _end_restriction(unit, waba, is_free=described.is_free)
    _take(
        unit,
        waba,
        {
            NodeAspect.STATUS: node.status,
            NodeAspect.REVIEW: node.review,
            NodeAspect.VERIFICATION: node.verification,
        },
        is_new=is_new,
    )
    waba.business_id = node.business_id or waba.business_id
    waba.described = node.kept
    waba.synced_at = unit.now
    waba.sync_due_at = unit.now + SYNC_EVERY
    waba.costs_due_at = waba.costs_due_at or unit.now
    waba.sync_error = None
    unit.session.add(waba)
    _store_business(unit, waba, node, described.business)
    found = [read_phone(each) for each in described.phones]
    return [_store_phone(unit, waba, each) for each in found if each is not None]


def _end_restriction(unit: Unit, waba: Waba, *, is_free: bool) -> None:
    """Meta tells when a restriction begins and when it is to end, but not always that it has ended."""
    is_over = waba.restricted_until is not None and waba.restricted_until <= unit.now
    if is_over or is_free:
        history.change(unit, waba, NodeAspect.RESTRICTION, None, word=_now(unit))
        waba.restricted_until = None


def _store_business(unit: Unit, waba: Waba, node: WabaNode, described: dict[str, Any] | None) -> None:
    if waba.business_id is None:
        return
    business = unit.session.get(Business, (waba.workspace_id, waba.business_id))
    is_new = business is None
    if business is None:
        business = Business(workspace_id=waba.workspace_id, id=waba.business_id, name="")
    business.name = word((described or {}).get("name")) or node.business_name or business.name
    if described is not None:
        state = verification_of(described.get("verification_status"))
        _take(unit, business, {NodeAspect.VERIFICATION: state}, is_new=is_new)
        business.described = kept_node(described)
        business.synced_at = unit.now
    unit.session.add(business)
    unit.session.flush()


def _store_phone(unit: Unit, waba: Waba, node: PhoneNode) -> Phone:
    phone = unit.session.get(Phone, node.id)
    if phone is not None and phone.workspace_id != waba.workspace_id:
        raise Conflict(
            f"The number {phone.display_number} is connected to another workspace already.",
            code="phone_connected_elsewhere",
        )
    is_new = phone is None
    if phone is None:
        phone = Phone(
            id=node.id,
            workspace_id=waba.workspace_id,
            waba_id=waba.id,
            display_number="",
            verified_name="",
            quality="UNKNOWN",
            throughput_level="STANDARD",
            status="UNKNOWN",
            synced_at=unit.now,
        )
    phone.waba_id = waba.id
    phone.display_number = node.display_number or phone.display_number
    if node.is_on_phone_app is not None:
        phone.own_limit = ON_PHONE_APP_PER_SECOND if node.is_on_phone_app else None
    phone.described = node.kept
    phone.synced_at = unit.now
    _take(unit, phone, _said(node), is_new=is_new)
    unit.session.add(phone)
    unit.session.flush()
    if is_new:
        unit.session.add(Lane(phone_number_id=phone.id, workspace_id=waba.workspace_id))
        history.event(unit, phone, NodeAspect.CONNECTED, phone.display_number, word=_now(unit))
    return phone


def _said(node: PhoneNode) -> Mapping[NodeAspect, str | None]:
    return {
        NodeAspect.NAME: node.name,
        NodeAspect.NAME_STATUS: node.name_status,
        NodeAspect.NEW_NAME_STATUS: node.new_name_status,
        NodeAspect.QUALITY: node.quality,
        NodeAspect.TIER: node.tier,
        NodeAspect.THROUGHPUT: node.throughput,
        NodeAspect.STATUS: node.status,
    }


def _take(unit: Unit, node: Node, said: Mapping[NodeAspect, str | None], *, is_new: bool) -> None:
    """What Meta did not say stays as it was."""
    for aspect, state in said.items():
        if state is None:
            continue
        if is_new:
            history.learn(unit, node, aspect, state)
        else:
            history.change(unit, node, aspect, state, word=_now(unit))


def _now(unit: Unit) -> Word:
    return Word(unit.now, ChangeSource.SYNC)
