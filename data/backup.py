"""One file that holds a whole SQLite database: taken while it is used, compressed, encrypted if asked.

It is gzip, or gzip within age, so that it can be opened without this program. What is in it says of itself
when it was taken and how many rows each table had.
"""

import gzip
import json
import os
import shutil
import sqlite3
import zlib
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pyrage
from pyrage import x25519
from sqlite_utils import Database as SqliteFile

GZIP = b"\x1f\x8b"
AGE = b"age-encryption.org/"
_ABOUT = "backup_about"
# Level 1 is four times as fast as the default, and its files a tenth larger.
_LEVEL = 1
_PIECE = 1 << 20


class BackupError(Exception):
    """One sentence that says why there is no backup, or why it cannot be restored."""


@dataclass(frozen=True, slots=True)
class About:
    """What a backup says of itself. ``rows``: table → how many it had."""

    taken_at: datetime
    rows: dict[str, int]


def recipient_of(text: str) -> x25519.Recipient:
    """Whom a backup is encrypted for, by an age public key; ValueError if it is none."""
    try:
        return x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise ValueError("give an age public key, age1…, as age-keygen prints it") from None


def take(source: Path, target: Path, *, now: datetime, recipient: x25519.Recipient | None = None) -> About:
    """The database as it is at this moment is in ``target``, on disk and checked; others go on writing
    meanwhile. BackupError, and nothing is left behind, if that cannot be."""
    if target.exists():
        raise BackupError(f"{target} exists already; choose another name.")
    try:
        # Beside the target, so that the last step is a rename: half a backup never has its name.
        with TemporaryDirectory(prefix=".backup-", dir=target.parent) as name:
            folder = Path(name)
            about = _copy(source, folder / "copy.db", now=now)
            packed = _compressed(folder / "copy.db")
            if recipient is not None:
                plain, packed = packed, folder / "copy.age"
                pyrage.encrypt_file(str(plain), str(packed), [recipient])
            packed.chmod(0o600)
            _to_disk(packed)
            packed.rename(target)
            _to_disk(target.parent)
    except OSError as error:
        raise BackupError(f"{error.filename or target}: {error.strerror}") from error
    return about


def unpack(file: Path, target: Path, *, identity: Path | None = None) -> About:
    """The database in the backup is in ``target``, and it is whole: its pages, its references, its rows.

    BackupError says what is wrong with it. ``identity``: a file with the age identities that may open it.
    """
    try:
        with file.open("rb") as opened:
            first = opened.read(len(AGE))
        if first.startswith(AGE):
            plain = target.with_suffix(".gz")
            _decrypt(file, plain, identity)
            _decompress(plain, target, named=file)
            plain.unlink()
        elif first.startswith(GZIP):
            _decompress(file, target, named=file)
        else:
            raise BackupError(f"{file} is no backup of Waypost's.")
    except OSError as error:
        raise BackupError(f"{error.filename or file}: {error.strerror}") from error
    try:
        with closing(sqlite3.connect(target)) as database:
            about = _checked(SqliteFile(database), file)
            database.execute(f"DROP TABLE {_ABOUT}")
            database.commit()
            return about
    except sqlite3.DatabaseError as error:
        raise BackupError(f"{file} is damaged: {error}.") from error


def _copy(source: Path, target: Path, *, now: datetime) -> About:
    """SQLite's own online backup, in one step: a snapshot that no writer waits for."""
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as live,
        closing(sqlite3.connect(target)) as copy,
    ):
        live.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        file = SqliteFile(copy)
        about = About(now, {name: file[name].count for name in file.table_names()})
        _require_whole(file, source)
        file.table(_ABOUT).insert({"document": json.dumps({"taken_at": now.isoformat(), "rows": about.rows})})
        copy.commit()
    return about


def _checked(file: SqliteFile, named: Path) -> About:
    if _ABOUT not in file.table_names():
        raise BackupError(f"{named} is no backup of Waypost's.")
    said = json.loads(next(file[_ABOUT].rows)["document"])
    about = About(datetime.fromisoformat(said["taken_at"]), said["rows"])
    _require_whole(file, named)
    for name, rows in about.rows.items():
        found = file[name].count if file[name].exists() else 0
        if found != rows:
            raise BackupError(f"{named} is damaged: {name} has {found:,} rows instead of {rows:,}.")
    return about


def _require_whole(file: SqliteFile, named: Path) -> None:
    problems = [row[0] for row in file.execute("PRAGMA integrity_check") if row[0] != "ok"]
    broken = [f"broken reference in {row[0]}" for row in file.execute("PRAGMA foreign_key_check")]
    if problems or broken:
        raise BackupError(f"{named} is damaged: {[*problems, *broken][0]}.")


def _compressed(file: Path) -> Path:
    packed = file.with_suffix(".gz")
    with file.open("rb") as plain, gzip.open(packed, "wb", compresslevel=_LEVEL) as target:
        shutil.copyfileobj(plain, target, _PIECE)
    file.unlink()
    return packed


def _decompress(file: Path, target: Path, *, named: Path) -> None:
    try:
        with gzip.open(file, "rb") as packed, target.open("wb") as plain:
            shutil.copyfileobj(packed, plain, _PIECE)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise BackupError(f"{named} is damaged or was cut off.") from None


def _decrypt(file: Path, target: Path, identity: Path | None) -> None:
    if identity is None:
        raise BackupError(f"{file} is encrypted: name the file with its age identity, with --identity.")
    lines = [line.strip() for line in identity.read_text().splitlines()]
    try:
        identities = [x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
        pyrage.decrypt_file(str(file), str(target), identities)
    except pyrage.IdentityError:
        raise BackupError(f"{identity} holds no age identity, AGE-SECRET-KEY-1….") from None
    except pyrage.DecryptError:
        raise BackupError(f"The identity in {identity} does not open {file}, or it is damaged.") from None


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
