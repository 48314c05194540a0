"""What is kept about dead letters beside themselves: counts, words to search by, bulk work, saved views."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, String, Text, text
from sqlmodel import Field, SQLModel

from data.columns import document, enumerated, flag, instant
from data.enums import BulkState, BulkVerb, LetterState

RUNNING = text("state = 'running'")


def _workspace(*, primary_key: bool = False) -> Any:
    """Counts go with their workspace: nobody counts what is not there."""
    reference = ForeignKey("workspace.id", ondelete="CASCADE")
    return Field(sa_column=Column(String, reference, nullable=False, primary_key=primary_key))


class LetterTally(SQLModel, table=True):
    """How many letters of one cause and phone are in one state, but for the changes not yet added up.
    ``template_name`` is empty for texts."""

    __tablename__ = "letter_tally"

    workspace_id: str = _workspace(primary_key=True)
    state: LetterState = enumerated(LetterState, primary_key=True)
    fingerprint: str = Field(primary_key=True)
    phone_number_id: str = Field(primary_key=True)
    error_code: str = Field(primary_key=True)
    template_name: str = Field(primary_key=True)
    letters: int


class LetterHour(SQLModel, table=True):
    """The same for those that died in one hour, counted from 1970. Kept for the last two days."""

    __tablename__ = "letter_hour"

    workspace_id: str = _workspace(primary_key=True)
    hour: int = Field(primary_key=True)
    state: LetterState = enumerated(LetterState, primary_key=True)
    fingerprint: str = Field(primary_key=True)
    phone_number_id: str = Field(primary_key=True)
    error_code: str = Field(primary_key=True)
    template_name: str = Field(primary_key=True)
    letters: int


class LetterTallyChange(SQLModel, table=True):
    """Letters that came (positive) or went. Triggers of ``dead_letter`` write these in the transaction that
    changes the letter: rows of their own, so that nobody waits for a count that somebody else changes."""

    __tablename__ = "letter_tally_change"
    __table_args__ = (Index("ix_letter_tally_change_workspace", "workspace_id"),)

    number: int | None = Field(default=None, primary_key=True)
    workspace_id: str = _workspace()
    state: LetterState = enumerated(LetterState)
    fingerprint: str
    phone_number_id: str
    error_code: str
    template_name: str
    hour: int
    letters: int


class LetterText(SQLModel, table=True):
    """The words of a letter, as ``data.words`` finds them: of its error (code and template included) and of
    its message. ``number`` grows with time. SQLite's index of them is ``letter_word`` (FTS5), kept by
    triggers; PostgreSQL's are two GIN indexes."""

    __tablename__ = "letter_text"

    number: int | None = Field(default=None, primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    letter_id: str = Field(foreign_key="dead_letter.id", unique=True)
    error_words: str = Field(sa_column=Column(Text, nullable=False))
    payload_words: str = Field(sa_column=Column(Text, nullable=False))


class BulkWork(SQLModel, table=True):
    """One thing done to many letters, little by little (Q10).

    What it is about is frozen at its start. Either it is a list (``is_listed``, rows of ``bulk_letter``) and
    has come to ``position``; or it is all that ``wanted``, a filter, matches up to the letter at
    ``until_at``, ``until_id``, and has come to ``place_at``, ``place_id``. ``held``: phones whose lane was
    held at the start. ``skipped``: reason → letters. ``slots``: the moments of its newest sends, as in a
    lane. ``watched``: the messages whose outcome is awaited; ``verdicts``: the newest outcomes, a letter
    each. ``left_failed``: messages that had failed again and were sent again by other means.
    """

    __tablename__ = "bulk_work"
    __table_args__ = (
        Index("ix_bulk_work_running", "state", sqlite_where=RUNNING, postgresql_where=RUNNING),
        Index("ix_bulk_work_workspace", "workspace_id", "id"),
    )

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    verb: BulkVerb = enumerated(BulkVerb)
    state: BulkState = enumerated(BulkState)
    wanted: dict[str, Any] = document()
    is_listed: bool = False
    reason: str | None = None
    assignee_id: str | None = Field(default=None, foreign_key="user_account.id")
    rate_per_second: int = 5
    canary: int | None = None
    canary_passed: bool = False
    include_unknown: bool = False
    held: list[str] = document()
    total: int
    done: int = 0
    skipped: dict[str, int] = document()
    left_failed: int = 0
    until_at: datetime | None = instant(nullable=True)
    until_id: str | None = None
    place_at: datetime | None = instant(nullable=True)
    place_id: str | None = None
    position: int = 0
    slots: bytes = Field(default=b"", sa_column=Column(LargeBinary, nullable=False))
    watched: list[str] = document()
    verdicts: str = ""
    cause: str | None = None
    started_by: str
    started_by_name: str
    started_at: datetime = instant()
    finished_at: datetime | None = instant(nullable=True)


class BulkLetter(SQLModel, table=True):
    """A letter that bulk work is about, where it is about a list of them."""

    __tablename__ = "bulk_letter"

    bulk_id: str = Field(primary_key=True, foreign_key="bulk_work.id")
    position: int = Field(primary_key=True)
    letter_id: str


class SavedView(SQLModel, table=True):
    """A filter with a name. ``owner_id`` None: a key made it, and it is shared."""

    __tablename__ = "saved_view"
    __table_args__ = (Index("ix_saved_view_workspace", "workspace_id", "name"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    owner_id: str | None = Field(default=None, foreign_key="user_account.id")
    name: str
    wanted: dict[str, Any] = document()
    is_shared: bool = flag()
    created_at: datetime = instant()
