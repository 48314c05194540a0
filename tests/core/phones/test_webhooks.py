"""From Meta's webhook, as the sandbox composes it, to the lane and the history."""

from typing import Any

import orjson
from sqlmodel import select

from core.phones.changes import list_changes
from core.sandbox.webhooks import Update, compose
from data.enums import HoldCause
from data.sending import Hold, Phone, Waba
from tests.conftest import PHONE_ID, WABA_ID
from tests.core.desk import WORKER, Desk


def told(desk: Desk, field: str, value: dict[str, Any], *, waba_id: str = WABA_ID) -> None:
    now = int(desk.now.timestamp())
    body = compose(waba_id, [Update(waba_id, "change", value, field=field)], now=now)
    desk.hear(orjson.loads(body))


def test_q7_a_ban_told_by_webhook_holds_and_its_end_frees(desk: Desk) -> None:
    for state, causes in (("DISABLE", {HoldCause.RESTRICTION}), ("REINSTATE", set())):
        desk.advance(60)
        value = {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": state}}
        told(desk, "account_update", value)
        assert {hold.cause for hold in desk.holds()} == causes
    with desk.runtime.unit(WORKER) as unit:
        assert len(unit.session.exec(select(Hold)).all()) == 2  # one a phone, both ended


def test_a_tier_told_by_webhook_is_on_the_number_and_in_its_history(desk: Desk) -> None:
    desk.change(Waba, WABA_ID, sync_due_at=desk.now)
    value = {"display_phone_number": "493055570142", "event": "DOWNGRADE", "current_limit": "TIER_250"}
    told(desk, "phone_number_quality_update", value)
    with desk.runtime.unit(desk.place.owner) as unit:
        assert unit.session.get_one(Phone, PHONE_ID).messaging_tier == "TIER_250"
        (change,) = list_changes(unit, PHONE_ID).items
    assert (change.after, change.at) == ("TIER_250", desk.now)


def test_an_account_of_no_workspace_changes_nothing(desk: Desk) -> None:
    value = {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "DISABLE"}}
    told(desk, "account_update", value, waba_id="999")
    assert desk.holds() == []
