"""Brings a database to the schema of this program, or says how far it is from it."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from data.engine import BUSY_TIMEOUT_MS, Database

MIGRATIONS = Path(__file__).parent / "migrations"
# Any number will do, as long as every process that migrates asks for the same.
_LOCK = 0x57415950
# On a slow disk another process may take longer to migrate than a send may wait.
PATIENCE_MS = 60_000


def migrate(database: Database) -> None:
    """The schema is this program's. Processes that start together take turns."""
    with database.write.connect() as connection:
        if database.is_sqlite:
            _be_patient(connection, PATIENCE_MS)
        with connection.begin():
            if not database.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            command.upgrade(_config(connection), "head")
        if database.is_sqlite:
            _be_patient(connection, BUSY_TIMEOUT_MS)


def revision(database: Database) -> tuple[str | None, str]:
    """The revision of the database (None: an empty one), and this program's."""
    head = ScriptDirectory.from_config(_config(None)).get_current_head() or ""
    with database.read.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision(), head


def is_known(found: str | None) -> bool:
    """Whether this program can bring a database of that revision up to its own."""
    return any(
        script.revision == found for script in ScriptDirectory.from_config(_config(None)).walk_revisions()
    )


def _be_patient(connection: Connection, milliseconds: int) -> None:
    """Straight to the driver: it must count before the transaction begins."""
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA busy_timeout={milliseconds}")


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
