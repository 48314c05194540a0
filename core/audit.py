"""The audit log: append-only, numbered, chained (P9)."""

import hashlib
import hmac
import json
import secrets
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from core.ports.vault import Vault
from data.columns import to_micros
from data.operations import AuditEntry, AuditHead

_HEAD = 1
_FIRST_HASH = "0" * 64
_SEALED_FOR = ("", "audit.key")


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
    entry.hash = _chain(key, head.hash, entry)
    head.number, head.hash = entry.number, entry.hash
    session.add(entry)
    session.add(head)
    session.flush()


def verify(session: Session, vault: Vault) -> Verdict:
    """Recomputes the whole chain, and compares its end with the head."""
    head = session.get(AuditHead, _HEAD)
    if head is None:
        orphans = session.exec(select(AuditEntry.number).limit(1)).first() is not None
        return Verdict(whole=not orphans, entries=0, first_broken=1 if orphans else None)
    key = _open_key(vault, head)
    count, previous = 0, _FIRST_HASH
    statement = select(AuditEntry).order_by(col(AuditEntry.number)).execution_options(yield_per=500)
    with closing(session.exec(statement)) as entries:
        for entry in entries:
            count += 1
            if entry.number != count or not _is_same(entry.hash, _chain(key, previous, entry)):
                return Verdict(whole=False, entries=head.number, first_broken=count)
            previous = entry.hash
    whole = count == head.number and previous == head.hash
    return Verdict(whole=whole, entries=head.number, first_broken=None if whole else count + 1)


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


def _chain(key: bytes, previous: str, entry: AuditEntry) -> str:
    row = [
        entry.number,
        to_micros(entry.at),
        entry.workspace_id,
        entry.actor,
        entry.action,
        entry.target,
        entry.before,
        entry.after,
        entry.address,
        entry.request_id,
    ]
    canonical = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(key, previous.encode() + canonical.encode(), hashlib.sha256).hexdigest()
