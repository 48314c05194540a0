"""What Meta tells by webhook of templates (cloud-api: template fields)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlmodel import col, select

from core.phones.history import Word
from core.phones.reading import quality_of, shouted, word
from core.templates import history, stops
from core.templates.history import Saying
from core.templates.reading import digest, retold, status_words
from core.templates.rules import PARKED
from core.unit import Unit
from data.enums import ChangeSource, TemplateAspect
from data.sending import Template, Waba

# Longer than Meta's second, so that what is read then is newer than what was told.
SOON = timedelta(seconds=2)


def apply_change(unit: Unit, *, waba: Waba, field: str, value: dict[str, Any], at: datetime) -> bool:
    """What the webhook says is so of the template, stands in the history once, and the account's templates
    are read again soon. Applied twice, late or in another order it comes to the same.

    Returns whether the template was paused and is no more: the caller lets go what waits for it. One that we
    have no copy of yet has a history already.
    """
    read = _FIELDS.get(field)
    if read is None:
        return False
    unit.session.flush()
    unit.session.refresh(waba, with_for_update={"key_share": True})
    told = _told(unit, waba, value)
    saying = read(told) if told is not None else None
    if told is None or saying is None:
        return False
    before, template = told.status, told.template
    history.hear(
        unit,
        waba,
        name=told.name,
        language=told.language,
        saying=saying,
        word=Word(at, ChangeSource.WEBHOOK),
        detail=value,
    )
    if template is not None and before is not None:
        stops.follow(unit, template, before=before, words=status_words(value))
    if waba.templates_due_at is not None:
        waba.templates_due_at = unit.now + SOON
        unit.session.add(waba)
    unit.session.flush()
    return before in PARKED and told.status not in PARKED


@dataclass(frozen=True, slots=True)
class _Told:
    """One change, and our copy of what it is about."""

    name: str
    language: str
    value: dict[str, Any]
    template: Template | None

    @property
    def status(self) -> str | None:
        return self.template.status if self.template is not None else None


def _told(unit: Unit, waba: Waba, value: dict[str, Any]) -> _Told | None:
    """By name and language; where those are missing by Meta's id, which is a number here only."""
    name, language = (word(value.get(f"message_template_{part}")) for part in ("name", "language"))
    of_account = select(Template).where(col(Template.waba_id) == waba.id)
    if name is not None and language is not None:
        named = of_account.where(col(Template.name) == name, col(Template.language) == language)
        return _Told(name, language, value, unit.session.exec(named).first())
    meta_id = word(value.get("message_template_id"))
    template = unit.session.exec(of_account.where(col(Template.meta_id) == meta_id)).first()
    if meta_id is None or template is None:
        return None
    return _Told(template.name, template.language, value, template)


def _status(told: _Told) -> Saying | None:
    """Meta's own sample of a quality update comes under this name."""
    event = shouted(told.value.get("event"))
    return (TemplateAspect.STATUS, event) if event else _quality(told)


def _quality(told: _Told) -> Saying | None:
    score = quality_of(told.value.get("new_quality_score"))
    return (TemplateAspect.QUALITY, score) if score else None


def _category(told: _Told) -> Saying | None:
    """Meta says ``new_category`` of the one it has given, and also, beside the ``correct_category`` that is
    to come, of the one that still holds."""
    planned, given = (shouted(told.value.get(name)) for name in ("correct_category", "new_category"))
    if planned:
        return TemplateAspect.PLANNED_CATEGORY, planned
    return (TemplateAspect.CATEGORY, given) if given else None


def _components(told: _Told) -> Saying | None:
    return TemplateAspect.COMPONENTS, digest(retold([], told.value))


_FIELDS: Mapping[str, Callable[[_Told], Saying | None]] = MappingProxyType(
    {
        "message_template_status_update": _status,
        "message_template_quality_update": _quality,
        "message_template_components_update": _components,
        "template_category_update": _category,
    }
)
FIELDS = tuple(_FIELDS)
