"""What the sends of one transaction read and write together: each table once, however many they are."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, text
from sqlmodel import col, select

from core.contacts import commands as contacts
from core.contacts.queries import suppressed
from core.errors import Conflict
from core.lanes.now import LaneNow, lanes_now, write_slots
from core.messaging.answers import SendAnswer
from core.messaging.requests import SendRequest
from core.unit import Unit
from data.columns import to_micros
from data.enums import MessageState
from data.messages import Contact, IdempotencyKey, Message
from data.sending import Phone

_MESSAGES = Message.__table__  # type: ignore[attr-defined]
_COLUMNS = tuple(_MESSAGES.columns.keys())
_INSERT_MESSAGE = _MESSAGES.insert()
_INSERT_ATTEMPT = text(
    "INSERT INTO attempt (message_id, number, round, may_duplicate, claimed_at, started_at) "
    "VALUES (:id, 1, 1, FALSE, :now, :now)"
)
_KEYS = IdempotencyKey.__table__  # type: ignore[attr-defined]
_REMEMBER = text(
    "INSERT INTO idempotency_key (workspace_id, key, body_hash, message_id, created_at, answer) "
    "VALUES (:workspace_id, :key, :body_hash, :message_id, :created_at, :answer) ON CONFLICT DO NOTHING"
).bindparams(*(bindparam(name, type_=_KEYS.c[name].type) for name in ("created_at", "answer")))

IN_PROGRESS = "The first send with this Idempotency-Key is still under way. Ask again in a moment."


@dataclass(slots=True)
class Batch:
    """The sends of one transaction. What one of them changes, the next one sees; on disk it is with
    ``write``.

    ``contacts``: (workspace, WhatsApp id) → the contact, None for one that nobody has written with.
    ``keys``: (workspace, key) → what was remembered under it. Both hold what was read or added so far.
    """

    unit: Unit
    contacts: dict[tuple[str, str], Contact | None] = field(default_factory=dict)
    keys: dict[tuple[str, str], IdempotencyKey | None] = field(default_factory=dict)
    _lanes: dict[str, LaneNow] = field(default_factory=dict)
    _changed_lanes: set[str] = field(default_factory=set)
    _new_contacts: list[Contact] = field(default_factory=list)
    _new_keys: list[IdempotencyKey] = field(default_factory=list)
    _messages: list[tuple[Message, Contact]] = field(default_factory=list)

    def read_ahead(self, asked: Collection[tuple[str, SendRequest]]) -> None:
        """What those sends (workspace, request) will ask for is read in a few statements. It is no promise:
        what is missing here is asked for when it is needed."""
        session = self.unit.session
        workspaces = {workspace_id for workspace_id, _ in asked}
        named = {request.phone_number_id for _, request in asked if request.phone_number_id is not None}
        phones = session.exec(select(Phone).where(col(Phone.id).in_(named))).all()
        by_id = {phone.id: phone for phone in phones if phone.workspace_id in workspaces}
        for workspace_id, request in asked:
            phone = by_id.get(request.phone_number_id or "")
            if phone is not None and phone.workspace_id == workspace_id:
                self.unit.once("sender", workspace_id, phone.id, ask=lambda phone=phone: phone)
        if by_id:
            self._lanes |= lanes_now(self.unit, list(by_id.values()))
        self._read_contacts(workspaces, {(workspace_id, _digits(request)) for workspace_id, request in asked})
        wanted = {
            (workspace_id, request.idempotency[0])
            for workspace_id, request in asked
            if request.idempotency is not None
        }
        if wanted:
            statement = select(IdempotencyKey).where(
                col(IdempotencyKey.workspace_id).in_(workspaces),
                col(IdempotencyKey.key).in_({key for _, key in wanted}),
            )
            found = {(row.workspace_id, row.key): row for row in session.exec(statement)}
            self.keys |= {pair: found.get(pair) for pair in wanted}

    def _read_contacts(self, workspaces: set[str], wanted: set[tuple[str, str]]) -> None:
        session = self.unit.session
        statement = select(Contact).where(
            col(Contact.workspace_id).in_(workspaces), col(Contact.wa_id).in_({wa_id for _, wa_id in wanted})
        )
        found = {(row.workspace_id, row.wa_id or ""): row for row in session.exec(statement)}
        self.contacts |= {pair: found.get(pair) for pair in wanted}
        if found:
            kinds = suppressed(session, [contact.id for contact in found.values()])
            for contact in found.values():
                self.unit.once(
                    "suppressed",
                    contact.id,
                    ask=lambda contact=contact: kinds.get(contact.id, frozenset()),
                )

    def lane(self, phone: Phone) -> LaneNow:
        if phone.id not in self._lanes:
            self._lanes |= lanes_now(self.unit, [phone])
        return self._lanes[phone.id]

    def change_lane(self, lane: LaneNow) -> None:
        self._lanes[lane.phone_number_id] = lane
        self._changed_lanes.add(lane.phone_number_id)

    def contact(self, workspace_id: str, wa_id: str) -> Contact | None:
        pair = (workspace_id, wa_id)
        if pair not in self.contacts:
            self.contacts[pair] = contacts.find(self.unit, workspace_id=workspace_id, wa_id=wa_id)
        return self.contacts[pair]

    def add_contact(self, workspace_id: str, wa_id: str) -> Contact:
        new = contacts.new(self.unit, workspace_id=workspace_id, wa_id=wa_id)
        self.contacts[workspace_id, wa_id] = new
        self._new_contacts.append(new)
        return new

    def key(self, workspace_id: str, key: str) -> IdempotencyKey | None:
        pair = (workspace_id, key)
        if pair not in self.keys:
            self.keys[pair] = self.unit.session.get(IdempotencyKey, pair, with_for_update=True)
        return self.keys[pair]

    def add(self, message: Message, contact: Contact) -> None:
        self._messages.append((message, contact))

    def remember(self, request: SendRequest, message: Message, answer: SendAnswer | None) -> None:
        """``answer`` None: it comes later."""
        if request.idempotency is None:
            return
        key, hashed = request.idempotency
        new = IdempotencyKey(
            workspace_id=message.workspace_id,
            key=key,
            body_hash=hashed,
            message_id=message.id,
            created_at=self.unit.now,
            answer=answer.to_json() if answer else None,
        )
        self.keys[message.workspace_id, key] = new
        self._new_keys.append(new)

    def write(self) -> None:
        """Everything that was added or changed is written. Conflict when another transaction took the same
        key meanwhile, which can happen on PostgreSQL alone."""
        if not self._messages:
            return
        connection = self.unit.session.connection()
        if self._new_contacts:
            contacts.add(self.unit, self._new_contacts)
        if self._changed_lanes:
            write_slots(self.unit, [self._lanes[phone_id] for phone_id in self._changed_lanes])
        connection.execute(_INSERT_MESSAGE, [_values(message, contact) for message, contact in self._messages])
        now = to_micros(self.unit.now)
        direct = [
            {"id": message.id, "now": now}
            for message, _ in self._messages
            if message.state is MessageState.SENDING
        ]
        if direct:
            connection.execute(_INSERT_ATTEMPT, direct)
        if self._new_keys:
            rows = [{column.key: getattr(new, column.key) for column in _KEYS.columns} for new in self._new_keys]
            if connection.execute(_REMEMBER, rows).rowcount < len(rows):
                raise Conflict(IN_PROGRESS, code="idempotency_in_progress")


def _digits(request: SendRequest) -> str:
    """The recipient as WhatsApp's id, if it was written as most are."""
    return "".join(filter(str.isdigit, str(request.payload.get("to", ""))))


def _values(message: Message, contact: Contact) -> dict[str, Any]:
    return {**{name: getattr(message, name) for name in _COLUMNS}, "contact_id": contact.id}
