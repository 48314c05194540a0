"""Brings a database to the schema of this program, or says how far it is from it."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from data.engine import Database

MIGRATIONS = Path(__file__).parent / "migrations"
# Any number will do, as long as every process that migrates asks for the same.
_LOCK = 0x57415950


def migrate(database: Database) -> None:
    """The schema is this program's. Processes that start together take turns."""
    with database.write.begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        command.upgrade(_config(connection), "head")


def revision(database: Database) -> tuple[str | None, str]:
    """The revision of the database (None: an empty one), and this program's."""
    head = ScriptDirectory.from_config(_config(None)).get_current_head() or ""
    with database.read.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision(), head


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
