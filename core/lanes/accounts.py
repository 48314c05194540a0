"""What Meta says of an account, carried over to the lanes of its numbers (Q7)."""

from datetime import datetime
from typing import Any

from sqlmodel import col, select

from core.lanes import holding
from core.phones.updates import Sending, apply_change
from core.unit import Unit
from data.enums import HoldCause, HoldScope
from data.sending import Phone, Waba


def apply_account_change(unit: Unit, *, waba: Waba, field: str, value: dict[str, Any], at: datetime) -> None:
    """What the webhook says is so for the account; its lanes are held when it may send nothing, and go again
    when it may.

    *DISABLED_UPDATE with DISABLE: every lane of the account is held as restricted. With REINSTATE: that hold
    ends; one by a person stays.*
    """
    meaning = apply_change(unit, waba=waba, field=field, value=value, at=at)
    if meaning is None:
        return
    ids = select(Phone.id).where(col(Phone.waba_id) == waba.id).order_by(col(Phone.id))
    for phone_number_id in unit.session.exec(ids).all():
        if meaning is Sending.STOPPED:
            holding.hold(
                unit,
                scope=HoldScope.LANE,
                subject=phone_number_id,
                cause=HoldCause.RESTRICTION,
                reason="Meta stopped all sending of the account.",
                workspace_id=waba.workspace_id,
            )
        else:
            holding.release(unit, scope=HoldScope.LANE, subject=phone_number_id, cause=HoldCause.RESTRICTION)
    if meaning is Sending.FREED:
        unit.ring()
