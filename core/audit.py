"""The audit log: append-only, numbered, chained (P9)."""

import hmac
import json
import secrets
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, type_coerce
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, func, select

from core.ports.vault import Vault
from data.columns import to_micros
from data.operations import AuditEntry, AuditHead

_HEAD = 1
_FIRST_HASH = "0" * 64
_SEALED_FOR = ("", "audit.key")
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode


@dataclass(frozen=True, slots=True)
class Verdict:
    """``first_broken`` is the number of the first entry that is missing or was changed."""

    whole: bool
    entries: int
    first_broken: int | None


def append(
    session: Session,
    vault: Vault,
    *,
    at: datetime,
    workspace_id: str | None,
    actor: str,
    action: str,
    target: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    address: str | None = None,
    request_id: str | None = None,
) -> None:
    """One entry more, in this transaction. Writers queue at the head's row, so numbers have no gap."""
    head, key = _head(session, vault)
    entry = AuditEntry(
        number=head.number + 1,
        at=at,
        workspace_id=workspace_id,
        actor=actor,
        action=action,
        target=target,
        before=before,
        after=after,
        address=address,
        request_id=request_id,
        hash="",
    )
    entry.hash = _chain(key, head.hash, _values(entry))
    head.number, head.hash = entry.number, entry.hash
    session.add(entry)
    session.add(head)
    session.flush()


def verify(session: Session, vault: Vault) -> Verdict:
    """Recomputes the chain from the first entry to the head. What is written meanwhile is not looked at."""
    # In this order: a head that is read after the newest entry is never behind it.
    newest = session.exec(select(func.max(col(AuditEntry.number)))).one() or 0
    head = session.get(AuditHead, _HEAD)
    if head is None:
        return Verdict(whole=newest == 0, entries=0, first_broken=1 if newest else None)
    key = _open_key(vault, head)
    count, previous = 0, _FIRST_HASH
    with closing(_stored(session, until=head.number)) as entries:
        for hashed, values in entries:
            count += 1
            if values[0] != count or not _is_same(hashed, _chain(key, previous, values)):
                return Verdict(whole=False, entries=head.number, first_broken=count)
            previous = hashed
    whole = count == head.number and previous == head.hash and newest <= head.number
    return Verdict(whole=whole, entries=head.number, first_broken=None if whole else count + 1)


def head(session: Session) -> tuple[int, str]:
    """The newest number and hash. Kept elsewhere, in a log say, they show when the end here is cut off."""
    row = session.get(AuditHead, _HEAD)
    return (0, _FIRST_HASH) if row is None else (row.number, row.hash)


def _is_same(stored: str, computed: str) -> bool:
    return hmac.compare_digest(stored.encode(), computed.encode())


def _head(session: Session, vault: Vault) -> tuple[AuditHead, bytes]:
    head = session.get(AuditHead, _HEAD, with_for_update=True)
    if head is None:
        workspace_id, field = _SEALED_FOR
        sealed = vault.seal(secrets.token_hex(32), workspace_id=workspace_id, field=field)
        head = AuditHead(id=_HEAD, number=0, hash=_FIRST_HASH, sealed_key=sealed)
        session.add(head)
        session.flush()
    return head, _open_key(vault, head)


def _open_key(vault: Vault, head: AuditHead) -> bytes:
    workspace_id, field = _SEALED_FOR
    return bytes.fromhex(vault.open(head.sealed_key, workspace_id=workspace_id, field=field))


def _stored(session: Session, *, until: int) -> Generator[tuple[str, Sequence[Any]], None, None]:
    """Hash and chained values of each entry, in order. As columns: a million objects would take minutes."""
    chained = (
        col(AuditEntry.number),
        type_coerce(col(AuditEntry.at), BigInteger),
        *(col(column) for column in (AuditEntry.workspace_id, AuditEntry.actor, AuditEntry.action)),
        *(col(column) for column in (AuditEntry.target, AuditEntry.before, AuditEntry.after)),
        *(col(column) for column in (AuditEntry.address, AuditEntry.request_id)),
    )
    statement = (
        select_columns(col(AuditEntry.hash), *chained)
        .where(col(AuditEntry.number) <= until)
        .order_by(col(AuditEntry.number))
    )
    with session.connection().execute(statement.execution_options(yield_per=500)) as rows:
        for hashed, *values in rows:
            yield hashed, values


def _values(entry: AuditEntry) -> Sequence[Any]:
    return (
        *(entry.number, to_micros(entry.at), entry.workspace_id, entry.actor, entry.action, entry.target),
        *(entry.before, entry.after, entry.address, entry.request_id),
    )


def _chain(key: bytes, previous: str, values: Sequence[Any]) -> str:
    return hmac.digest(key, previous.encode() + _canonical(values).encode(), "sha256").hex()
