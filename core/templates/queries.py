"""Templates as senders see them."""

from dataclasses import dataclass
from typing import Any

from sqlmodel import col

from core.templates import forms, rules
from core.unit import Unit
from data.sending import Template


@dataclass(frozen=True, slots=True)
class TemplateChoice:
    """A template that a form may offer. ``variables``: part → names, in order; ``fields``: the same for a
    form; ``is_named``: whether they go to Meta by name."""

    name: str
    language: str
    category: str
    status: str
    can_send: bool
    variables: dict[str, list[str]]
    fields: list[forms.TemplateField]
    is_named: bool
    components: list[dict[str, Any]]


def find(unit: Unit, *, waba_id: str, name: str, language: str) -> Template | None:
    statement = unit.scoped(Template).where(
        col(Template.waba_id) == waba_id, col(Template.name) == name, col(Template.language) == language
    )
    return unit.session.exec(statement).first()


def choices(unit: Unit, *, waba_id: str) -> list[TemplateChoice]:
    """All templates of the account, sendable ones first, then by name and language."""
    unit.require("templates.view")
    rows = unit.session.exec(unit.scoped(Template).where(col(Template.waba_id) == waba_id)).all()
    found = [
        TemplateChoice(
            name=row.name,
            language=row.language,
            category=row.category,
            status=row.status,
            can_send=row.status in rules.SENDABLE,
            variables=rules.variables(row),
            fields=forms.fields(row),
            is_named=row.parameter_format.upper() == "NAMED",
            components=row.components,
        )
        for row in rows
    ]
    return sorted(found, key=lambda choice: (not choice.can_send, choice.name, choice.language))
