"""What Meta says of templates over time, what was submitted to it, and the words that they had."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from data.columns import document, enumerated, flag, instant
from data.enums import ChangeSource, SubmissionKind, SubmissionState, TemplateAspect


class TemplateChange(SQLModel, table=True):
    """One thing that Meta said of a template, which is known by its name and language: it may say so before
    we have a copy.

    ``at`` is Meta's moment (of a sync: when it was asked), ``noticed_at`` when it reached us. ``detail`` is
    what came with it, as data.
    """

    __tablename__ = "template_change"
    __table_args__ = (Index("ix_template_change_template", "waba_id", "name", "language", "at", "id"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id", index=True)
    waba_id: str = Field(foreign_key="waba.id")
    name: str
    language: str
    aspect: TemplateAspect = enumerated(TemplateAspect)
    said: str
    detail: dict[str, Any] | None = document(nullable=True)
    at: datetime = instant()
    noticed_at: datetime = instant()
    source: ChangeSource = enumerated(ChangeSource)


class TemplateSubmission(SQLModel, table=True):
    """A template on its way to Meta, to be made or to be edited: written before the call, so that whatever
    dies in between, its words are kept and it is known that Meta may have it.

    ``was_approved``: an edit of a template that could be sent, which Meta counts. ``error_code`` and
    ``error`` say why it was refused. ``seen_at``: when somebody put a lost one aside.
    """

    __tablename__ = "template_submission"
    __table_args__ = (
        Index("ix_template_submission_named", "waba_id", "name", "language", "asked_at"),
        Index("ix_template_submission_kind", "waba_id", "kind", "asked_at"),
        Index("ix_template_submission_state", "workspace_id", "state", "asked_at"),
    )

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    waba_id: str = Field(foreign_key="waba.id")
    kind: SubmissionKind = enumerated(SubmissionKind)
    state: SubmissionState = enumerated(SubmissionState)
    name: str
    language: str
    category: str
    components: list[dict[str, Any]] = document()
    was_approved: bool = flag()
    asked_at: datetime = instant()
    asked_by: str
    answered_at: datetime | None = instant(nullable=True)
    error_code: str | None = None
    error: str | None = None
    seen_at: datetime | None = instant(nullable=True)


class TemplateVersion(SQLModel, table=True):
    """The words that a template had from ``at`` on, until the next of its versions. ``made_by``: who
    submitted them; None when they came from Meta."""

    __tablename__ = "template_version"
    __table_args__ = (Index("ix_template_version_template", "waba_id", "name", "language", "at", "id"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id", index=True)
    waba_id: str = Field(foreign_key="waba.id")
    name: str
    language: str
    category: str
    components: list[dict[str, Any]] = document()
    at: datetime = instant()
    source: ChangeSource = enumerated(ChangeSource)
    made_by: str | None = None
