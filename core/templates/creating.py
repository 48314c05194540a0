"""Making a template at Meta: checked, written down, handed over; pending until Meta's verdict comes."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

from sqlmodel import col, select

from core.errors import Conflict, Impossible
from core.phones.queries import token_of, waba_of
from core.runtime import Runtime
from core.templates import commands, metrics, submissions
from core.templates.drafts import Draft, components_of
from core.templates.guard import require_unflagged
from core.templates.handing_over import Opened, check, hand_over
from core.templates.rules import DELETED
from core.unit import Identity, Unit
from data.enums import ChangeSource, SubmissionKind, TemplateEvent
from data.sending import Template, Waba
from data.templates import TemplateSubmission


@dataclass(frozen=True, slots=True)
class Made:
    """``meta_id``: Meta's id. ``category``: the one that Meta gave, which may be another than asked for."""

    template_id: str
    meta_id: str | None
    name: str
    status: str
    category: str


async def create(runtime: Runtime, identity: Identity, draft: Draft, *, waba_id: str | None = None) -> Made:
    """Meta has the template and reviews it. ``waba_id`` may be left out where there is one account.

    Impossible ``template_invalid`` for what Meta would refuse, Conflict ``template_exists``, TooMany at its
    limit, Impossible ``meta_…`` when it refuses, Unavailable when its answer never came.
    """
    written = replace(draft, name=draft.name.strip(), category=draft.category.upper())

    def open_one() -> Opened:
        with runtime.unit(identity, write=True) as unit:
            return _open(unit, written, waba_id)

    opened = await asyncio.to_thread(open_one)
    body = _body(written)
    answer = await hand_over(
        runtime,
        identity,
        opened,
        lambda graph: graph.create_template(waba_id=opened.waba_id, token=opened.token, body=body),
    )

    def store() -> Made:
        with runtime.unit(identity, write=True) as unit:
            return _store(unit, opened, body, answer)

    return await asyncio.to_thread(store)


def _open(unit: Unit, draft: Draft, waba_id: str | None) -> Opened:
    unit.require("templates.manage")
    require_unflagged(unit)
    check(draft)
    waba = waba_of(unit, waba_id) if waba_id is not None else only_waba(unit)
    token = token_of(unit, waba_id=waba.id)
    row = submissions.open_one(
        unit,
        waba,
        kind=SubmissionKind.CREATE,
        name=draft.name,
        language=draft.language,
        category=draft.category,
        components=components_of(draft),
    )
    _refuse_existing(unit, waba, draft)
    unit.record(
        "template.submitted", f"template:{draft.name}/{draft.language}", after={"category": draft.category}
    )
    return Opened(row.id, waba.id, token)


def _refuse_existing(unit: Unit, waba: Waba, draft: Draft) -> None:
    same = select(Template.id).where(
        col(Template.waba_id) == waba.id,
        col(Template.name) == draft.name,
        col(Template.language) == draft.language,
        col(Template.status) != DELETED,
    )
    if unit.session.exec(same).first() is not None:
        raise Conflict(
            f"There is a template “{draft.name}” in {draft.language} already. Edit that one, or choose "
            "another name.",
            code="template_exists",
        )


def only_waba(unit: Unit) -> Waba:
    """The workspace's only account; Impossible when it has none, or several."""
    found = list(unit.session.exec(unit.scoped(Waba).order_by(col(Waba.id)).limit(2)))
    if len(found) == 1:
        return found[0]
    sentence = (
        "This workspace has several accounts: say which, in wabaId."
        if found
        else "This workspace has no WhatsApp Business Account yet. Connect one first."
    )
    raise Impossible(sentence, code="waba_required")


def _body(draft: Draft) -> dict[str, Any]:
    named = {"parameter_format": "NAMED"} if draft.is_named else {}
    return {
        "name": draft.name,
        "language": draft.language,
        "category": draft.category,
        **named,
        "components": components_of(draft),
    }


def _store(unit: Unit, opened: Opened, body: dict[str, Any], answer: dict[str, Any]) -> Made:
    """Our copy, as Meta answered; what it told since the call holds."""
    waba = waba_of(unit, opened.waba_id)
    row = unit.session.get_one(TemplateSubmission, opened.submission_id)
    submissions.accept(unit, waba, row.id)
    if (meta_id := answer.get("id")) is not None:
        metrics.record(unit, str(meta_id), TemplateEvent.CREATED, at=row.asked_at, source=ChangeSource.API)
    node = {"status": "PENDING", **body, **{key: answer[key] for key in _ANSWERED if answer.get(key)}}
    commands.store(
        unit,
        waba=waba,
        nodes=[node],
        complete=False,
        asked_at=row.asked_at,
        source=ChangeSource.API,
    )
    template = unit.session.exec(
        select(Template).where(
            col(Template.waba_id) == waba.id,
            col(Template.name) == row.name,
            col(Template.language) == row.language,
        )
    ).one()
    template.asked_category = row.category
    unit.session.add(template)
    return Made(template.id, template.meta_id, template.name, template.status, template.category)


_ANSWERED = ("id", "status", "category")
