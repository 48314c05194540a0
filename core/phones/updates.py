"""What Meta tells by webhook of numbers, accounts and businesses (cloud-api: account and number fields)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from core.alerts.commands import raise_alert
from core.phones import history
from core.phones.account_events import apply_event, stops_sending
from core.phones.history import Word
from core.phones.reading import inner, shouted, tier_of
from core.phones.reading import word as word_of
from core.phones.told import Told
from core.unit import Unit
from data.enums import ChangeSource, NodeAspect, Severity
from data.sending import Waba


class Sending(StrEnum):
    """What a change means for every lane of the account."""

    STOPPED = "stopped"
    FREED = "freed"


def apply_change(
    unit: Unit, *, waba: Waba, field: str, value: dict[str, Any], at: datetime
) -> Sending | None:
    """What the webhook says is so, stands in the history once, and the account is read again soon.

    Returns what it means for the account's lanes, None for nothing; the caller holds or releases them. A
    field that is not of numbers or accounts changes nothing. Applied twice, late or in another order it
    comes to the same.
    """
    apply = _FIELDS.get(field)
    if apply is None:
        return None
    unit.session.refresh(waba, with_for_update={"key_share": True})
    before = waba.restriction
    apply(Told(unit, waba, value, Word(at, ChangeSource.WEBHOOK)))
    if waba.sync_due_at is not None:
        waba.sync_due_at = unit.now
        unit.session.add(waba)
    unit.session.flush()
    return _meaning(before, waba.restriction)


def _meaning(before: str | None, after: str | None) -> Sending | None:
    was, does = stops_sending(before), stops_sending(after)
    if was == does:
        return None
    return Sending.STOPPED if does else Sending.FREED


_QUALITY_EVENTS: Mapping[str, tuple[NodeAspect, str]] = MappingProxyType(
    {
        "THROUGHPUT_UPGRADE": (NodeAspect.THROUGHPUT, "HIGH"),
        "FLAGGED": (NodeAspect.STATUS, "FLAGGED"),
        "UNFLAGGED": (NodeAspect.STATUS, "CONNECTED"),
    }
)


def _quality(told: Told) -> None:
    phone = told.phone()
    if phone is None:
        return
    says = _QUALITY_EVENTS.get(told.text("event") or "")
    if says is not None:
        history.change(told.unit, phone, *says, word=told.word)
    limit = told.value.get("current_limit") or told.value.get("max_daily_conversations_per_business")
    tier = tier_of(limit)
    if tier is not None:
        history.change(told.unit, phone, NodeAspect.TIER, tier, word=told.word, detail=told.value)


_NAME_DECISIONS: Mapping[str, str] = MappingProxyType(
    {"REJECTED": "DECLINED", "PENDING": "PENDING_REVIEW", "DEFERRED": "PENDING_REVIEW"}
)


def _name(told: Told) -> None:
    """The name that was asked for is accepted or not; the one in use stays until the next reading."""
    phone, decision = told.phone(), told.text("decision")
    if phone is None or decision is None:
        return
    status = _NAME_DECISIONS.get(decision, decision)
    history.change(told.unit, phone, NodeAspect.NEW_NAME_STATUS, status, word=told.word, detail=told.value)


def _review(told: Told) -> None:
    decision = told.text("decision")
    if decision is not None:
        history.change(told.unit, told.waba, NodeAspect.REVIEW, decision, word=told.word)


def _capability(told: Told) -> None:
    """The limit is the business's: every number of the account has it."""
    tier = tier_of(
        told.value.get("max_daily_conversations_per_business")
        or told.value.get("max_daily_conversation_per_phone")
    )
    if tier is not None:
        for phone in told.phones():
            history.change(told.unit, phone, NodeAspect.TIER, tier, word=told.word)
    said = ", ".join(f"{name} {word_of(each)}" for name, each in sorted(told.value.items()) if word_of(each))
    history.event(told.unit, told.waba, NodeAspect.CAPABILITY, said[:200], word=told.word, detail=told.value)


def _security(told: Told) -> None:
    phone, event = told.phone(), told.text("event")
    if phone is not None and event is not None:
        history.event(told.unit, phone, NodeAspect.SECURITY, event, word=told.word, detail=told.value)


def _notice(told: Told) -> None:
    """Meta's own alerts. A critical one is one of ours too."""
    alert = told.value.get("alert_info")
    kind = shouted(inner(alert, "alert_type")) if isinstance(alert, dict) else None
    if kind is None:
        return
    is_new = history.event(told.unit, told.waba, NodeAspect.NOTICE, kind, word=told.word, detail=told.value)
    if is_new and shouted(inner(alert, "alert_severity")) == "CRITICAL":
        raise_alert(
            told.unit,
            kind="account_notice",
            subject=f"waba:{told.waba.id}:{kind}",
            severity=Severity.WARNING,
            title=f"Meta on {told.waba.name}: {kind.replace('_', ' ').lower()}",
            detail=word_of(inner(alert, "alert_description")) or "",
            workspace_id=told.waba.workspace_id,
            link="/phones",
        )


_FIELDS: Mapping[str, Callable[[Told], None]] = MappingProxyType(
    {
        "phone_number_quality_update": _quality,
        "phone_number_name_update": _name,
        "account_update": apply_event,
        "account_review_update": _review,
        "business_capability_update": _capability,
        "security": _security,
        "account_alerts": _notice,
    }
)
