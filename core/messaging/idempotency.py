"""Idempotency-Key (Q12): unique per workspace for 24 hours, stored with the message it made."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, text

from core.errors import Conflict, Impossible
from core.messaging.answers import SendAnswer, answer_again
from core.unit import Unit
from data.columns import to_micros
from data.engine import Keyed
from data.enums import MessageState
from data.messages import IdempotencyKey, Message

KEPT_FOR = timedelta(hours=24)
IN_PROGRESS = "The first send with this Idempotency-Key is still under way. Ask again in a moment."

_TABLE = IdempotencyKey.__table__  # type: ignore[attr-defined]
_FORGET = Keyed(
    "DELETE FROM idempotency_key "
    "WHERE (workspace_id, key) IN (SELECT value->>0, value->>1 FROM {pairs}) AND created_at <= :oldest "
    "RETURNING key"
)
_USES = Keyed(
    "SELECT workspace_id, key, body_hash, message_id, CAST(answer AS TEXT) AS answer FROM idempotency_key "
    "WHERE (workspace_id, key) IN (SELECT value->>0, value->>1 FROM {pairs}) {lock}"
)
_REMEMBER = text(
    "INSERT INTO idempotency_key (workspace_id, key, body_hash, message_id, created_at, answer) "
    "VALUES (:workspace_id, :key, :body_hash, :message_id, :created_at, :answer) ON CONFLICT DO NOTHING"
).bindparams(*(bindparam(name, type_=_TABLE.c[name].type) for name in ("created_at", "answer")))
_ANSWER = text(
    "UPDATE idempotency_key SET answer = :answer "
    "WHERE workspace_id = :workspace_id AND key = :key AND message_id = :message_id"
).bindparams(bindparam("answer", type_=_TABLE.c.answer.type))


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key that a send carried: which message it made, and what its sender was told, once they were."""

    workspace_id: str
    key: str
    body_hash: str
    message_id: str
    answer: SendAnswer | None


def body_hash(body: Any) -> str:
    """Equal for bodies that are equal as JSON."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def uses_of(unit: Unit, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], KeyUse]:
    """(workspace, key) → its use of the last 24 hours; keys that are free are absent."""
    connection = unit.session.connection()
    wanted = sorted(keys)
    _FORGET.rows(connection, wanted, oldest=to_micros(unit.now - KEPT_FOR))
    return {
        (row.workspace_id, row.key): KeyUse(
            row.workspace_id,
            row.key,
            row.body_hash,
            row.message_id,
            SendAnswer.from_json(json.loads(row.answer)) if row.answer is not None else None,
        )
        for row in _USES.rows(connection, wanted)
    }


def replay(unit: Unit, use: KeyUse, *, hashed: str) -> SendAnswer:
    """What the sender of the same body was told the first time; after a crash before that, the message's
    present state. Impossible for another body, Conflict while the first is still under way."""
    if use.body_hash != hashed:
        raise Impossible(
            "This Idempotency-Key was used with another body within the last 24 hours. Use a new key.",
            code="idempotency_key_reused",
        )
    if use.answer is not None:
        return use.answer
    message = unit.find(Message, use.message_id, called="message")
    on_the_way = message.state in (MessageState.CLAIMED, MessageState.SENDING)
    if on_the_way and message.lease_until is not None and message.lease_until > unit.now:
        raise Conflict(IN_PROGRESS, code="idempotency_in_progress")
    return answer_again(message)


def remember(unit: Unit, uses: Sequence[KeyUse]) -> None:
    """The keys are taken. Conflict when another transaction was first, as it can be on PostgreSQL."""
    if not uses:
        return
    rows = [
        {
            "workspace_id": use.workspace_id,
            "key": use.key,
            "body_hash": use.body_hash,
            "message_id": use.message_id,
            "created_at": unit.now,
            "answer": use.answer.to_json() if use.answer else None,
        }
        for use in sorted(uses, key=_in_order)
    ]
    if unit.session.connection().execute(_REMEMBER, rows).rowcount < len(rows):
        raise Conflict(IN_PROGRESS, code="idempotency_in_progress")


def remember_answers(unit: Unit, uses: Sequence[KeyUse]) -> None:
    """The first answers to those keys, for whoever asks again."""
    if uses:
        unit.session.connection().execute(
            _ANSWER,
            [
                {
                    "workspace_id": use.workspace_id,
                    "key": use.key,
                    "message_id": use.message_id,
                    "answer": use.answer.to_json() if use.answer else None,
                }
                for use in sorted(uses, key=_in_order)
            ],
        )


def _in_order(use: KeyUse) -> tuple[str, str]:
    """Whoever writes several does so in this order, or two could wait for each other."""
    return use.workspace_id, use.key
