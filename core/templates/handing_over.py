"""The call by which Meta is handed a template, and what its answer makes of the submission."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from core.errors import Conflict, DomainError, Impossible, Unavailable
from core.phones.queries import waba_of
from core.phones.sync import refusal
from core.ports.graph import Graph
from core.ports.graph_replies import GraphError, ReplyKind
from core.runtime import Runtime
from core.templates import submissions
from core.templates.draft_rules import Problem, problems
from core.templates.drafts import Draft
from core.templates.updates import SOON
from core.unit import Identity, Unit

EXISTS = 2388024
# Meta's subcodes of code 100 that say more than the code does: our code, and a sentence.
_KNOWN: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        EXISTS: (
            "template_exists",
            "Meta has a template of this name in this language already. It is read now: edit that one, or "
            "choose another name.",
        ),
        2388023: (
            "template_being_deleted",
            "Meta is still deleting a template of this name in this language, and takes no new one for up to "
            "30 days. Choose another name.",
        ),
        2388039: (
            "template_not_editable",
            "Meta takes no edit of this template now: it is still being reviewed.",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A submission that was written down, and what the call needs."""

    submission_id: str
    waba_id: str
    token: str


def check(draft: Draft) -> None:
    """Impossible ``template_invalid`` when Meta would refuse it; ``fields`` lists every problem."""
    found = problems(draft)
    if found:
        fields = [{"field": each.where, "message": each.sentence} for each in found]
        raise Impossible(_said(found), code="template_invalid", fields=fields)


async def hand_over(
    runtime: Runtime, identity: Identity, opened: Opened, call: Callable[[Graph], Awaitable[dict[str, Any]]]
) -> dict[str, Any]:
    """Meta's answer. Conflict or Impossible ``meta_…`` when it refuses; Unavailable
    ``template_outcome_unknown`` when nobody can tell whether it took the template."""
    try:
        return await call(runtime.graph)
    except GraphError as error:
        is_known = error.reply.kind is ReplyKind.REFUSED
        subcode = error.reply.subcode
        why = _refusal(error) if is_known else _unknown()
        settle = submissions.refuse if is_known else submissions.lose_sight

        def write() -> None:
            with runtime.unit(identity, write=True) as unit:
                settle(unit, opened.submission_id, code=why.code, sentence=why.sentence)
                if subcode == EXISTS:
                    read_soon(unit, opened.waba_id)

        await asyncio.to_thread(write)
        raise why from None


def _refusal(error: GraphError) -> DomainError:
    known = _KNOWN.get(error.reply.subcode or 0)
    return Conflict(known[1], code=known[0]) if known else refusal(error)


def _unknown() -> DomainError:
    return Unavailable(
        "Meta's answer never came, so it is not known whether it has the template. Waypost looks in a "
        "moment: the list of templates then says so. Nothing that you wrote is lost.",
        code="template_outcome_unknown",
    )


def read_soon(unit: Unit, waba_id: str) -> None:
    waba = waba_of(unit, waba_id)
    if waba.templates_due_at is not None:
        waba.templates_due_at = unit.now + SOON
        unit.session.add(waba)


def _said(found: Sequence[Problem]) -> str:
    """The first problem, and how many more there are."""
    first, more = found[0], len(found) - 1
    rest = f" There {'is 1 more problem' if more == 1 else f'are {more} more problems'}." if more else ""
    return f"{first.where.capitalize()}: {first.sentence}{rest}"
