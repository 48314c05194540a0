"""The state of lanes: who is held, and how fast each may go."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, TextClause
from sqlmodel import col, func, or_, select

from core import access
from core.billing.plans import plans_in_force
from core.lanes.rules import Throughput, limit_per_second, measure
from core.templates.rules import SENDABLE
from core.unit import Unit
from data.enums import HoldCause, HoldScope, PlanName
from data.messages import DUE, PARKED, Message
from data.people import ApiKey, User, Workspace
from data.sending import Hold, Lane, Phone, Template


@dataclass(frozen=True, slots=True)
class HoldView:
    """Why something waits, since when, and on whose word. ``held_by_name`` is None where it was no person's
    and no key's word of this workspace."""

    scope: HoldScope
    subject: str
    cause: HoldCause
    reason: str
    held_at: datetime
    held_by: str | None
    error_code: str | None
    held_by_name: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A hold with the name of what it holds, and how many messages it keeps: those that its release offers to
    send."""

    hold: HoldView
    name: str
    waits: int


@dataclass(frozen=True, slots=True)
class Pausable:
    """A template that can be held, and how many messages would wait for it."""

    template_id: str
    name: str
    language: str
    waits: int


def holds(unit: Unit) -> list[HoldView]:
    """The active holds of the workspace, newest first, and those of everything."""
    statement = (
        select(Hold, User.name, ApiKey.name)
        .outerjoin(User, col(User.id) == col(Hold.held_by))
        .outerjoin(ApiKey, col(ApiKey.id) == col(Hold.held_by))
        .where(
            col(Hold.released_at).is_(None),
            or_(col(Hold.workspace_id) == unit.workspace_id, col(Hold.scope) == HoldScope.EVERYTHING),
        )
        .order_by(col(Hold.held_at).desc())
        .limit(200)
    )
    return [
        HoldView(
            scope=row.scope,
            subject=row.subject,
            cause=row.cause,
            reason=row.reason,
            held_at=row.held_at,
            held_by=row.held_by,
            error_code=row.error_code,
            held_by_name=None if row.scope is HoldScope.EVERYTHING else person or key,
            until=row.until,
        )
        for row, person, key in unit.session.exec(statement)
    ]


def held(unit: Unit) -> list[Held]:
    """What is held of the workspace, newest first, and what it keeps waiting."""
    unit.require("queues.view")
    active = holds(unit)
    lanes, paused = _subjects(active, HoldScope.LANE), _subjects(active, HoldScope.TEMPLATE)
    phones = {row.id: row for row in unit.session.exec(unit.scoped(Phone).where(col(Phone.id).in_(lanes)))}
    templates = {
        row.id: row for row in unit.session.exec(unit.scoped(Template).where(col(Template.id).in_(paused)))
    }
    by_phone = _waiting_by_phone(unit)
    by_template = _due_by_template(unit, PARKED) if templates else {}
    found = []
    for one in active:
        if one.scope is HoldScope.LANE and one.subject in phones:
            found.append(Held(one, phones[one.subject].verified_name, by_phone.get(one.subject, 0)))
        elif one.scope is HoldScope.TEMPLATE and one.subject in templates:
            template = templates[one.subject]
            waits = by_template.get((template.waba_id, template.name, template.language), 0)
            found.append(Held(one, f"{template.name} ({template.language})", waits))
        elif one.scope is HoldScope.WORKSPACE:
            found.append(Held(one, "The whole queue", sum(by_phone.values())))
        elif one.scope is HoldScope.EVERYTHING:
            found.append(Held(one, "Every workspace", sum(by_phone.values())))
    return found


def _subjects(active: list[HoldView], scope: HoldScope) -> set[str]:
    return {one.subject for one in active if one.scope is scope}


def _waiting_by_phone(unit: Unit) -> dict[str, int]:
    """phone → its messages that are due now or later."""
    lanes = select(Lane.phone_number_id).where(col(Lane.workspace_id) == unit.workspace_id)
    counted = (
        select(Message.phone_number_id, func.count())
        .where(col(Message.phone_number_id).in_(lanes), DUE)
        .group_by(col(Message.phone_number_id))
    )
    return {row[0]: row[1] for row in unit.session.exec(counted)}


def _due_by_template(
    unit: Unit, *narrower: ColumnElement[bool] | TextClause | bool
) -> dict[tuple[str, str | None, str | None], int]:
    """(waba, name, language) → the messages of that template that are due now or later."""
    counted = (
        select(Phone.waba_id, Message.template_name, Message.template_language, func.count())
        .join(Phone, col(Phone.id) == col(Message.phone_number_id))
        .where(col(Phone.workspace_id) == unit.workspace_id, DUE, *narrower)
        .group_by(col(Phone.waba_id), col(Message.template_name), col(Message.template_language))
    )
    return {(row[0], row[1], row[2]): row[3] for row in unit.session.exec(counted)}


def waiting_for_template(unit: Unit, template_id: str, *, all_languages: bool = False) -> int:
    """How many messages of the template are due now or later."""
    unit.require("templates.view")
    template = unit.find(Template, template_id, called="template")
    narrower = [col(Message.template_name) == template.name, col(Phone.waba_id) == template.waba_id]
    if not all_languages:
        narrower.append(col(Message.template_language) == template.language)
    return sum(_due_by_template(unit, *narrower).values())


def pausable_templates(unit: Unit) -> list[Pausable]:
    """The templates of the workspace that may be sent and are not held, by name and language."""
    unit.require("queues.pause")
    held_ids = select(Hold.subject).where(
        col(Hold.scope) == HoldScope.TEMPLATE, col(Hold.released_at).is_(None)
    )
    found = unit.session.exec(
        unit.scoped(Template)
        .where(col(Template.status).in_(SENDABLE), col(Template.id).not_in(held_ids))
        .order_by(col(Template.name), col(Template.language), col(Template.id))
        .limit(500)
    ).all()
    counts = _due_by_template(unit)
    return [
        Pausable(row.id, row.name, row.language, counts.get((row.waba_id, row.name, row.language), 0))
        for row in found
    ]


def workspaces_in_all(unit: Unit) -> int:
    """How many a pause of everything stops."""
    unit.require(access.PLATFORM_ADMIN)
    return unit.session.exec(select(func.count()).select_from(Workspace)).one()


def is_held(unit: Unit, *, phone_number_id: str, workspace_id: str) -> bool:
    """Whether the lane, its workspace or everything is held."""
    statement = select(Hold.id).where(
        col(Hold.released_at).is_(None),
        or_(
            (col(Hold.scope) == HoldScope.LANE) & (col(Hold.subject) == phone_number_id),
            (col(Hold.scope) == HoldScope.WORKSPACE) & (col(Hold.subject) == workspace_id),
            col(Hold.scope) == HoldScope.EVERYTHING,
        ),
    )
    return unit.session.exec(statement.limit(1)).first() is not None


def held_templates(unit: Unit) -> frozenset[str]:
    """The ids of those that are held, of any account."""
    statement = select(Hold.subject).where(
        col(Hold.scope) == HoldScope.TEMPLATE, col(Hold.released_at).is_(None)
    )
    return frozenset(unit.session.exec(statement))


def lane_limit(unit: Unit, phone: Phone) -> tuple[int, PlanName]:
    """Messages a second for the phone, and the plan that says so."""
    whose = phone.workspace_id
    workspace = unit.once("workspace", whose, ask=lambda: unit.session.get_one(Workspace, whose))
    plan = unit.once("plans", ask=lambda: plans_in_force(unit.session, at=unit.now))[workspace.plan]
    limit = limit_per_second(
        plan_limit=plan.messages_per_second, level=phone.throughput_level, own_limit=phone.own_limit
    )
    return limit, workspace.plan


def throughput(unit: Unit, phone: Phone) -> Throughput:
    """The pace of the phone now."""
    lane = unit.session.get_one(Lane, phone.id)
    limit, _ = lane_limit(unit, phone)
    return measure(lane.slots, limit=limit, now=unit.now)
