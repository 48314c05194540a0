"""Changing a template at Meta: its words are replaced as a whole, and Meta reviews it anew."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

from core.errors import Conflict, Impossible
from core.phones.queries import token_of, waba_of
from core.runtime import Runtime
from core.templates import commands, submissions
from core.templates.drafts import Draft, components_of, read_draft
from core.templates.guard import require_unflagged
from core.templates.handing_over import Opened, check, hand_over
from core.templates.rules import SENDABLE
from core.unit import Identity, Unit
from data.enums import ChangeSource, SubmissionKind
from data.sending import Template
from data.templates import TemplateSubmission

EDITABLE = frozenset({"APPROVED", "REJECTED", "PAUSED"})


@dataclass(frozen=True, slots=True)
class Editable:
    """A template as its form begins. ``why_not``: why Meta takes no edit of it now, or empty.
    ``category_is_fixed``: it was approved."""

    draft: Draft
    waba_id: str
    why_not: str
    category_is_fixed: bool


async def edit(runtime: Runtime, identity: Identity, template_id: str, draft: Draft) -> None:
    """Meta has the new words and reviews them; name and language stay. Refuses as ``create`` does, and with
    Conflict ``template_not_editable`` what Meta would not let be changed now."""

    def open_one() -> tuple[Opened, str, dict[str, Any]]:
        with runtime.unit(identity, write=True) as unit:
            return _open(unit, template_id, draft)

    opened, meta_id, body = await asyncio.to_thread(open_one)
    await hand_over(
        runtime,
        identity,
        opened,
        lambda graph: graph.edit_template(template_id=meta_id, token=opened.token, body=body),
    )

    def store() -> None:
        with runtime.unit(identity, write=True) as unit:
            _store(unit, opened, template_id)

    await asyncio.to_thread(store)


def editable(unit: Unit, template_id: str) -> Editable:
    """What the form of an edit or a copy begins with. Malformed as ``draft_of``."""
    unit.require("templates.manage")
    template = unit.find(Template, template_id, called="template")
    return Editable(
        draft=draft_of(template),
        waba_id=template.waba_id,
        why_not=_why_not(template),
        category_is_fixed=template.status in SENDABLE,
    )


def draft_of(template: Template) -> Draft:
    """The template as it was written. Malformed where Meta gave it a form that nobody here knows."""
    return read_draft(
        name=template.name,
        language=template.language,
        category=template.category,
        components=template.components,
        is_ours=True,
    )


def _why_not(template: Template) -> str:
    if template.status not in EDITABLE:
        return (
            f"Meta takes edits only of templates that are approved, rejected or paused; this one is "
            f"{template.status.lower().replace('_', ' ')}."
        )
    return "" if template.meta_id else "Meta's id of this template is not known yet: sync first."


def _open(unit: Unit, template_id: str, draft: Draft) -> tuple[Opened, str, dict[str, Any]]:
    unit.require("templates.manage")
    require_unflagged(unit)
    template = unit.find(Template, template_id, called="template")
    why_not = _why_not(template)
    if why_not or template.meta_id is None:
        raise Conflict(why_not, code="template_not_editable")
    was_approved = template.status in SENDABLE
    category = template.category if was_approved else draft.category.upper()
    written = replace(draft, name=template.name, language=template.language, category=category)
    check(written)
    before, after = draft_of(template), components_of(written)
    if components_of(before) == after and before.category == category:
        raise Impossible("Nothing has changed: there is nothing to submit.", code="template_unchanged")
    waba = waba_of(unit, template.waba_id)
    row = submissions.open_one(
        unit,
        waba,
        kind=SubmissionKind.EDIT,
        name=template.name,
        language=template.language,
        category=category,
        components=after,
        was_approved=was_approved,
    )
    unit.record(
        "template.edited",
        f"template:{template.name}/{template.language}",
        before={"status": template.status, "category": template.category},
        after={"category": category},
    )
    token = token_of(unit, waba_id=waba.id)
    asked = {"components": after, **({} if was_approved else {"category": category})}
    return Opened(row.id, waba.id, token), template.meta_id, asked


def _store(unit: Unit, opened: Opened, template_id: str) -> None:
    waba = waba_of(unit, opened.waba_id)
    row = unit.session.get_one(TemplateSubmission, opened.submission_id)
    template = unit.find(Template, template_id, called="template")
    submissions.accept(unit, waba, row.id)
    draft = read_draft(name=row.name, language=row.language, category=row.category, components=row.components)
    node = {
        "id": template.meta_id,
        "name": row.name,
        "language": row.language,
        "status": "PENDING",
        "category": row.category,
        "parameter_format": "NAMED" if draft.is_named else "POSITIONAL",
        "components": row.components,
    }
    commands.store(
        unit,
        waba=waba,
        nodes=[node],
        complete=False,
        asked_at=row.asked_at,
        source=ChangeSource.API,
    )
    template.asked_category = row.category
    unit.session.add(template)
