"""Looking whether what holds a lane or a template has passed, without sending anything (Q7)."""

import asyncio
from dataclasses import dataclass
from typing import Any

from sqlmodel import col, select

from core.errors import Conflict
from core.lanes.holding import probe_after, release
from core.phones.queries import token_of
from core.ports.graph_replies import GraphError
from core.runtime import Runtime
from core.unit import Identity, Unit
from data.enums import HoldCause, HoldScope
from data.sending import Hold, Phone, Template

PROBE = Identity(process="probe")
BLOCKED = "BLOCKED"
AT_ONCE = 50
_BY_HEALTH = (HoldCause.PAYMENT, HoldCause.RESTRICTION, HoldCause.REGISTRATION)


@dataclass(frozen=True, slots=True, repr=False)
class _Question:
    """What to ask Meta about a hold: the node, and the token to ask with."""

    hold_id: str
    node_id: str
    token: str


def has_due(unit: Unit) -> bool:
    return unit.session.exec(_due(unit).limit(1)).first() is not None


async def probe(runtime: Runtime) -> None:
    """Every hold by Meta whose probe is due is asked about: it ends when ``health_status`` no longer says
    BLOCKED, else it is asked about again later. A payment, restriction or registration is never tried with a
    message."""
    questions = await asyncio.to_thread(_questions, runtime)
    answers = await asyncio.gather(*(_ask(runtime, one) for one in questions))
    passed = [one.hold_id for one, can_send in zip(questions, answers, strict=True) if can_send]
    if passed:
        await asyncio.to_thread(_release, runtime, passed)


def _questions(runtime: Runtime) -> list[_Question]:
    """Each due hold once, and not again before its next time."""
    questions = []
    with runtime.unit(PROBE, write=True) as unit:
        due = unit.session.exec(_due(unit).limit(AT_ONCE).with_for_update(skip_locked=True)).all()
        for hold in due:
            hold.probes += 1
            hold.probe_at = unit.now + probe_after(hold.probes)
            unit.session.add(hold)
            node = _node(unit, hold)
            if node is not None:
                questions.append(_Question(hold.id, *node))
    return questions


def _due(unit: Unit) -> Any:
    return (
        select(Hold)
        .where(
            col(Hold.released_at).is_(None),
            col(Hold.cause).in_(_BY_HEALTH),
            col(Hold.probe_at) <= unit.now,
        )
        .order_by(col(Hold.probe_at))
    )


def _node(unit: Unit, hold: Hold) -> tuple[str, str] | None:
    """The phone, or for a template its account; None when there is no token to ask with."""
    if hold.scope is HoldScope.LANE:
        phone = unit.session.get(Phone, hold.subject)
        found = (phone.id, phone.waba_id) if phone is not None else None
    else:
        template = unit.session.get(Template, hold.subject)
        found = (template.waba_id, template.waba_id) if template is not None else None
    if found is None:
        return None
    node_id, waba_id = found
    try:
        return node_id, token_of(unit, waba_id=waba_id)
    except Conflict:
        return None


async def _ask(runtime: Runtime, question: _Question) -> bool:
    """Whether Meta says that it can send. No answer is no."""
    try:
        health = await runtime.graph.health(node_id=question.node_id, token=question.token)
    except GraphError:
        return False
    can_send = health.get("can_send_message") if isinstance(health, dict) else None
    return isinstance(can_send, str) and can_send != BLOCKED


def _release(runtime: Runtime, hold_ids: list[str]) -> None:
    with runtime.unit(PROBE, write=True) as unit:
        found = select(Hold).where(col(Hold.id).in_(hold_ids), col(Hold.released_at).is_(None))
        for hold in unit.session.exec(found).all():
            release(unit, scope=hold.scope, subject=hold.subject, only=hold)
        unit.ring()
