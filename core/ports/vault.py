"""Seals secrets at rest (K3), and makes the key that does it."""

import json
import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class VaultError(Exception):
    """A sealed value cannot be opened: the key is another one, or the value belongs to another row."""


class Vault:
    """Fernet with several keys, newest first. The workspace and the field are inside the sealed text, so a
    sealed value that is copied to another row does not open there."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise VaultError("WAYPOST_SECRET_KEYS: each key must be 32 bytes in url-safe base64") from None

    def seal(self, secret: str, *, workspace_id: str, field: str) -> bytes:
        return self._fernet.encrypt(json.dumps([workspace_id, field, secret]).encode())

    def open(self, sealed: bytes, *, workspace_id: str, field: str) -> str:
        """The secret. VaultError when the key is wrong or the value was sealed for something else."""
        try:
            sealed_for, sealed_field, secret = json.loads(self._fernet.decrypt(sealed))
        except InvalidToken:
            raise VaultError(
                "A stored secret cannot be opened: WAYPOST_SECRET_KEYS or var/secret.key differs "
                "from the one it was sealed with."
            ) from None
        if (sealed_for, sealed_field) != (workspace_id, field):
            raise VaultError("A stored secret belongs to another row.")
        return str(secret)


def keys_from_file(path: Path) -> tuple[str, ...]:
    """The keys in ``path``, newest first; a new one is made, with mode 0600, where there is none.

    Two processes that start together agree: the file is linked into place whole, and only once.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return tuple(line.strip() for line in path.read_text().splitlines() if line.strip())
