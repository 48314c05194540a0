"""The workspace's audit entries as people see them, newest first."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select as select_columns
from sqlmodel import col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from core import audit
from core.audit_log.rules import Change, changes, moments_of_days
from core.errors import Malformed, NotFound, TooMany
from core.unit import Unit
from data.columns import from_micros, to_micros
from data.operations import AuditEntry
from data.people import ApiKey, Member, User, Workspace

NOBODY = "Not signed in"
_NUMBER_MAX = 2**63 - 1
_verifying = threading.Lock()


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What the log is narrowed to; None does not narrow. ``since`` and ``until`` are half-open."""

    actor: str | None = None
    action: str | None = None
    target: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One entry. ``actor_name`` and ``target_name`` are what the person or key is called now; the target's is
    None where only its id is known."""

    number: int
    at: datetime
    actor: str
    actor_name: str
    action: str
    target: str
    target_name: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    address: str | None
    request_id: str | None

    @property
    def changes(self) -> list[Change]:
        return changes(self.before, self.after)


@dataclass(frozen=True, slots=True)
class EntryPage:
    items: list[EntryRow]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class AuditChoices:
    """What the workspace's entries can be narrowed to: actor → name, and the actions there are."""

    actors: dict[str, str]
    actions: list[str]


def list_entries(unit: Unit, wanted: AuditFilter, *, cursor: str | None = None, limit: int = 50) -> EntryPage:
    """Newest first. ``cursor`` is what ``next_cursor`` of the page before said."""
    unit.require("audit.view")
    statement = narrow(unit, wanted)
    if cursor is not None:
        at, number = _read_cursor(cursor)
        statement = statement.where(
            (col(AuditEntry.at) < at) | ((col(AuditEntry.at) == at) & (col(AuditEntry.number) < number))
        )
    entries = list(unit.session.exec(newest_first(statement).limit(limit + 1)))
    more = len(entries) > limit
    return EntryPage(_rows(unit, entries[:limit]), _cursor(entries[limit - 1]) if more else None)


def find_entry(unit: Unit, number: str) -> EntryRow:
    """NotFound for another workspace's entry, as for one that is not there."""
    unit.require("audit.view")
    is_number = number.isascii() and number.isdigit() and int(number) <= _NUMBER_MAX
    statement = unit.scoped(AuditEntry).where(col(AuditEntry.number) == int(number)) if is_number else None
    entry = None if statement is None else unit.session.exec(statement).first()
    if entry is None:
        raise NotFound.of("audit entry")
    return _rows(unit, [entry])[0]


def choices(unit: Unit) -> AuditChoices:
    """One step through the index for each actor and each action, however many entries."""
    unit.require("audit.view")
    actors = list(_distinct(unit, AuditEntry.actor))
    names = _names(unit, actors)
    named = sorted(((actor, _actor_name(actor, names)) for actor in actors), key=lambda each: each[1].lower())
    return AuditChoices(dict(named), list(_distinct(unit, AuditEntry.action)))


def filter_of_days(
    unit: Unit,
    *,
    first: date | None,
    last: date | None,
    actor: str | None = None,
    action: str | None = None,
    target: str | None = None,
) -> AuditFilter:
    """From ``first`` to ``last``, both whole, in the workspace's time zone."""
    since, until = moments_of_days(first, last, zone=ZoneInfo(unit.workspace().timezone))
    return AuditFilter(actor, action, target, since, until)


def verify(unit: Unit) -> audit.Verdict:
    """Whether the chain of all entries, those of other workspaces too, is whole. Long logs take seconds, so a
    process does it for one at a time: TooMany for whoever asks meanwhile."""
    unit.require("audit.view")
    if not _verifying.acquire(blocking=False):
        raise TooMany(
            "The log is being verified already. Try again when that has ended.",
            code="verifying",
            retry_after_s=5,
        )
    try:
        return audit.verify(unit.session, unit.vault)
    finally:
        _verifying.release()


def narrow(unit: Unit, wanted: AuditFilter) -> SelectOfScalar[AuditEntry]:
    statement = unit.scoped(AuditEntry)
    for column, value in (
        (AuditEntry.actor, wanted.actor),
        (AuditEntry.action, wanted.action),
        (AuditEntry.target, wanted.target),
    ):
        if value is not None:
            statement = statement.where(col(column) == value)
    if wanted.since is not None:
        statement = statement.where(col(AuditEntry.at) >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(col(AuditEntry.at) < wanted.until)
    return statement


def newest_first(statement: SelectOfScalar[AuditEntry]) -> SelectOfScalar[AuditEntry]:
    return statement.order_by(col(AuditEntry.at).desc(), col(AuditEntry.number).desc())


def _distinct(unit: Unit, column: Any) -> Iterator[str]:
    mine = col(AuditEntry.workspace_id) == unit.workspace_id
    lowest = func.min(col(column))
    known = select_columns(lowest.label("value")).where(mine).cte("known", recursive=True)
    following = select_columns(lowest).where(mine, col(column) > known.c.value).scalar_subquery()
    known = known.union_all(select_columns(following).where(known.c.value.is_not(None)))
    yield from unit.session.scalars(select_columns(known.c.value).where(known.c.value.is_not(None)))


def _rows(unit: Unit, entries: list[AuditEntry]) -> list[EntryRow]:
    ids = [entry.actor for entry in entries] + [_id_of(entry.target) for entry in entries]
    names = _names(unit, ids)
    return [
        EntryRow(
            number=entry.number,
            at=entry.at,
            actor=entry.actor,
            actor_name=_actor_name(entry.actor, names),
            action=entry.action,
            target=entry.target,
            target_name=names.get(_id_of(entry.target)),
            before=entry.before,
            after=entry.after,
            address=entry.address,
            request_id=entry.request_id,
        )
        for entry in entries
    ]


def _names(unit: Unit, ids: Iterable[str]) -> dict[str, str]:
    """id → name, of the people, members, keys and the workspace among them."""
    wanted = set(ids)
    users = select(User.id, User.name).where(col(User.id).in_(wanted))
    members = (
        select(Member.id, User.name)
        .join(User, col(User.id) == col(Member.user_id))
        .where(col(Member.id).in_(wanted), col(Member.workspace_id) == unit.workspace_id)
    )
    keys = select(ApiKey.id, ApiKey.name).where(
        col(ApiKey.id).in_(wanted), col(ApiKey.workspace_id) == unit.workspace_id
    )
    own = select(Workspace.id, Workspace.name).where(
        col(Workspace.id).in_(wanted), col(Workspace.id) == unit.workspace_id
    )
    return {
        id_: name
        for statement in (users, members, keys, own)
        for id_, name in unit.session.exec(statement).all()
    }


def _actor_name(actor: str, names: dict[str, str]) -> str:
    if actor == "anonymous":
        return NOBODY
    if actor.startswith("process:"):
        return f"Waypost ({actor.removeprefix('process:')})"
    return names.get(actor, actor)


def _id_of(target: str) -> str:
    return target.partition(":")[2]


def _cursor(entry: AuditEntry) -> str:
    return f"{to_micros(entry.at)}.{entry.number}"


def _read_cursor(cursor: str) -> tuple[datetime, int]:
    micros, _, number = cursor.partition(".")
    if not all(part.isascii() and part.isdigit() and len(part) <= 17 for part in (micros, number)):
        raise Malformed.field("cursor", "must be the nextCursor of an earlier answer")
    return from_micros(int(micros)), int(number)
