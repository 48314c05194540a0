"""What a person does about a message that is out of attempts (Q9)."""

from datetime import timedelta
from typing import Any

from sqlmodel import col, select

from core.contacts.commands import find_or_add
from core.contacts.rules import ERASED
from core.errors import Conflict, Impossible
from core.messaging.checks import check_contact, check_template
from core.messaging.commands import has_unknown_attempt, send_again
from core.messaging.requests import check_payload
from core.unit import Unit
from data.enums import LetterState, MemberStatus, MessageKind, MessageState
from data.messages import Contact, DeadLetter, LetterAction, Message, MessageStatus
from data.people import Member
from data.sending import Phone

RESTORABLE_FOR = timedelta(days=7)


def redrive(
    unit: Unit, letter_id: str, *, payload: dict[str, Any] | None = None, reason: str | None = None
) -> DeadLetter:
    """The message is in the queue again, with a fresh ladder; of two redrives one wins (Conflict
    ``not_open``). An edited payload is checked like a new send, and the old one is kept."""
    unit.require("dead_letters.redrive")
    message, letter = _open_letter(unit, letter_id)
    edited = None
    if payload is not None:
        unit.require("messages.send")
        edited = _check_edit(unit, message, payload)
    message.may_duplicate = message.may_duplicate or has_unknown_attempt(unit, message.id)
    before = message.payload
    send_again(unit, message, payload=edited or before, new_round=True)
    _close(unit, letter, LetterState.REDRIVEN, reason)
    changed = edited is not None and edited != before
    _act(unit, letter, "edited and redrove" if changed else "redrove", reason, before if changed else None)
    unit.record(
        "dead_letter.redriven", f"dead_letter:{letter.id}", after={"edited": changed, "reason": reason}
    )
    return letter


def discard(unit: Unit, letter_id: str, *, reason: str) -> DeadLetter:
    """Given up, with a reason; ``restore`` undoes it for seven days."""
    unit.require("dead_letters.discard")
    if not reason.strip():
        raise Impossible("Say why: a discard needs a reason.", code="reason_required")
    message, letter = _open_letter(unit, letter_id)
    message.state = MessageState.DISCARDED
    unit.session.add(message)
    _close(unit, letter, LetterState.DISCARDED, reason.strip())
    _act(unit, letter, "discarded", reason.strip())
    unit.record("dead_letter.discarded", f"dead_letter:{letter.id}", after={"reason": reason.strip()})
    return letter


def restore(unit: Unit, letter_id: str) -> DeadLetter:
    """A discard is undone: the letter is open again. Conflict ``not_discarded`` after seven days."""
    unit.require("dead_letters.discard")
    message, letter = _locked(unit, letter_id)
    too_late = letter.closed_at is not None and letter.closed_at + RESTORABLE_FOR <= unit.now
    if letter.state is not LetterState.DISCARDED or too_late:
        raise Conflict(
            "Only a letter that was discarded within the last 7 days can be restored.", code="not_discarded"
        )
    if message.recipient == ERASED:
        raise Conflict("Its contact was erased; there is nothing left to send.", code="not_discarded")
    if _was_delivered(unit, message.id):
        raise Conflict(
            "Meta reported meanwhile that this message was delivered; there is nothing to restore.",
            code="not_discarded",
        )
    message.state = MessageState.DEAD
    letter.state = LetterState.OPEN
    letter.closed_at = letter.closed_reason = letter.bulk_id = None
    unit.session.add(message)
    unit.session.add(letter)
    _act(unit, letter, "restored")
    unit.record("dead_letter.restored", f"dead_letter:{letter.id}")
    return letter


def _was_delivered(unit: Unit, message_id: str) -> bool:
    """Whether a status says so; one that came after the discard changed nothing but the timeline."""
    statement = select(MessageStatus.status).where(
        col(MessageStatus.message_id) == message_id,
        col(MessageStatus.status).in_(("delivered", "read", "played")),
    )
    return unit.session.exec(statement).first() is not None


def annotate(
    unit: Unit, letter_id: str, *, note: str | None = None, assignee_id: str | None = None
) -> DeadLetter:
    """A note is added, or someone of the team is put in charge."""
    unit.require("dead_letters.annotate")
    letter = unit.find(DeadLetter, letter_id, called="dead letter", lock=True)
    if assignee_id is not None:
        check_assignee(unit, assignee_id)
        letter.assignee_id = assignee_id
        unit.session.add(letter)
        _act(unit, letter, "assigned", assignee_id)
    if note is not None:
        _act(unit, letter, "noted", note)
    unit.record(
        "dead_letter.annotated",
        f"dead_letter:{letter.id}",
        after={"noted": note is not None, "assignee": assignee_id},
    )
    return letter


def check_assignee(unit: Unit, user_id: str) -> None:
    """Impossible ``assignee_unknown`` for anyone who is not of the team now."""
    member = unit.session.exec(
        unit.scoped(Member).where(col(Member.user_id) == user_id, col(Member.status) == MemberStatus.ACTIVE)
    ).first()
    if member is None:
        raise Impossible("There is no such person in this workspace's team.", code="assignee_unknown")


def _locked(unit: Unit, letter_id: str) -> tuple[Message, DeadLetter]:
    """The message first: in this order everybody locks the two."""
    message_id = unit.find(DeadLetter, letter_id, called="dead letter").message_id
    message = unit.find(Message, message_id, called="message", lock=True)
    unit.session.expire_all()
    return message, unit.find(DeadLetter, letter_id, called="dead letter", lock=True)


def _open_letter(unit: Unit, letter_id: str) -> tuple[Message, DeadLetter]:
    message, letter = _locked(unit, letter_id)
    if letter.state is not LetterState.OPEN:
        raise Conflict(
            f"This dead letter is {letter.state.value}; only an open one can be redriven or discarded.",
            code="not_open",
            state=letter.state.value,
        )
    return message, letter


def _check_edit(unit: Unit, message: Message, payload: dict[str, Any]) -> dict[str, Any]:
    checked = check_payload(payload)
    kind = MessageKind.TEMPLATE if "template" in checked else MessageKind.TEXT
    phone = unit.find(Phone, message.phone_number_id, called="phone number")
    template = check_template(unit, checked, waba_id=phone.waba_id)
    if checked["to"] != message.recipient:
        contact = find_or_add(unit, workspace_id=unit.workspace_id, wa_id=checked["to"].removeprefix("+"))
        message.contact_id = contact.id
    else:
        contact = unit.session.get_one(Contact, message.contact_id)
    check_contact(unit, phone, contact, template)
    message.kind = kind
    return checked


def _close(unit: Unit, letter: DeadLetter, state: LetterState, reason: str | None) -> None:
    letter.state = state
    letter.closed_at = unit.now
    letter.closed_reason = reason
    unit.session.add(letter)


def _act(
    unit: Unit,
    letter: DeadLetter,
    verb: str,
    text: str | None = None,
    payload_before: dict[str, Any] | None = None,
) -> None:
    unit.session.add(
        LetterAction(
            id=unit.new_id("act"),
            letter_id=letter.id,
            at=unit.now,
            actor=unit.actor.name,
            verb=verb,
            text=text,
            payload_before=payload_before,
        )
    )
