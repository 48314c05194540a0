from datetime import timedelta
from typing import Any

from core.lanes.accounts import apply_account_change
from core.lanes.commands import pause
from data.enums import HoldCause
from data.sending import Waba
from tests.conftest import NOW, PHONE_ID, SECOND_PHONE_ID, WABA_ID, Place
from tests.core.desk import WORKER, Desk


def tell(desk: Desk, state: str, *, minutes: int) -> None:
    value: dict[str, Any] = {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": state}}
    with desk.runtime.unit(WORKER, write=True) as unit:
        waba = unit.session.get_one(Waba, WABA_ID)
        moment = NOW + timedelta(minutes=minutes)
        apply_account_change(unit, waba=waba, field="account_update", value=value, at=moment)


def held(desk: Desk) -> list[tuple[str, HoldCause, str | None]]:
    return sorted((hold.subject, hold.cause, hold.workspace_id) for hold in desk.holds())


def test_q7_a_disabled_account_holds_its_lanes_until_it_is_reinstated(desk: Desk, other_place: Place) -> None:
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        pause(unit, phone_number_id=PHONE_ID, reason="Stock-taking")
    by_hand = (PHONE_ID, HoldCause.PERSON, desk.place.workspace.id)
    for _ in range(2):
        tell(desk, "DISABLE", minutes=1)
        assert held(desk) == [
            by_hand,
            (PHONE_ID, HoldCause.RESTRICTION, desk.place.workspace.id),
            (SECOND_PHONE_ID, HoldCause.RESTRICTION, desk.place.workspace.id),
        ]
    tell(desk, "REINSTATE", minutes=2)
    assert held(desk) == [by_hand]


def test_q7_a_ban_told_late_holds_nothing(desk: Desk) -> None:
    tell(desk, "REINSTATE", minutes=2)
    tell(desk, "DISABLE", minutes=1)
    assert held(desk) == []
