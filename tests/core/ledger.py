"""Histories of messages as rows, and what they come to."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, select

from core.conversations.commands import catch_up, mark_due
from core.runtime import Runtime
from core.unit import Identity
from data.billing import Conversation
from data.enums import Direction, MessageKind, MessageState
from data.messages import Contact, Message, MessageStatus
from tests.conftest import PHONE_ID, Place

CLERK = Identity(process="test")


@dataclass(frozen=True)
class Said:
    """One message of a history. ``statuses``: (Meta's word, when, received after so long)."""

    key: str
    at: datetime
    inbound: bool = True
    contact: str = "con_1"
    phone: str = PHONE_ID
    meta_type: str = "text"
    state: MessageState = MessageState.DELIVERED
    arrived: datetime | None = None
    statuses: tuple[tuple[str, datetime], ...] = ()


@dataclass
class Ledger:
    runtime: Runtime
    place: Place
    contacts: set[str] = field(default_factory=set)
    numbers_from: int = 0

    def write(self, history: Iterable[Said]) -> None:
        """The messages are stored as the inbox and the queue would have, and their pairs marked."""
        with self.runtime.unit(CLERK, write=True) as unit:
            for said in history:
                if said.contact not in self.contacts:
                    self.contacts.add(said.contact)
                    unit.session.add(
                        Contact(
                            id=said.contact,
                            workspace_id=self.place.workspace.id,
                            wa_id=f"4915112{self.numbers_from + len(self.contacts):06d}",
                            created_at=unit.now,
                        )
                    )
                    unit.session.flush()
                arrived = said.arrived or said.at
                unit.session.add(
                    Message(
                        id=f"msg_{said.key}",
                        workspace_id=self.place.workspace.id,
                        phone_number_id=said.phone,
                        contact_id=said.contact,
                        direction=Direction.INBOUND if said.inbound else Direction.OUTBOUND,
                        kind=MessageKind.TEXT,
                        recipient="+4915112000001",
                        payload={},
                        state=MessageState.RECEIVED if said.inbound else said.state,
                        wamid=f"wamid.{said.key}",
                        meta_type=said.meta_type if said.inbound else None,
                        created_at=arrived,
                        sent_at=said.at,
                    )
                )
                unit.session.flush()
                for word, at in said.statuses:
                    self._report(unit.session, said.key, word, at, max(at, arrived))
                mark_due(unit, [(said.phone, said.contact)])

    def report(self, key: str, word: str, at: datetime, *, state: MessageState | None = None) -> None:
        """Meta reports something about a message of ours."""
        with self.runtime.unit(CLERK, write=True) as unit:
            message = unit.session.get_one(Message, f"msg_{key}")
            self._report(unit.session, key, word, at, unit.now)
            if state is not None:
                message.state = state
                unit.session.add(message)
            mark_due(unit, [(message.phone_number_id, message.contact_id)])

    def _report(self, session: Any, key: str, word: str, at: datetime, received: datetime) -> None:
        session.add(
            MessageStatus(
                wamid=f"wamid.{key}", status=word, at=at, message_id=f"msg_{key}", received_at=received
            )
        )
        session.flush()

    def settle(self) -> None:
        """What is due is computed."""
        with self.runtime.unit(CLERK, write=True) as unit:
            catch_up(unit, self.place.workspace.id)

    def conversations(self, **narrow: Any) -> list[Conversation]:
        """Oldest first."""
        with self.runtime.unit(CLERK) as unit:
            statement = select(Conversation).where(col(Conversation.workspace_id) == self.place.workspace.id)
            for name, value in narrow.items():
                statement = statement.where(getattr(Conversation, name) == value)
            ordered = statement.order_by(col(Conversation.opened_at), col(Conversation.id))
            return list(unit.session.exec(ordered))

    def many(self, count: int, start: datetime, *, apart: timedelta, name: str = "m") -> None:
        """That many conversations of as many customers, opened one after another."""
        self.write(
            Said(f"{name}{number:05d}", start + number * apart, contact=f"con_{name}{number:05d}")
            for number in range(count)
        )
