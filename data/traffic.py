"""What was sent and heard, minute by minute: kept counts, so that a year of them is a small query."""

from typing import Any

from sqlalchemy import Column, ForeignKey, Index, String
from sqlmodel import Field, SQLModel

from data.columns import document


def _workspace(*, primary_key: bool = False) -> Any:
    """Counts go with their workspace."""
    reference = ForeignKey("workspace.id", ondelete="CASCADE")
    return Field(sa_column=Column(String, reference, nullable=False, primary_key=primary_key))


class Traffic(SQLModel, table=True):
    """The counts of one slot: of all phones where ``phone_number_id`` is empty, of all templates where
    ``template_name`` is; texts go under ``-``. ``step``: how many minutes a slot has; ``slot``: its first
    minute, counted from 1970."""

    __tablename__ = "traffic"

    workspace_id: str = _workspace(primary_key=True)
    step: int = Field(primary_key=True)
    phone_number_id: str = Field(primary_key=True)
    template_name: str = Field(primary_key=True)
    slot: int = Field(primary_key=True)
    counts: dict[str, int] = document()


class TrafficChange(SQLModel, table=True):
    """Counts that are not yet in ``traffic``: rows of their own, written with what they count, so that no
    sender waits for a sum that another changes. Without a phone they count for the workspace alone."""

    __tablename__ = "traffic_change"
    __table_args__ = (Index("ix_traffic_change_workspace", "workspace_id"),)

    number: int | None = Field(default=None, primary_key=True)
    workspace_id: str = _workspace()
    minute: int
    phone_number_id: str
    template_name: str
    counts: dict[str, int] = document()
