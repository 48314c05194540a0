"""What takes long to make and is always the same is made once, kept as rows, and put into other databases."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from data.engine import Database
from data.tables import METADATA

# Those that depend on none first. The plans come with the schema.
TABLES = [table.name for table in METADATA.sorted_tables if table.name != "plan"]
# Tables whose rows triggers keep as they are.
GUARDED = {"audit_entry", "conversation", "invoice", "invoice_entry"}


@dataclass(frozen=True)
class Mould:
    """The rows of ``tables``, kept in a SQLite file or in a schema of the PostgreSQL database itself."""

    where: str
    tables: tuple[str, ...]

    def pour(self, database: Database) -> None:
        """The rows are in ``database``, whose tables must not hold them yet."""
        copies = "".join(
            f'INSERT INTO "{name}" SELECT * FROM {self._schema}."{name}";' for name in self.tables
        )
        if not database.is_sqlite:
            with database.write.begin() as connection:
                connection.exec_driver_sql(copies)
            return
        connection = sqlite3.connect(database.path, isolation_level=None)
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("ATTACH ? AS mould", (self.where,))
        connection.executescript(f"BEGIN IMMEDIATE;{copies}COMMIT;")
        connection.close()

    @property
    def _schema(self) -> str:
        return "mould" if self.where.endswith(".db") else self.where


def lift(database: Database, folder: Path, name: str) -> Mould:
    """What ``database`` holds now, beyond what every database does. ``folder`` is for the file of SQLite."""
    filled = _filled(database, TABLES)
    if database.is_sqlite:
        path = folder / f"{name}.db"
        copy = sqlite3.connect(path)
        copy.execute("ATTACH ? AS source", (str(database.path),))
        for table in filled:
            copy.execute(f'CREATE TABLE "{table}" AS SELECT * FROM source."{table}"')
        copy.commit()
        copy.close()
        return Mould(str(path), tuple(filled))
    with database.write.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
        for table in filled:
            connection.execute(text(f'CREATE TABLE {name}."{table}" AS SELECT * FROM "{table}"'))
    return Mould(name, tuple(filled))


def is_empty(database: Database) -> bool:
    """Nothing was written yet beyond the schema."""
    return not _filled(database, ["workspace", "user_account", "audit_head"])


def sweep(database: Database) -> None:
    """Every table of a PostgreSQL database is empty again. Three milliseconds; truncating takes a hundred."""
    filled = _filled(database, TABLES)
    guarded = [name for name in filled if name in GUARDED]
    wipe = [f'ALTER TABLE "{name}" DISABLE TRIGGER USER' for name in guarded]
    wipe += [f'DELETE FROM "{name}"' for name in reversed(filled)]
    wipe += [f'ALTER TABLE "{name}" ENABLE TRIGGER USER' for name in guarded]
    if wipe:
        with database.write.begin() as connection:
            connection.exec_driver_sql(";".join(wipe))


def _filled(database: Database, tables: Iterable[str]) -> list[str]:
    asked = " UNION ALL ".join(
        f"""SELECT '{name}' WHERE EXISTS (SELECT 1 FROM "{name}")""" for name in tables
    )
    with database.read.connect() as connection:
        return list(connection.execute(text(asked)).scalars())
