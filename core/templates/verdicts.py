"""The history of a template as it is read: what Meta said, newest first, and why."""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from sqlmodel import col

from core.phones.reading import shouted
from core.templates.reading import status_reason, status_words
from core.unit import Unit
from data.enums import ChangeSource, TemplateAspect
from data.sending import Template
from data.templates import TemplateChange


@dataclass(frozen=True, slots=True)
class VerdictView:
    """``said``: Meta's word (of components: nothing to show), ``before`` the one that held until then, where
    it is known. ``reason``: Meta's code, ``words`` its sentence; empty when it gave none."""

    id: str
    aspect: TemplateAspect
    said: str
    before: str | None
    reason: str
    words: str
    at: datetime
    noticed_at: datetime
    source: ChangeSource


@dataclass(frozen=True, slots=True)
class History:
    """``is_whole``: there is nothing earlier."""

    items: list[VerdictView]
    is_whole: bool


def history_of(unit: Unit, template_id: str, *, limit: int = 50) -> History:
    """What Meta said of the template, newest first by Meta's time; what only repeats is left out."""
    unit.require("templates.view")
    template = unit.find(Template, template_id, called="template")
    statement = unit.scoped(TemplateChange).where(
        col(TemplateChange.waba_id) == template.waba_id,
        col(TemplateChange.name) == template.name,
        col(TemplateChange.language) == template.language,
    )
    newest = statement.order_by(col(TemplateChange.at).desc(), col(TemplateChange.id).desc())
    rows = list(unit.session.exec(newest.limit(limit + 1)))
    before: dict[str, str] = {}
    for aspect in TemplateAspect:
        of_aspect = [row for row in rows if row.aspect is aspect]
        before |= {later.id: earlier.said for later, earlier in pairwise(of_aspect)}
    shown = [_view(row, before.get(row.id)) for row in rows[:limit] if before.get(row.id) != row.said]
    return History(shown, is_whole=len(rows) <= limit)


def _view(row: TemplateChange, before: str | None) -> VerdictView:
    detail = row.detail or {}
    is_status = row.aspect is TemplateAspect.STATUS
    return VerdictView(
        id=row.id,
        aspect=row.aspect,
        said=row.said,
        before=before or shouted(detail.get("previous_category")),
        reason=(status_reason(detail) or "") if is_status else "",
        words=(status_words(detail) or "") if is_status else "",
        at=row.at,
        noticed_at=row.noticed_at,
        source=row.source,
    )
