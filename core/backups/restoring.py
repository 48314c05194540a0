"""Going back to a backup: everything about it is checked before anything is replaced."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from core import audit
from core.backups.stopped import refuse_while_running
from core.errors import Impossible
from core.lanes.commands import pause_everything
from core.opening import opens
from core.runtime import Runtime
from core.team.owners import COMMAND
from data import backup
from data.backup import About, BackupError
from data.engine import Database, open_database
from data.schema import is_known, migrate, revision

REFUSED = "not_restored"


@dataclass(frozen=True, slots=True)
class Restored:
    """``kept_as``: the database that was there before, if there was one."""

    about: About
    kept_as: Path | None


def restore(runtime: Runtime, file: Path, *, identity: Path | None = None) -> Restored:
    """The database is what the backup holds, and everything is paused: what was sent after the backup would
    be sent again. Impossible says why not; then nothing has changed.

    ``identity``: a file with the age identity of an encrypted backup.
    """
    database = runtime.database
    if not database.is_sqlite:
        url = database.url.set(drivername="postgresql").render_as_string(hide_password=True)
        raise Impossible(
            f"PostgreSQL is restored with its own tool: pg_restore --clean --if-exists --dbname {url} {file}",
            code="not_sqlite",
        )
    refuse_while_running(runtime)
    path = database.path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the database, so that the last step is a rename.
    with TemporaryDirectory(prefix=".restore-", dir=path.parent) as name:
        unpacked = Path(name) / "waypost.db"
        try:
            about = backup.unpack(file, unpacked, identity=identity)
        except BackupError as error:
            raise Impossible(str(error), code=REFUSED) from error
        _make_ready(runtime, unpacked, about)
        database.dispose()
        kept_as = _put_aside(path, runtime.clock.now())
        unpacked.rename(path)
    return Restored(about, kept_as)


def _make_ready(runtime: Runtime, unpacked: Path, about: About) -> None:
    database = open_database(f"sqlite:///{unpacked}")
    try:
        present, wanted = revision(database)
        if not is_known(present):
            raise Impossible(
                f"The backup was made by a newer Waypost (schema {present}, this one has {wanted}). "
                "Install that version, or restore an older backup.",
                code=REFUSED,
            )
        migrate(database)
        _check_secrets(runtime, database)
        with replace(runtime, database=database).unit(COMMAND, write=True) as unit:
            unit.record("backup.restored", "database", after={"taken_at": about.taken_at.isoformat()})
            pause_everything(
                unit,
                reason=f"Restored from a backup of {about.taken_at:%d %B %Y, %H:%M} UTC. What was sent after "
                "that would be sent again: look through what waits, then resume.",
            )
    finally:
        database.dispose()


def _check_secrets(runtime: Runtime, database: Database) -> None:
    if not opens(database, runtime.vault):
        raise Impossible(
            "These keys do not open the secrets in the backup, which were sealed with others. Put back the "
            "key file or WAYPOST_SECRET_KEYS of that time first; a backup does not hold them.",
            code=REFUSED,
        )
    with replace(runtime, database=database).unit(COMMAND) as unit:
        verdict = audit.verify(unit.session, unit.vault)
    if not verdict.whole:
        raise Impossible(
            f"The audit log in the backup is not whole: entry {verdict.first_broken} is missing or was "
            "changed. Restore an older backup.",
            code=REFUSED,
        )


def _put_aside(path: Path, now: datetime) -> Path | None:
    """The present database under another name, with what belongs to it."""
    if not path.exists():
        return None
    kept_as = path.with_name(f"{path.name}.before-{now:%Y%m%dT%H%M%SZ}")
    for suffix in ("-wal", "-shm", ""):
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.replace(kept_as.with_name(kept_as.name + suffix))
    return kept_as
