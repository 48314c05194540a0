"""How much templates are used, counted in indexes alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select as select_columns
from sqlmodel import col, func, select

from core.ids import first_id
from core.ports.meta_errors import explain
from core.templates.lists import TemplateView
from core.unit import Unit
from data.messages import TEMPLATE_FAILED, Message
from data.sending import Phone, Template

RECENT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Figures:
    """Of the messages of the last 7 days: how many, and how many of them failed. ``last_used_at``: when the
    newest of all was made."""

    messages: int
    failures: int
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """``code``: one of ours; ``count`` messages of the last 7 days ended with it."""

    code: str
    title: str
    advice: str
    count: int


def figures(unit: Unit, templates: Sequence[TemplateView]) -> dict[str, Figures]:
    """id → its figures, for each of the templates."""
    unit.require("templates.view")
    all_of, failed_of = _count(unit, templates), _count(unit, templates, failed=True)
    last = _last_used(unit, [each.id for each in templates])
    found = {}
    for each in templates:
        key = each.waba_id, each.name, each.language
        found[each.id] = Figures(all_of.get(key, 0), failed_of.get(key, 0), last.get(each.id))
    return found


def failures(unit: Unit, template: TemplateView, *, limit: int = 20) -> list[FailureGroup]:
    """Why messages of the template failed in the last 7 days, most first."""
    unit.require("templates.view")
    count = func.count()
    statement = (
        select(Message.error_code, count)
        .where(
            *_recent(unit, [template.name]),
            TEMPLATE_FAILED,
            col(Message.template_language) == template.language,
            col(Message.phone_number_id).in_(_phones(template.waba_id)),
        )
        .group_by(col(Message.error_code))
        .order_by(count.desc(), col(Message.error_code))
        .limit(limit)
    )
    groups = []
    for code, number in unit.session.exec(statement):
        why = explain(code or "bad_response")
        groups.append(FailureGroup(why.code, why.title, why.advice, number))
    return groups


def _count(
    unit: Unit, templates: Sequence[TemplateView], *, failed: bool = False
) -> dict[tuple[str, str, str], int]:
    """(waba, name, language) → messages of the last 7 days. Grouped by name, as the index is, and each
    language counted on the way: grouping by more would sort them all (a million: four times as long)."""
    pairs = sorted({(each.waba_id, each.language) for each in templates})
    counts = [
        func.count().filter(
            col(Message.template_language) == language, col(Message.phone_number_id).in_(_phones(waba_id))
        )
        for waba_id, language in pairs
    ]
    name: Any = col(Message.template_name)
    conditions = _recent(unit, sorted({each.name for each in templates}))
    statement = select_columns(name, *counts).where(*conditions, *([TEMPLATE_FAILED] if failed else []))
    return {
        (waba_id, found[0], language): count
        for found in unit.session.execute(statement.group_by(name))
        for (waba_id, language), count in zip(pairs, found[1:], strict=True)
    }


def _recent(unit: Unit, names: list[str]) -> list[Any]:
    return [
        col(Message.workspace_id) == unit.workspace_id,
        col(Message.template_name).in_(names),
        col(Message.id) >= first_id("msg", unit.now - RECENT),
    ]


def _last_used(unit: Unit, template_ids: list[str]) -> dict[str, datetime | None]:
    newest = (
        select(Message.created_at)
        .where(
            col(Message.workspace_id) == col(Template.workspace_id),
            col(Message.template_name) == col(Template.name),
            col(Message.template_language) == col(Template.language),
            col(Message.phone_number_id).in_(
                select(Phone.id).where(col(Phone.waba_id) == col(Template.waba_id)).correlate(Template)
            ),
        )
        .order_by(col(Message.id).desc())
        .limit(1)
        .correlate(Template)
        .scalar_subquery()
    )
    statement = select(Template.id, newest).where(
        col(Template.workspace_id) == unit.workspace_id, col(Template.id).in_(template_ids)
    )
    return dict(unit.session.exec(statement).all())


def _phones(waba_id: str) -> Any:
    return select(Phone.id).where(col(Phone.waba_id) == waba_id)
