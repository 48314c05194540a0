"""What is left of an erased id: a digest under a key of the workspace, which the vault seals."""

import hashlib
import hmac
import secrets

from core.unit import Unit
from data.contacts import DigestKey

DIGEST_FIELD = "contact.digest"


def digest_key(unit: Unit) -> bytes:
    """The workspace's own; made when it is first asked for."""
    workspace_id = unit.workspace_id
    row = unit.session.get(DigestKey, workspace_id)
    if row is None:
        sealed = unit.vault.seal(secrets.token_hex(32), workspace_id=workspace_id, field=DIGEST_FIELD)
        row = DigestKey(workspace_id=workspace_id, sealed=sealed)
        unit.session.add(row)
        unit.session.flush()
    return bytes.fromhex(unit.vault.open(row.sealed, workspace_id=workspace_id, field=DIGEST_FIELD))


def digest(key: bytes, known_by: str) -> str:
    """The same for the same id and workspace; without the key it says nothing."""
    return hmac.new(key, known_by.encode(), hashlib.sha256).hexdigest()[:40]
