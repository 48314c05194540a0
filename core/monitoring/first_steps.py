"""How far a new workspace is on its way to sending, read from what is there: one can leave and go on."""

from dataclasses import dataclass

from sqlmodel import col, select

from core.unit import Unit
from data.enums import Direction
from data.inbox import Delivery
from data.messages import Message
from data.sending import Phone, Waba


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """``numbers``: some of those connected, as Meta writes them. ``has_account``: also one without numbers.
    ``has_sent``: Meta took a message. ``hears``: a webhook has come."""

    workspace_name: str
    timezone: str
    has_account: bool
    numbers: tuple[str, ...]
    has_sent: bool
    hears: bool

    @property
    def is_done(self) -> bool:
        return bool(self.numbers) and self.has_sent and self.hears


def has_account(unit: Unit) -> bool:
    """Whether the workspace is connected to Meta at all."""
    unit.require("workspace.view")
    mine = select(Waba.id).where(col(Waba.workspace_id) == unit.workspace_id)
    return unit.session.exec(mine.limit(1)).first() is not None


def first_steps(unit: Unit) -> FirstSteps:
    unit.require("workspace.view")
    workspace = unit.workspace()
    numbers = select(Phone.display_number).where(col(Phone.workspace_id) == workspace.id)
    sent = select(Message.id).where(
        col(Message.workspace_id) == workspace.id,
        col(Message.sent_at).is_not(None),
        col(Message.direction) == Direction.OUTBOUND,
    )
    heard = select(Delivery.id).where(col(Delivery.workspace_id) == workspace.id)
    return FirstSteps(
        workspace_name=workspace.name,
        timezone=workspace.timezone,
        has_account=has_account(unit),
        numbers=tuple(unit.session.exec(numbers.order_by(col(Phone.id)).limit(3))),
        has_sent=unit.session.exec(sent.limit(1)).first() is not None,
        hears=unit.session.exec(heard.limit(1)).first() is not None,
    )
