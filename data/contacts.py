"""What is kept beside contacts: the words of their names, and what is left of erased ones."""

import re
import unicodedata
from datetime import datetime

from sqlalchemy import Column, Index, String, text
from sqlmodel import Field, SQLModel

from data.columns import instant, sealed

WORDS_MAX = 12
WORD_MAX = 48
# Prefixes are found as ranges, so PostgreSQL must compare bytes, as SQLite does.
BYTEWISE = String().with_variant(String(collation="C"), "postgresql")


class ContactWord(SQLModel, table=True):
    """One word of a contact's name, folded: what a search by name looks up."""

    __tablename__ = "contact_word"
    __table_args__ = (Index("ix_contact_word", "workspace_id", "word", "contact_id"),)

    contact_id: str = Field(primary_key=True, foreign_key="contact.id")
    word: str = Field(sa_column=Column(BYTEWISE, primary_key=True))
    workspace_id: str = Field(foreign_key="workspace.id")


class DigestKey(SQLModel, table=True):
    """What the digests of a workspace's erased contacts are keyed with, sealed by the vault."""

    __tablename__ = "digest_key"

    workspace_id: str = Field(primary_key=True, foreign_key="workspace.id")
    sealed: bytes = sealed()


class ContactErasure(SQLModel, table=True):
    """A contact that was erased, until the raw webhooks that name it are gone too. ``sealed`` is what to look
    for in them; ``cursor`` the last one looked into. Once done, both are empty."""

    __tablename__ = "contact_erasure"
    __table_args__ = (
        Index(
            "ix_contact_erasure_open",
            "id",
            sqlite_where=text("done_at IS NULL"),
            postgresql_where=text("done_at IS NULL"),
        ),
    )

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    contact_id: str = Field(foreign_key="contact.id")
    asked_at: datetime = instant()
    sealed: bytes | None = sealed(nullable=True)
    cursor: str = ""
    cleared: int = 0
    done_at: datetime | None = instant(nullable=True)


def words_of(name: str) -> list[str]:
    """The words of a name as they are searched for: without case and accents, each once.

    *"Elif Şahin-Öz" → ["elif", "sahin", "oz"].*
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    words = [word[:WORD_MAX] for word in re.findall(r"\w+", plain.casefold())]
    return list(dict.fromkeys(words))[:WORDS_MAX]
