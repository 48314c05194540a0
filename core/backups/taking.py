"""Taking backups: at a person's word, and by the clock."""

from pathlib import Path

from core.backups import rules
from core.errors import Impossible
from core.runtime import Runtime
from data import backup
from data.backup import About, BackupError

FAILED = "backup_failed"


def take(runtime: Runtime, target: Path) -> About:
    """The whole database as it is now, in a new file. Impossible says why not."""
    database = runtime.database
    if not database.is_sqlite:
        url = database.url.set(drivername="postgresql").render_as_string(hide_password=True)
        raise Impossible(
            f"PostgreSQL is backed up with its own tool: pg_dump --format=custom --file {target} {url}",
            code="not_sqlite",
        )
    text = runtime.settings.waypost_backup_recipient
    recipient = backup.recipient_of(text) if text else None
    try:
        return backup.take(database.path, target, now=runtime.clock.now(), recipient=recipient)
    except BackupError as error:
        raise Impossible(str(error), code=FAILED) from error


def take_by_schedule(runtime: Runtime) -> str:
    """One more backup in ``WAYPOST_BACKUP_DIR``; of those that are there the newest stay. What was done, in
    words. After a failure, an Impossible, the older ones stay."""
    settings = runtime.settings
    folder = settings.waypost_backup_dir
    if folder is None:
        return "WAYPOST_BACKUP_DIR is not set"
    name = rules.name_of(runtime.clock.now(), encrypted=bool(settings.waypost_backup_recipient))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        take(runtime, folder / name)
        for old in rules.superfluous(
            (file.name for file in folder.iterdir()), keep=settings.waypost_backup_keep
        ):
            (folder / old).unlink(missing_ok=True)
    except OSError as error:
        raise Impossible(f"{error.filename or folder}: {error.strerror}", code=FAILED) from error
    return name
