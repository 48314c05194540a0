"""Seals secrets at rest (K3), and makes the key that does it."""

import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class VaultError(Exception):
    """A sealed value cannot be opened: the key is another one, or the value belongs to another row."""


def token_field(waba_id: str) -> str:
    """What a token is sealed as (K3): the account's own, so that one copied to another account's row does not
    open there."""
    return f"access_token:{waba_id}"


class Vault:
    """Fernet with several keys, newest first. The workspace and the field are inside the sealed text, so a
    sealed value that is copied to another row does not open there."""

    def __init__(self, keys: tuple[str, ...], *, again: Callable[[], tuple[str, ...]] | None = None) -> None:
        """``again`` reads the keys as they are by now, for a process that runs on while they change."""
        self._again = again
        self._take(keys)

    def seal(self, secret: str, *, workspace_id: str, field: str) -> bytes:
        return self._fernet.encrypt(json.dumps([workspace_id, field, secret]).encode())

    def open(self, sealed: bytes, *, workspace_id: str, field: str) -> str:
        """The secret. VaultError when the key is wrong or the value was sealed for something else."""
        try:
            sealed_for, sealed_field, secret = json.loads(self._decrypt(sealed))
        except InvalidToken:
            raise VaultError(
                "A stored secret cannot be opened: WAYPOST_SECRET_KEYS or var/secret.key differs "
                "from the one it was sealed with."
            ) from None
        if (sealed_for, sealed_field) != (workspace_id, field):
            raise VaultError("A stored secret belongs to another row.")
        return str(secret)

    def reseal(self, sealed: bytes) -> bytes:
        """The same secret, for the same row, under the newest key."""
        return self._fernet.rotate(sealed)

    def opens(self, sealed: bytes) -> bool:
        """Whether any of the keys opens it."""
        try:
            self._decrypt(sealed)
        except InvalidToken:
            return False
        return True

    def is_newest(self, sealed: bytes) -> bool:
        """Whether the newest key alone opens it."""
        try:
            Fernet(self._keys[0]).decrypt(sealed)
        except InvalidToken:
            return False
        return True

    def _decrypt(self, sealed: bytes) -> bytes:
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            present = self._again() if self._again else self._keys
            if present == self._keys:
                raise
        self._take(present)
        return self._fernet.decrypt(sealed)

    def _take(self, keys: tuple[str, ...]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise VaultError("WAYPOST_SECRET_KEYS: each key must be 32 bytes in url-safe base64") from None
        self._keys = keys


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


def add_key(path: Path) -> tuple[str, ...]:
    """A new key stands first in the file; the ones before it still open what they sealed."""
    return _write(path, (Fernet.generate_key().decode(), *keys_from_file(path)))


def drop_old_keys(path: Path) -> tuple[str, ...]:
    """The newest key and the one before it stay: a process that has not read the file again may still seal
    with that one."""
    return _write(path, keys_from_file(path)[:2])


def _write(path: Path, keys: tuple[str, ...]) -> tuple[str, ...]:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("".join(f"{key}\n" for key in keys))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return keys
