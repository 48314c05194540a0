"""What follows when an account has a token that works: its lanes go again, and nobody is needed any more."""

from dataclasses import dataclass
from typing import Any

from sqlmodel import col, func, select

from core.lanes.holding import active_holds, release
from core.tokens.telling import is_well_again
from core.unit import Unit
from data.enums import HoldCause, HoldScope
from data.messages import DUE, Message
from data.sending import AccessToken, Hold, Phone


@dataclass(frozen=True, slots=True)
class Freed:
    """The lanes that were held for the token, and how many messages waited in them."""

    phone_number_ids: list[str]
    messages: int

    @property
    def facts(self) -> dict[str, object]:
        """For the audit log; nothing where nothing was held."""
        return {"lanes": self.phone_number_ids, "can_go": self.messages} if self.phone_number_ids else {}


def works(unit: Unit, token: AccessToken) -> Freed:
    """The work on the token is over, its alert resolved, and its account's lanes are held for it no more:
    their messages are claimed in order (Q7, K4)."""
    token.due_at = None
    token.wants_new = False
    token.attempts = 0
    token.refused_at = None
    freed = _release_lanes(unit, token.waba_id)
    is_well_again(unit, token, let_go=freed.messages)
    if freed.phone_number_ids:
        token.let_go = freed.messages
        unit.ring()
    unit.session.add(token)
    return freed


def holds_lanes(unit: Unit, waba_id: str) -> bool:
    """Whether a lane of the account is held for its token."""
    return unit.session.exec(token_holds(waba_id).limit(1)).first() is not None


def token_holds(waba_id: Any) -> Any:
    """The active holds for the token of that account; ``waba_id`` may be a column."""
    return (
        select(Hold.id)
        .join(Phone, col(Phone.id) == col(Hold.subject))
        .where(
            col(Hold.released_at).is_(None),
            col(Hold.scope) == HoldScope.LANE,
            col(Hold.cause) == HoldCause.TOKEN,
            col(Phone.waba_id) == waba_id,
        )
    )


def _release_lanes(unit: Unit, waba_id: str) -> Freed:
    phones = select(Phone.id).where(col(Phone.waba_id) == waba_id).order_by(col(Phone.id))
    released = [
        phone
        for phone in unit.session.exec(phones).all()
        if release(unit, scope=HoldScope.LANE, subject=phone, cause=HoldCause.TOKEN)
    ]
    going = [phone for phone in released if not active_holds(unit, HoldScope.LANE, phone)]
    return Freed(released, _count_waiting(unit, going))


def _count_waiting(unit: Unit, phone_number_ids: list[str]) -> int:
    if not phone_number_ids:
        return 0
    waiting = (
        select(func.count())
        .select_from(Message)
        .where(col(Message.phone_number_id).in_(phone_number_ids), DUE)
    )
    return unit.session.exec(waiting).one()
