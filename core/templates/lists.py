"""The templates of a workspace, by name."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import tuple_
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from core.errors import Malformed
from core.unit import Unit
from data.enums import HoldScope
from data.sending import Hold, Template, Waba


@dataclass(frozen=True, slots=True)
class TemplateFilter:
    """``q``: a part of a name. The others are Meta's words."""

    q: str | None = None
    status: str | None = None
    category: str | None = None
    language: str | None = None
    quality: str | None = None


@dataclass(frozen=True, slots=True)
class HoldView:
    reason: str
    held_at: datetime
    held_by: str | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class TemplateView:
    """``asked_category``: the one that was asked for, where Meta gave another; ``planned_category``: the one
    that it is going to have, from ``planned_at`` on. ``hold``: who stopped it here."""

    id: str
    meta_id: str | None
    waba_id: str
    waba_name: str
    name: str
    language: str
    status: str
    category: str
    asked_category: str | None
    planned_category: str | None
    planned_at: datetime | None
    quality: str | None
    rejected_reason: str | None
    components: list[dict[str, Any]]
    synced_at: datetime
    hold: HoldView | None


@dataclass(frozen=True, slots=True)
class TemplatePage:
    items: list[TemplateView]
    next_cursor: str | None


def list_templates(
    unit: Unit, wanted: TemplateFilter | None = None, *, cursor: str | None = None, limit: int = 50
) -> TemplatePage:
    """By name and language. An account has 6,000 templates at most: its filters look at each."""
    unit.require("templates.view")
    statement = _matching(unit, wanted or TemplateFilter())
    if cursor is not None:
        last = unit.session.exec(unit.scoped(Template).where(col(Template.id) == cursor)).first()
        if last is None:
            raise Malformed.field("cursor", "must be the cursor of an earlier page")
        key = tuple_(col(Template.name), col(Template.language), col(Template.id))
        statement = statement.where(key > (last.name, last.language, last.id))
    in_order = statement.order_by(col(Template.name), col(Template.language), col(Template.id))
    rows = list(unit.session.exec(in_order.limit(limit + 1)))
    return TemplatePage(_views(unit, rows[:limit]), rows[limit - 1].id if len(rows) > limit else None)


def template_of(unit: Unit, template_id: str) -> TemplateView:
    unit.require("templates.view")
    return _views(unit, [unit.find(Template, template_id, called="template")])[0]


def languages(unit: Unit) -> list[str]:
    """Those in which the workspace has templates, at most 200."""
    unit.require("templates.view")
    statement = select(Template.language).where(col(Template.workspace_id) == unit.workspace_id)
    return list(unit.session.exec(statement.distinct().order_by(col(Template.language)).limit(200)))


def sync_error(unit: Unit) -> str | None:
    """Why the templates of an account could not be read the last time."""
    unit.require("templates.view")
    failed = unit.scoped(Waba).where(col(Waba.templates_error).is_not(None)).order_by(col(Waba.id))
    waba = unit.session.exec(failed.limit(1)).first()
    return waba.templates_error if waba is not None else None


def _matching(unit: Unit, wanted: TemplateFilter) -> SelectOfScalar[Template]:
    statement = unit.scoped(Template)
    for column, word in (
        (Template.status, wanted.status),
        (Template.category, wanted.category),
        (Template.language, wanted.language),
        (Template.quality, wanted.quality),
    ):
        if word:
            statement = statement.where(col(column) == word)
    if wanted.q:
        statement = statement.where(col(Template.name).contains(wanted.q.strip().lower(), autoescape=True))
    return statement


def _views(unit: Unit, rows: list[Template]) -> list[TemplateView]:
    wabas = {waba.id: waba.name for waba in unit.session.exec(unit.scoped(Waba))}
    active = unit.scoped(Hold).where(
        col(Hold.scope) == HoldScope.TEMPLATE,
        col(Hold.subject).in_([row.id for row in rows]),
        col(Hold.released_at).is_(None),
    )
    holds = {
        hold.subject: HoldView(hold.reason, hold.held_at, hold.held_by, hold.until)
        for hold in unit.session.exec(active)
    }
    return [
        TemplateView(
            id=row.id,
            meta_id=row.meta_id,
            waba_id=row.waba_id,
            waba_name=wabas.get(row.waba_id, row.waba_id),
            name=row.name,
            language=row.language,
            status=row.status,
            category=row.category,
            asked_category=row.asked_category if row.asked_category != row.category else None,
            planned_category=row.planned_category,
            planned_at=row.planned_at,
            quality=row.quality,
            rejected_reason=row.rejected_reason,
            components=row.components,
            synced_at=row.synced_at,
            hold=holds.get(row.id),
        )
        for row in rows
    ]
