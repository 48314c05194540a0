"""What Meta says of numbers, accounts and businesses over time."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from data.columns import document, enumerated, instant
from data.enums import ChangeSource, NodeAspect, NodeKind


class Business(SQLModel, table=True):
    """The portfolio behind an account, as one workspace may see it: two workspaces can share one."""

    __tablename__ = "business"

    workspace_id: str = Field(primary_key=True, foreign_key="workspace.id")
    id: str = Field(primary_key=True)
    name: str
    verification: str | None = None
    described: dict[str, Any] | None = document(nullable=True)
    synced_at: datetime | None = instant(nullable=True)


class NodeChange(SQLModel, table=True):
    """One thing that Meta says differently of a number, account or business, or that it tells of one.

    ``at`` is Meta's moment (of a sync: ours), ``noticed_at`` when it reached us. ``detail`` is what came with
    it, as data.
    """

    __tablename__ = "node_change"
    __table_args__ = (Index("ix_node_change_subject", "workspace_id", "subject", "at", "id"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    kind: NodeKind = enumerated(NodeKind)
    subject: str
    aspect: NodeAspect = enumerated(NodeAspect)
    before: str | None = None
    after: str | None = None
    detail: dict[str, Any] | None = document(nullable=True)
    at: datetime = instant()
    noticed_at: datetime = instant()
    source: ChangeSource = enumerated(ChangeSource)
