"""Saved views: a filter with a name, for oneself or for the team."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, func, or_, select

from core.dead_letters.filters import LetterFilter, check_filter, filter_json, read_filter
from core.dead_letters.search import Find, read_search
from core.errors import Conflict, Forbidden, Impossible, NotFound
from core.unit import Unit
from data.letters import SavedView
from data.people import User

NAME_MAX = 80
VIEWS_MAX = 100


@dataclass(frozen=True, slots=True)
class ViewRow:
    """``owner_name`` is None where a key made it."""

    id: str
    name: str
    wanted: LetterFilter
    is_shared: bool
    owner_name: str | None
    created_at: datetime
    can_delete: bool


def list_views(unit: Unit) -> list[ViewRow]:
    """One's own and the shared ones, by name. Another's view of one number is only for those who may see
    numbers."""
    unit.require("dead_letters.view")
    statement = (
        select(SavedView, User.name)
        .outerjoin(User, col(User.id) == col(SavedView.owner_id))
        .where(
            col(SavedView.workspace_id) == unit.workspace_id,
            or_(col(SavedView.is_shared), col(SavedView.owner_id) == unit.actor.user_id),
        )
        .order_by(func.lower(col(SavedView.name)), col(SavedView.id))
    )
    reveals = unit.actor.can("contacts.reveal")
    found = []
    for view, owner in unit.session.exec(statement):
        wanted = read_filter(view.wanted)
        if reveals or _is_mine(unit, view) or not _names_a_number(wanted):
            found.append(_row(unit, view, wanted, owner))
    return found


def save_view(unit: Unit, *, name: str, wanted: LetterFilter, is_shared: bool = False) -> SavedView:
    """Kept under that name; Conflict ``view_exists`` where one that the actor sees has it. Hours that count
    back from now go on doing so. A key's view is shared: it has no person; one of a number is shared by those
    who may see numbers."""
    shares = is_shared or unit.actor.user_id is None
    unit.require("dead_letters.annotate" if shares else "dead_letters.view")
    if shares and _names_a_number(wanted):
        unit.require("contacts.reveal")
    check_filter(wanted)
    named = name.strip()
    if not named or len(named) > NAME_MAX:
        raise Impossible(f"Give it a name of at most {NAME_MAX} characters.", code="view_name")
    seen = list_views(unit)
    if any(view.name.casefold() == named.casefold() for view in seen):
        raise Conflict(f"There is a view “{named}” already.", code="view_exists")
    if len(seen) >= VIEWS_MAX:
        raise Conflict(f"There are {VIEWS_MAX} views. Delete one first.", code="too_many_views")
    view = SavedView(
        id=unit.new_id("view"),
        workspace_id=unit.workspace_id,
        owner_id=unit.actor.user_id,
        name=named,
        wanted=filter_json(wanted),
        is_shared=shares,
        created_at=unit.now,
    )
    unit.session.add(view)
    unit.record("dead_letter_view.saved", f"view:{view.id}", after={"name": named, "shared": shares})
    return view


def delete_view(unit: Unit, view_id: str) -> None:
    """Gone, for all. One's own, or a shared one by whoever may redrive many at once."""
    unit.require("dead_letters.view")
    view = unit.find(SavedView, view_id, called="view")
    is_mine = _is_mine(unit, view)
    if not is_mine and not view.is_shared:
        raise NotFound.of("view")
    if not is_mine and not unit.actor.can("dead_letters.bulk_redrive"):
        raise Forbidden("Only who made a view deletes it.", permission="dead_letters.bulk_redrive")
    unit.session.delete(view)
    unit.record("dead_letter_view.deleted", f"view:{view.id}", before={"name": view.name})


def _names_a_number(wanted: LetterFilter) -> bool:
    return wanted.to is not None or (wanted.q is not None and read_search(wanted.q)[0] is Find.NUMBER)


def _is_mine(unit: Unit, view: SavedView) -> bool:
    return view.owner_id is not None and view.owner_id == unit.actor.user_id


def _row(unit: Unit, view: SavedView, wanted: LetterFilter, owner: str | None) -> ViewRow:
    return ViewRow(
        id=view.id,
        name=view.name,
        wanted=wanted,
        is_shared=view.is_shared,
        owner_name=owner,
        created_at=view.created_at,
        can_delete=_is_mine(unit, view) or unit.actor.can("dead_letters.bulk_redrive"),
    )
