"""Templates as senders see them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam
from sqlmodel import col, select

from core.templates import forms, rules
from core.unit import Unit
from data.sending import Template, Waba


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


@dataclass(frozen=True, slots=True)
class AccountChoice:
    """An account that a new template may belong to."""

    waba_id: str
    name: str


# Made ready once: every send asks.
_NAMED = select(Template).where(
    *(
        col(column) == bindparam(name)
        for name, column in (
            ("workspace_id", Template.workspace_id),
            ("waba_id", Template.waba_id),
            ("name", Template.name),
            ("language", Template.language),
        )
    ),
    col(Template.status) != rules.DELETED,
)


def find(unit: Unit, *, waba_id: str, name: str, language: str) -> Template | None:
    """None also for one that Meta has no more."""
    wanted = {"workspace_id": unit.workspace_id, "waba_id": waba_id, "name": name, "language": language}
    return unit.session.exec(_NAMED, params=wanted).first()


def choices(unit: Unit, *, waba_id: str) -> list[TemplateChoice]:
    """All templates that the account has, sendable ones first, then by name and language."""
    unit.require("templates.view")
    of_account = unit.scoped(Template).where(
        col(Template.waba_id) == waba_id, col(Template.status) != rules.DELETED
    )
    rows = unit.session.exec(of_account).all()
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


def accounts(unit: Unit) -> list[AccountChoice]:
    """The workspace's accounts, by name."""
    unit.require("templates.view")
    rows = unit.session.exec(unit.scoped(Waba).order_by(col(Waba.name), col(Waba.id)))
    return [AccountChoice(row.id, row.name) for row in rows]


def sample(unit: Unit, template_id: str) -> forms.Rendered:
    """The template as its reader sees it, with Meta's example values filled in."""
    unit.require("templates.view")
    template = unit.find(Template, template_id, called="template")
    examples = {field.key: field.example for field in forms.fields(template)}
    return forms.rendered(template.components, examples)
