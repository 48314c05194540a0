"""Keeping the stored conversations what their messages make them (B4): computed anew, never patched."""

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, text
from sqlmodel import col, select, update

from core.conversations.events import Pair, events_of
from core.conversations.rules import Window, conversation_id, opener_of, windows
from core.runtime import Runtime
from core.unit import Identity, Unit
from data.billing import BillingAccount, Conversation, ConversationDue
from data.columns import to_micros
from data.engine import execute_many
from data.enums import OpenedBy

Stored = tuple[Window, str | None]  # a conversation, and the invoice that froze it

CONVERSATIONS = Identity(process="conversations")
BATCH = 500
# Sent, delivered and read follow within seconds; waiting for them makes one computation of three.
SETTLES_IN = timedelta(seconds=20)
# What one request computes before it answers: about a second's work.
AT_ONCE = 20_000

_MARK = (
    "INSERT INTO conversation_due (phone_number_id, contact_id, workspace_id, marked_at, version) "
    "SELECT id, :contact_id, workspace_id, CAST(:marked_at AS BIGINT), 1 FROM phone "
    "WHERE id = :phone_number_id "
    "ON CONFLICT (phone_number_id, contact_id) DO UPDATE SET version = conversation_due.version + 1"
)
_DONE = (
    "DELETE FROM conversation_due "
    "WHERE phone_number_id = :phone_number_id AND contact_id = :contact_id AND version = :version"
)
_STORED = text(
    "SELECT id, phone_number_id, contact_id, opened_at, closes_at, opened_by, messages_in, messages_out, "
    "invoice_id FROM conversation WHERE workspace_id = :workspace_id AND contact_id IN :contacts"
).bindparams(bindparam("contacts", expanding=True))
_PHONES = text(
    "SELECT phone_number_id FROM conversation WHERE workspace_id = :workspace_id AND contact_id = :contact "
    "UNION SELECT phone_number_id FROM conversation_due WHERE contact_id = :contact "
    "UNION SELECT phone_number_id FROM message WHERE contact_id = :contact"
)
_INSERT = (
    "INSERT INTO conversation (id, workspace_id, phone_number_id, contact_id, opened_at, closes_at, "
    "opened_by, messages_in, messages_out, billed) VALUES (:id, :workspace_id, :phone_number_id, "
    ":contact_id, :opened_at, :closes_at, :opened_by, :messages_in, :messages_out, 0)"
)
_UPDATE = (
    "UPDATE conversation SET opened_at = :opened_at, closes_at = :closes_at, opened_by = :opened_by, "
    "messages_in = :messages_in, messages_out = :messages_out WHERE id = :id"
)
_DELETE = "DELETE FROM conversation WHERE id = :id"
_SIDES = (OpenedBy.CUSTOMER, OpenedBy.BUSINESS)


def mark_due(unit: Unit, pairs: Iterable[Pair]) -> None:
    """The conversations of those pairs are computed anew, soon or when next asked for.

    Belongs into every transaction that adds an event, moves one or takes one away.
    """
    now = to_micros(unit.now)
    marks = [
        {"phone_number_id": phone, "contact_id": contact, "marked_at": now}
        for phone, contact in sorted(set(pairs))  # in order, so that no two writers deadlock
    ]
    if marks:
        execute_many(unit.session.connection(), _MARK, marks)


def hold_account(unit: Unit, workspace_id: str) -> BillingAccount:
    """The workspace's billing account, ours until the end of this transaction: what is owed changes for one
    at a time."""
    unit.session.connection().execute(
        text(
            "INSERT INTO billing_account (workspace_id, last_number) VALUES (:id, 0) ON CONFLICT DO NOTHING"
        ),
        {"id": workspace_id},
    )
    return unit.session.get_one(BillingAccount, workspace_id, with_for_update=True, populate_existing=True)


def catch_up(unit: Unit, workspace_id: str, *, at_most: int | None = None, before: Any = None) -> int:
    """What is due of the workspace is computed, at most that many pairs (None: all) of those marked before a
    moment (None: whenever). Returns how many pairs that were."""
    hold_account(unit, workspace_id)
    done = 0
    while at_most is None or done < at_most:
        room = BATCH if at_most is None else min(BATCH, at_most - done)
        statement = select(
            ConversationDue.phone_number_id, ConversationDue.contact_id, ConversationDue.version
        ).where(col(ConversationDue.workspace_id) == workspace_id)
        if before is not None:
            statement = statement.where(col(ConversationDue.marked_at) <= before)
        marks = unit.session.exec(statement.order_by(col(ConversationDue.marked_at)).limit(room)).all()
        if not marks:
            break
        recompute(unit, workspace_id, [(phone, contact) for phone, contact, _ in marks])
        execute_many(
            unit.session.connection(),
            _DONE,
            [
                {"phone_number_id": phone, "contact_id": contact, "version": version}
                for phone, contact, version in sorted(marks)
            ],
        )
        done += len(marks)
    return done


def recompute(unit: Unit, workspace_id: str, pairs: list[Pair]) -> None:
    """The stored conversations of those pairs are what their messages make them. Frozen ones keep all but
    the number of their messages (B10)."""
    contacts = list({contact for _, contact in pairs})
    events = events_of(unit.session, contacts)
    stored = stored_of(unit, workspace_id, contacts)
    inserts, updates, deletes = [], [], []
    for pair in pairs:
        before = stored.get(pair, {})
        frozen = [window for window, invoice_id in before.values() if invoice_id is not None]
        after = {conversation_id(one.opener): one for one in windows(events.get(pair, ()), frozen)}
        deletes += [{"id": gone} for gone in before if gone not in after]
        for key, window in after.items():
            if key not in before:
                inserts.append(_row(key, window) | _place(workspace_id, pair))
            elif before[key][0] != window:
                updates.append(_row(key, window))
    connection = unit.session.connection()
    for statement, rows in ((_DELETE, deletes), (_UPDATE, updates), (_INSERT, inserts)):
        if rows:
            execute_many(connection, statement, rows)


def stored_of(unit: Unit, workspace_id: str, contacts: Collection[str]) -> dict[Pair, dict[str, Stored]]:
    """pair → conversation id → as it is stored, of every pair with one of those contacts."""
    found: dict[Pair, dict[str, Stored]] = {}
    asked = {"workspace_id": workspace_id, "contacts": list(contacts)}
    for row in unit.session.connection().execute(_STORED, asked):
        key, phone, contact, opened_at, closes_at, opened_by, inbound, outbound, invoice_id = row
        side = int(opened_by == OpenedBy.BUSINESS)
        window = Window(opener_of(key), opened_at, closes_at, side, inbound, outbound)
        found.setdefault((phone, contact), {})[key] = (window, invoice_id)
    return found


def recompute_due(runtime: Runtime) -> None:
    """Every workspace's conversations are computed that were marked a while ago, a short transaction for each
    batch: sends and webhooks go on between them."""
    with runtime.unit(CONVERSATIONS) as unit:
        before = unit.now - SETTLES_IN
        workspaces = unit.session.exec(
            select(ConversationDue.workspace_id).where(col(ConversationDue.marked_at) <= before).distinct()
        ).all()
    for workspace_id in workspaces:
        done = BATCH
        while done == BATCH:
            with runtime.unit(CONVERSATIONS, write=True) as unit:
                done = catch_up(unit, workspace_id, at_most=BATCH, before=before)


def bring_up_to_date(runtime: Runtime, workspace_id: str) -> None:
    """What is due of one workspace is computed, up to ``AT_ONCE`` pairs: before somebody reads what is owed.
    What is left is said with the answer ("as of")."""
    left = AT_ONCE
    while left > 0:
        with runtime.unit(CONVERSATIONS) as unit:
            due = select(ConversationDue.version).where(col(ConversationDue.workspace_id) == workspace_id)
            if unit.session.exec(due.limit(1)).first() is None:
                return
        with runtime.unit(CONVERSATIONS, write=True) as unit:
            left -= catch_up(unit, workspace_id, at_most=BATCH)


def close_inactive(unit: Unit) -> int:
    """Ended conversations are written as closed; returns how many were not yet. Money never changes: they
    ended by time (B1)."""
    unit.require("billing.manage")
    catch_up(unit, unit.workspace_id)
    closed = _write_closed(unit, unit.workspace_id)
    unit.record("conversations.closed", f"workspace:{unit.workspace_id}", after={"closed": closed})
    return closed


def close_ended(runtime: Runtime) -> None:
    """The schedule's form of the same, for every workspace."""
    with runtime.unit(CONVERSATIONS, write=True) as unit:
        _write_closed(unit, None)


def _write_closed(unit: Unit, workspace_id: str | None) -> int:
    statement = (
        update(Conversation)
        .where(col(Conversation.closed_at).is_(None), col(Conversation.closes_at) <= unit.now)
        .values(closed_at=unit.now)
    )
    if workspace_id is not None:
        statement = statement.where(col(Conversation.workspace_id) == workspace_id)
    return unit.session.connection().execute(statement).rowcount


def follow_merge(unit: Unit, *, workspace_id: str, old: str, new: str) -> None:
    """A contact became another (B5): frozen conversations go with it, the others are computed anew."""
    connection = unit.session.connection()
    phones = connection.execute(_PHONES, {"workspace_id": workspace_id, "contact": old}).scalars().all()
    connection.execute(
        update(Conversation)
        .where(col(Conversation.workspace_id) == workspace_id, col(Conversation.contact_id) == old)
        .values(contact_id=new)
    )
    connection.execute(text("DELETE FROM conversation_due WHERE contact_id = :old"), {"old": old})
    mark_due(unit, [(phone, new) for phone in phones])


def _row(key: str, window: Window) -> dict[str, Any]:
    return {
        "id": key,
        "opened_at": window.opened_at,
        "closes_at": window.closes_at,
        "opened_by": _SIDES[window.is_outbound].value,
        "messages_in": window.messages_in,
        "messages_out": window.messages_out,
    }


def _place(workspace_id: str, pair: Pair) -> dict[str, Any]:
    return {"workspace_id": workspace_id, "phone_number_id": pair[0], "contact_id": pair[1]}
