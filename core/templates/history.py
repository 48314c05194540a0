"""What Meta said of a template, in order of Meta's time: each saying is one row; the newest holds (T1)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel import col, select

from core.phones.history import Word
from core.phones.reading import kept, moment_of
from core.templates import metrics, versions
from core.templates.reading import retold, status_reason
from core.unit import Unit
from data.enums import ChangeSource, TemplateAspect
from data.sending import Template, Waba
from data.templates import TemplateChange

Saying = tuple[TemplateAspect, str]
Newest = Mapping[tuple[str, str, TemplateAspect], TemplateChange]


def hear(
    unit: Unit,
    waba: Waba,
    *,
    name: str,
    language: str,
    saying: Saying,
    word: Word,
    detail: dict[str, Any] | None = None,
) -> None:
    """That was said of the template stands in the history once, and the newest of its kind holds, unless the
    template was read later.

    *10:00 PAUSED, 13:00 APPROVED, and then a webhook of 10:00 once more: one row each, APPROVED holds. Read
    at 14:00 as DISABLED, then a late webhook of 12:00: a row more, DISABLED holds.* Meta dates by the second:
    of two webhooks in one second the later by alphabet holds (PAUSED after APPROVED), so that any order ends
    the same, until the next sync.
    """
    rows = _rows(unit, waba, name, language)
    if any((row.aspect, row.said) == saying and row.at == word.at for row in rows):
        return
    rows.append(_add(unit, waba, name, language, saying, word=word, detail=detail))
    found = select(Template).where(
        col(Template.waba_id) == waba.id, col(Template.name) == name, col(Template.language) == language
    )
    template = unit.session.exec(found).first()
    if saying[0] is TemplateAspect.STATUS:
        metrics.follow(unit, waba, template, saying[1], word=word, detail=detail)
    if template is None:
        return
    later = newest([row for row in rows if row.at >= second_of(template.synced_at)])
    if (holds := later.get((name, language, saying[0]))) is not None:
        take(template, holds)
        if holds.aspect is TemplateAspect.COMPONENTS and holds.source is ChangeSource.WEBHOOK:
            versions.keep(unit, waba, versions.words_of(template), word=Word(holds.at, holds.source))
    _take_plan(template, newest(rows))
    unit.session.add(template)


def note(
    unit: Unit,
    waba: Waba,
    template: Template,
    saying: Saying,
    *,
    word: Word,
    detail: dict[str, Any] | None = None,
) -> None:
    """A row for what is so already."""
    _add(unit, waba, template.name, template.language, saying, word=word, detail=detail)
    if saying[0] is TemplateAspect.STATUS and metrics.is_dated(waba, word):
        metrics.follow(unit, waba, template, saying[1], word=word, detail=detail)


def since(unit: Unit, waba: Waba, moment: datetime) -> Newest:
    """(name, language, aspect) → the newest that was said in that second or later, of all the account's
    templates."""
    statement = select(TemplateChange).where(
        col(TemplateChange.waba_id) == waba.id, col(TemplateChange.at) >= second_of(moment)
    )
    return newest(list(unit.session.exec(statement)))


def take(template: Template, row: TemplateChange) -> None:
    """The template is what the row says."""
    detail = row.detail or {}
    match row.aspect:
        case TemplateAspect.STATUS:
            template.status = row.said
            template.rejected_reason = status_reason(detail) if row.said == "REJECTED" else None
        case TemplateAspect.QUALITY:
            template.quality = row.said
        case TemplateAspect.CATEGORY:
            template.category = row.said
        case TemplateAspect.COMPONENTS if row.source is ChangeSource.WEBHOOK:
            template.components = retold(template.components, detail)


def newest(rows: list[TemplateChange]) -> dict[tuple[str, str, TemplateAspect], TemplateChange]:
    return {
        (row.name, row.language, row.aspect): row
        for row in sorted(rows, key=lambda row: (second_of(row.at), row.source, row.at, row.said))
    }


def second_of(moment: datetime) -> datetime:
    """Meta's webhooks know no smaller part of time."""
    return moment.replace(microsecond=0)


def _take_plan(template: Template, rows: Newest) -> None:
    """A category to come holds until Meta has given one."""
    key = template.name, template.language
    planned = rows.get((*key, TemplateAspect.PLANNED_CATEGORY))
    given = rows.get((*key, TemplateAspect.CATEGORY))
    if planned is None or (given is not None and given.at >= planned.at):
        template.planned_category = template.planned_at = None
    else:
        template.planned_category = planned.said
        template.planned_at = moment_of((planned.detail or {}).get("category_update_timestamp"))


def _rows(unit: Unit, waba: Waba, name: str, language: str) -> list[TemplateChange]:
    statement = select(TemplateChange).where(
        col(TemplateChange.waba_id) == waba.id,
        col(TemplateChange.name) == name,
        col(TemplateChange.language) == language,
    )
    return list(unit.session.exec(statement))


def _add(
    unit: Unit,
    waba: Waba,
    name: str,
    language: str,
    saying: Saying,
    *,
    word: Word,
    detail: dict[str, Any] | None,
) -> TemplateChange:
    aspect, said = saying
    row = TemplateChange(
        id=unit.new_id("tch"),
        workspace_id=waba.workspace_id,
        waba_id=waba.id,
        name=name,
        language=language,
        aspect=aspect,
        said=said,
        detail=kept(detail) if detail else None,
        at=word.at,
        noticed_at=unit.now,
        source=word.source,
    )
    unit.session.add(row)
    unit.session.flush()
    return row
