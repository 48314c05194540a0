"""Account and number webhooks: the state follows, the history keeps the order of things at Meta."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlmodel import col, select

from core.phones.changes import ChangeView, list_changes
from core.phones.updates import Sending, apply_change
from data.alerts import Alert
from data.phones import NodeChange
from data.sending import Phone, Waba
from tests.conftest import NOW, PHONE_ID, WABA_ID
from tests.core.desk import WORKER, Desk

DIGITS = "493055570142"
Told = tuple[str, dict[str, Any], datetime]


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def quality(minutes: float, **value: Any) -> Told:
    return "phone_number_quality_update", {"display_phone_number": DIGITS, **value}, at(minutes)


def account(minutes: float, event: str, **value: Any) -> Told:
    return "account_update", {"event": event, **value}, at(minutes)


def ban(minutes: float, state: str) -> Told:
    return account(minutes, "DISABLED_UPDATE", ban_info={"waba_ban_state": state})


def hear(desk: Desk, *told: Told) -> list[Sending | None]:
    found = []
    with desk.runtime.unit(WORKER, write=True) as unit:
        for field, value, moment in told:
            waba = unit.session.get_one(Waba, WABA_ID)
            found.append(apply_change(unit, waba=waba, field=field, value=value, at=moment))
    return found


def phone(desk: Desk, phone_number_id: str = PHONE_ID) -> Phone:
    with desk.runtime.unit(WORKER) as unit:
        return unit.session.get_one(Phone, phone_number_id)


def waba(desk: Desk) -> Waba:
    with desk.runtime.unit(WORKER) as unit:
        return unit.session.get_one(Waba, WABA_ID)


def changes(desk: Desk) -> list[ChangeView]:
    """Oldest first."""
    with desk.runtime.unit(desk.place.owner) as unit:
        return list(reversed(list_changes(unit, PHONE_ID).items))


def story(desk: Desk) -> list[tuple[str, str | None, str | None]]:
    return [(each.aspect.value, each.before, each.after) for each in changes(desk)]


def rows(desk: Desk) -> list[tuple[Any, ...]]:
    """Every row of the history, in Meta's order."""
    with desk.runtime.unit(WORKER) as unit:
        found = unit.session.exec(select(NodeChange).order_by(col(NodeChange.at), col(NodeChange.aspect)))
        return [(one.subject, one.aspect, one.before, one.after, one.at) for one in found]


def alerts(desk: Desk) -> list[tuple[str, str]]:
    with desk.runtime.unit(WORKER) as unit:
        found = select(Alert).where(col(Alert.resolved_at).is_(None)).order_by(col(Alert.kind))
        return [(one.kind, one.title) for one in unit.session.exec(found)]


def test_a_lower_limit_changes_the_number_and_is_an_alert_until_it_rises(desk: Desk) -> None:
    desk.change(Phone, PHONE_ID, messaging_tier="TIER_10K")
    hear(desk, quality(1, event="DOWNGRADE", old_limit="TIER_10K", current_limit="TIER_2K"))
    assert phone(desk).messaging_tier == "TIER_2K"
    assert story(desk) == [("tier", "TIER_10K", "TIER_2K")]
    assert alerts(desk) == [
        ("phone_tier", "Northwind 1 may write first to 2,000 people a day, no longer 10,000 people")
    ]
    hear(desk, quality(2, event="UPGRADE", current_limit="TIER_10K"))
    assert (phone(desk).messaging_tier, alerts(desk)) == ("TIER_10K", [])


def test_the_same_webhook_twice_is_one_change_and_one_alert(desk: Desk) -> None:
    for _ in range(3):
        hear(desk, quality(1, event="FLAGGED"))
    assert story(desk) == [("status", "CONNECTED", "FLAGGED")]
    assert [kind for kind, _ in alerts(desk)] == ["phone_restricted"]


def test_any_order_of_webhooks_comes_to_the_same(desk: Desk) -> None:
    told = [
        quality(1, event="FLAGGED", current_limit="TIER_10K"),
        quality(2, event="DOWNGRADE", current_limit="TIER_2K"),
        quality(3, event="UNFLAGGED", current_limit="TIER_2K"),
        ban(4, "DISABLE"),
        ban(5, "REINSTATE"),
    ]
    found = set()
    for order in list(permutations(told))[::11]:
        desk.change(Phone, PHONE_ID, messaging_tier="TIER_100K", status="CONNECTED")
        desk.change(Waba, WABA_ID, restriction=None)
        with desk.runtime.unit(WORKER, write=True) as unit:
            for row in unit.session.exec(select(NodeChange)):
                unit.session.delete(row)
        hear(desk, *order)
        hear(desk, *order)
        now = phone(desk)
        found.add((now.messaging_tier, now.status, waba(desk).restriction, tuple(rows(desk))))
    assert len(found) == 1
    ((tier, status, restriction, kept),) = found
    assert (tier, status, restriction) == ("TIER_2K", "CONNECTED", None)
    assert len(kept) == 7


def test_a_late_word_takes_its_place_and_changes_nothing_else(desk: Desk) -> None:
    hear(desk, quality(20, event="UNFLAGGED"), quality(10, event="FLAGGED"))
    assert phone(desk).status == "CONNECTED"
    assert alerts(desk) == []
    assert story(desk) == [("status", "CONNECTED", "FLAGGED"), ("status", "FLAGGED", "CONNECTED")]


def test_q7_a_ban_stops_the_account_and_its_end_frees_it(desk: Desk) -> None:
    assert hear(desk, ban(1, "SCHEDULE_FOR_DISABLE")) == [None]
    assert hear(desk, ban(2, "DISABLE")) == [Sending.STOPPED]
    assert waba(desk).restriction == "DISABLE"
    assert hear(desk, ban(2, "DISABLE")) == [None]
    assert [kind for kind, _ in alerts(desk)] == ["account_restricted"]
    assert hear(desk, ban(3, "REINSTATE")) == [Sending.FREED]
    assert (waba(desk).restriction, alerts(desk)) == (None, [])


def test_a_restriction_of_one_kind_lets_the_other_pass_and_says_until_when(desk: Desk) -> None:
    def restricted(minutes: float, *kinds: str) -> Told:
        until = int(at(600).timestamp())
        info = [{"restriction_type": kind, "expiration": until} for kind in kinds]
        return account(minutes, "ACCOUNT_RESTRICTION", restriction_info=info)

    first = "RESTRICTED_BIZ_INITIATED_MESSAGING"
    assert hear(desk, restricted(1, first)) == [None]
    assert (waba(desk).restriction, waba(desk).restricted_until) == (first, at(600))
    both = (first, "RESTRICTED_CUSTOMER_INITIATED_MESSAGING")
    assert hear(desk, restricted(2, *both)) == [Sending.STOPPED]


def test_leaving_and_coming_back_undo_each_other_but_not_a_ban(desk: Desk) -> None:
    assert hear(desk, account(1, "ACCOUNT_OFFBOARDED")) == [Sending.STOPPED]
    assert hear(desk, account(2, "ACCOUNT_RECONNECTED")) == [Sending.FREED]
    hear(desk, ban(3, "DISABLE"))
    assert hear(desk, account(4, "ACCOUNT_RECONNECTED")) == [None]
    assert waba(desk).restriction == "DISABLE"


def test_a_declined_name_is_told_with_its_reason(desk: Desk) -> None:
    value = {
        "display_phone_number": DIGITS,
        "decision": "REJECTED",
        "requested_verified_name": "Best Shop",
        "rejection_reason": "NAME_FORMAT_UNACCEPTABLE",
    }
    hear(desk, ("phone_number_name_update", value, at(1)))
    assert phone(desk).new_name_status == "DECLINED"
    (change,) = changes(desk)
    assert (change.after, change.reason) == ("DECLINED", "NAME_FORMAT_UNACCEPTABLE")
    assert alerts(desk) == [("phone_name", "Northwind 1 has a display name that is declined")]
    hear(desk, ("phone_number_name_update", value | {"decision": "APPROVED"}, at(2)))
    assert alerts(desk) == []


def test_verification_is_followed_through_a_partners_words(desk: Desk) -> None:
    def certified(minutes: float, status: str) -> Told:
        info = {"client_business_id": "9", "status": status, "rejection_reasons": ["ADDRESS_MISMATCH"]}
        return account(
            minutes, "PARTNER_CLIENT_CERTIFICATION_STATUS_UPDATE", partner_client_certification_info=info
        )

    hear(desk, certified(1, "PENDING"), certified(2, "REJECTED"))
    assert waba(desk).verification == "rejected"
    assert changes(desk)[-1].reason == "ADDRESS_MISMATCH"
    assert [kind for kind, _ in alerts(desk)] == ["business_verification"]
    hear(desk, account(3, "VERIFIED_ACCOUNT"))
    assert (waba(desk).verification, alerts(desk)) == ("verified", [])


def test_what_leaves_no_state_is_an_event(desk: Desk) -> None:
    notice = {"alert_severity": "CRITICAL", "alert_type": "OBA_REJECTED", "alert_description": "Sorry"}
    told = (
        account(1, "ACCOUNT_VIOLATION", violation_info={"violation_type": "ADULT"}),
        ("security", {"display_phone_number": DIGITS, "event": "PIN_CHANGED", "requester": "7"}, at(2)),
        ("account_alerts", {"entity_type": "WABA", "entity_id": WABA_ID, "alert_info": notice}, at(3)),
        ("business_capability_update", {"max_daily_conversations_per_business": 2000}, at(4)),
        account(5, "AD_ACCOUNT_LINKED"),
        ("account_review_update", {"decision": "REJECTED"}, at(6)),
    )
    hear(desk, *told)
    hear(desk, *told)
    assert set(story(desk)) == {
        ("violation", None, "ADULT"),
        ("security", None, "PIN_CHANGED"),
        ("notice", None, "OBA_REJECTED"),
        ("tier", None, "TIER_2K"),
        ("capability", None, "max_daily_conversations_per_business 2000"),
        ("event", None, "AD_ACCOUNT_LINKED"),
        ("review", None, "REJECTED"),
    }
    assert len(story(desk)) == 7
    assert [kind for kind, _ in alerts(desk)] == ["account_notice", "account_review"]


def test_a_webhook_asks_for_a_reading_soon(desk: Desk) -> None:
    desk.change(Waba, WABA_ID, sync_due_at=at(60))
    hear(desk, quality(1, event="ONBOARDING"))
    assert waba(desk).sync_due_at == NOW


WRONG: Iterable[Any] = (None, 7, "x", [], {}, [{}], {"a": [1]}, 10**40, True, "\x00", "x" * 5_000)


@pytest.mark.parametrize(
    "field",
    [
        "account_update",
        "phone_number_quality_update",
        "account_alerts",
        "phone_number_name_update",
        "business_capability_update",
        "security",
        "account_review_update",
        "something_new",
    ],
)
def test_no_value_of_any_shape_breaks_it(desk: Desk, field: str) -> None:
    names = (
        "event",
        "decision",
        "current_limit",
        "ban_info",
        "restriction_info",
        "violation_info",
        "partner_client_certification_info",
        "alert_info",
        "max_daily_conversations_per_business",
    )
    events = ("DISABLED_UPDATE", "ACCOUNT_RESTRICTION", "ACCOUNT_VIOLATION", "FLAGGED", "UNHEARD_OF")
    for wrong in WRONG:
        hear(desk, (field, dict.fromkeys(names, wrong) | {"display_phone_number": DIGITS}, at(1)))
        for event in events:
            value = {"event": event, **dict.fromkeys(names[1:], wrong), "display_phone_number": DIGITS}
            hear(desk, (field, value, at(2)))
    assert all(change.after is None or len(change.after) <= 200 for change in changes(desk))
