"""Taking a template from Meta, in one language or in all."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col

from core.errors import Conflict, DomainError, Unavailable
from core.phones.history import Word
from core.phones.queries import token_of, waba_of
from core.phones.sync import refusal
from core.ports.graph_replies import GraphError, ReplyKind
from core.runtime import Runtime
from core.templates import history, stops
from core.templates.handing_over import read_soon
from core.templates.rules import DELETED
from core.unit import Identity, Unit
from data.enums import ChangeSource, TemplateAspect
from data.sending import Template

# Meta's answer when there is no such template, which is what was wanted.
NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class _Doomed:
    ids: list[str]
    waba_id: str
    name: str
    meta_id: str | None
    token: str
    asked_at: datetime


async def delete(
    runtime: Runtime, identity: Identity, template_id: str, *, all_languages: bool = False
) -> int:
    """Meta has the template no more, and our copies say so; returns in how many languages it was. Impossible
    ``meta_…`` when Meta refuses, Unavailable when its answer never came: the next sync tells."""

    def look() -> _Doomed:
        with runtime.unit(identity, write=True) as unit:
            return _begin(unit, template_id, all_languages=all_languages)

    doomed = await asyncio.to_thread(look)
    try:
        await runtime.graph.delete_template(
            waba_id=doomed.waba_id, token=doomed.token, name=doomed.name, template_id=doomed.meta_id
        )
    except GraphError as error:
        if error.reply.http_status != NOT_FOUND:
            await asyncio.to_thread(_look_soon, runtime, identity, doomed)
            raise _why(error) from None

    def store() -> None:
        with runtime.unit(identity, write=True) as unit:
            _bury(unit, doomed)

    await asyncio.to_thread(store)
    return len(doomed.ids)


def languages_of(unit: Unit, template_id: str) -> list[str]:
    """All in which Meta has a template of that name."""
    unit.require("templates.view")
    template = unit.find(Template, template_id, called="template")
    return [each.language for each in _of_name(unit, template)]


def _begin(unit: Unit, template_id: str, *, all_languages: bool) -> _Doomed:
    unit.require("templates.manage")
    template = unit.find(Template, template_id, called="template")
    if template.status == DELETED:
        raise Conflict("Meta has this template no more.", code="template_deleted")
    if not all_languages and template.meta_id is None:
        raise Conflict("Meta's id of this template is not known yet: sync first.", code="template_unknown_id")
    doomed = _of_name(unit, template) if all_languages else [template]
    languages = "all" if all_languages else template.language
    unit.record(
        "template.deleted", f"template:{template.name}/{template.language}", after={"languages": languages}
    )
    return _Doomed(
        ids=[each.id for each in doomed],
        waba_id=template.waba_id,
        name=template.name,
        meta_id=None if all_languages else template.meta_id,
        token=token_of(unit, waba_id=template.waba_id),
        asked_at=unit.now,
    )


def _of_name(unit: Unit, template: Template) -> Sequence[Template]:
    same = unit.scoped(Template).where(
        col(Template.waba_id) == template.waba_id,
        col(Template.name) == template.name,
        col(Template.status) != DELETED,
    )
    return unit.session.exec(same.order_by(col(Template.language))).all()


def _bury(unit: Unit, doomed: _Doomed) -> None:
    """Our copies stay, for their history."""
    waba = waba_of(unit, doomed.waba_id)
    unit.session.refresh(waba, with_for_update={"key_share": True})
    for template_id in doomed.ids:
        template = unit.find(Template, template_id, called="template", lock=True)
        if template.status != DELETED:
            word = Word(doomed.asked_at, ChangeSource.API)
            history.note(unit, waba, template, (TemplateAspect.STATUS, DELETED), word=word)
            before, template.status = template.status, DELETED
            unit.session.add(template)
            stops.follow(unit, template, before=before)


def _look_soon(runtime: Runtime, identity: Identity, doomed: _Doomed) -> None:
    with runtime.unit(identity, write=True) as unit:
        read_soon(unit, doomed.waba_id)


def _why(error: GraphError) -> DomainError:
    if error.reply.kind is ReplyKind.REFUSED:
        return refusal(error)
    return Unavailable(
        "Meta's answer never came, so it is not known whether the template is deleted. Waypost looks in a "
        "moment.",
        code="template_outcome_unknown",
    )
