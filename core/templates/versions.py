"""The words that a template had over time, and what changed from each to the next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any

from sqlmodel import col, select

from core.phones.history import Word
from core.templates.drafts import as_written
from core.unit import Unit
from data.enums import ChangeSource
from data.people import ApiKey, User
from data.sending import Template, Waba
from data.templates import TemplateVersion

Component = dict[str, Any]

PARTS = {"HEADER": "Header", "BODY": "Body", "FOOTER": "Footer", "BUTTONS": "Buttons"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One part that reads otherwise; ``before`` or ``after`` is empty where it is new or gone."""

    part: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class VersionView:
    """``made_by``: the name of who submitted it. ``differences``: from the version before; empty for the
    first, of which ``is_first`` says so."""

    id: str
    at: datetime
    source: ChangeSource
    made_by: str | None
    category: str
    components: list[Component]
    differences: list[Difference]
    is_first: bool


@dataclass(frozen=True, slots=True)
class Words:
    """What a version keeps of a template."""

    name: str
    language: str
    category: str
    components: list[Component]


def keep(
    unit: Unit, waba: Waba, words: Words, *, word: Word, made_by: str | None = None, is_new: bool = False
) -> None:
    """Those words are the template's newest version, unless the newest reads the same. ``is_new``: there is
    none yet, and nobody needs to look."""
    if not is_new:
        before = _newest(unit, waba.id, words)
        if before is not None and not differences(before.components, words.components):
            if made_by is not None and before.made_by is None and before.at >= word.at:
                # A sync saw them before it was known that somebody here had submitted them.
                before.made_by, before.source, before.at = made_by, word.source, word.at
                unit.session.add(before)
            return
    unit.session.add(
        TemplateVersion(
            id=unit.new_id("tve"),
            workspace_id=waba.workspace_id,
            waba_id=waba.id,
            name=words.name,
            language=words.language,
            category=words.category,
            components=words.components,
            at=word.at,
            source=word.source,
            made_by=made_by,
        )
    )
    unit.session.flush()


def words_of(template: Template) -> Words:
    components = as_written(template.category, template.components)
    return Words(template.name, template.language, template.category, components)


def known(unit: Unit, waba: Waba) -> set[tuple[str, str]]:
    """(name, language) of the templates of the account that have a version."""
    columns = select(TemplateVersion.name, TemplateVersion.language)
    return set(unit.session.exec(columns.where(col(TemplateVersion.waba_id) == waba.id).distinct()).all())


def versions_of(unit: Unit, template_id: str, *, limit: int = 50) -> list[VersionView]:
    """The versions of the template, newest first."""
    unit.require("templates.view")
    template = unit.find(Template, template_id, called="template")
    statement = (
        select(TemplateVersion, User.name, ApiKey.name)
        .outerjoin(User, col(User.id) == col(TemplateVersion.made_by))
        .outerjoin(ApiKey, col(ApiKey.id) == col(TemplateVersion.made_by))
        .where(*_of(template.waba_id, template), col(TemplateVersion.workspace_id) == unit.workspace_id)
        .order_by(col(TemplateVersion.at).desc(), col(TemplateVersion.id).desc())
        .limit(limit + 1)
    )
    rows = list(unit.session.exec(statement))
    earlier: list[TemplateVersion | None] = [row for row, _, _ in rows[1:]]
    return [
        VersionView(
            id=row.id,
            at=row.at,
            source=row.source,
            made_by=person or key,
            category=row.category,
            components=row.components,
            differences=differences(before.components, row.components) if before is not None else [],
            is_first=before is None,
        )
        for (row, person, key), before in zip_longest(rows[:limit], earlier[:limit])
    ]


def differences(before: Sequence[Component], after: Sequence[Component]) -> list[Difference]:
    """*[BODY "Hi {{1}}"] and [BODY "Hello {{1}}", FOOTER "Bye"] → Body from "Hi {{1}}" to "Hello {{1}}",
    Footer from "" to "Bye".*"""
    old, new = _words(before), _words(after)
    return [
        Difference(part, old.get(part, ""), new.get(part, ""))
        for part in [*PARTS.values(), "Other parts"]
        if old.get(part, "") != new.get(part, "")
    ]


def _words(components: Sequence[Component]) -> Mapping[str, str]:
    """part → its words, as they are compared."""
    found: dict[str, str] = {}
    for component in components:
        kind = str(component.get("type", "")).upper()
        if kind == "BUTTONS":
            buttons = component.get("buttons")
            lines = [_button(each) for each in buttons if isinstance(each, dict)] if buttons else []
            found["Buttons"] = "\n".join(lines)
        elif kind in PARTS:
            found[PARTS[kind]] = _text(component)
        else:
            name = kind.replace("_", " ").capitalize()
            found["Other parts"] = "\n".join(filter(None, (found.get("Other parts", ""), name)))
    return found


def _text(component: Component) -> str:
    """What stands there: words, a medium, or what is chosen of a template for codes."""
    form = str(component.get("format", "TEXT")).upper()
    if form != "TEXT":
        return form.capitalize()
    if component.get("text"):
        return str(component["text"])
    if component.get("add_security_recommendation"):
        return "With the advice not to share the code"
    minutes = component.get("code_expiration_minutes")
    return f"The code ends after {minutes} minutes" if minutes is not None else ""


def _button(button: Component) -> str:
    """*Call · +1 646 704 3595*"""
    about = (button.get("text"), button.get("url") or button.get("phone_number") or button.get("otp_type"))
    return " · ".join(str(part) for part in about if part) or str(button.get("type", "")).capitalize()


def _newest(unit: Unit, waba_id: str, template: Words) -> TemplateVersion | None:
    statement = select(TemplateVersion).where(*_of(waba_id, template))
    newest = statement.order_by(col(TemplateVersion.at).desc(), col(TemplateVersion.id).desc())
    return unit.session.exec(newest.limit(1)).first()


def _of(waba_id: str, template: Words | Template) -> tuple[Any, ...]:
    return (
        col(TemplateVersion.waba_id) == waba_id,
        col(TemplateVersion.name) == template.name,
        col(TemplateVersion.language) == template.language,
    )
