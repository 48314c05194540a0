"""Whether the keys of this start are those that the stored secrets were sealed with (K3). Kept apart from the
runtime, which takes a second to import."""

from sqlalchemy import select

from core.ports.vault import Vault
from data.engine import Database
from data.tables import sealed_columns

SAMPLE = 100


def opens(database: Database, vault: Vault) -> bool:
    """The first values of each sealed column tell."""
    with database.read.connect() as connection:
        for column in sealed_columns():
            some = select(column).where(column.is_not(None)).limit(SAMPLE)
            if not all(vault.opens(sealed) for sealed in connection.scalars(some)):
                return False
    return True
