"""Tokens as people see them: never the token itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import col, func, select

from core.contacts.rules import pretty_number
from core.errors import Malformed
from core.tokens import rules
from core.tokens.due import lease
from core.tokens.rules import TokenState
from core.unit import Unit
from data.enums import HoldCause, HoldScope
from data.messages import DUE, Message
from data.sending import AccessToken, Hold, Phone, Waba

LIFE = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class TokenPhone:
    phone_number_id: str
    name: str
    display_number: str


@dataclass(frozen=True, slots=True)
class TokenView:
    """``scopes`` None: Meta has not said. ``is_working``: somebody has it in hand at this moment. ``left``:
    the share of its life that is to come, 0 to 1; None when it never ends or nobody knows. ``held``: messages
    that wait for it now; ``let_go``: those that waited for its last renewal."""

    id: str
    waba_id: str
    account: str
    phones: tuple[TokenPhone, ...]
    kind: str | None
    scopes: tuple[str, ...] | None
    missing_scopes: tuple[str, ...]
    state: TokenState
    needs_attention: bool
    expires_at: datetime | None
    left: float | None
    replaced_at: datetime
    inspected_at: datetime | None
    refreshed_at: datetime | None
    attempts: int
    attempts_in_all: int
    next_attempt_at: datetime | None
    is_working: bool
    last_error: str | None
    held: int
    let_go: int | None

    @property
    def never_expires(self) -> bool:
        return self.expires_at is None and self.inspected_at is not None


@dataclass(frozen=True, slots=True)
class TokenPage:
    """``missing_settings``: without these nothing is exchanged."""

    items: list[TokenView]
    next_cursor: str | None
    missing_settings: tuple[str, ...]


def list_tokens(unit: Unit, *, cursor: str | None = None, limit: int = 50) -> TokenPage:
    """One an account, in the order in which they were connected."""
    unit.require("tokens.view")
    statement = unit.scoped(AccessToken)
    if cursor is not None:
        if not cursor.startswith("tok_"):
            raise Malformed.field("cursor", "must be the nextCursor of an earlier answer")
        statement = statement.where(col(AccessToken.id) > cursor)
    rows = list(unit.session.exec(statement.order_by(col(AccessToken.id)).limit(limit + 1)))
    views = _views(unit, rows[:limit])
    more = len(rows) > limit
    return TokenPage(views, rows[limit - 1].id if more else None, unit.settings.missing_app_settings)


def get_token(unit: Unit, token_id: str) -> TokenView:
    """NotFound for another workspace's token too."""
    unit.require("tokens.view")
    return _views(unit, [unit.find(AccessToken, token_id, called="token")])[0]


def token_state(unit: Unit, row: AccessToken) -> TokenState:
    return rules.state_of(
        expires_at=row.expires_at,
        is_refused=row.refused_at is not None,
        is_refreshing=row.due_at is not None and _is_wanted(row),
        needs_attention=row.needs_attention,
        now=unit.now,
    )


def _is_wanted(row: AccessToken) -> bool:
    return row.wants_new or row.attempts > 0 or row.new_sealed is not None


def _views(unit: Unit, rows: list[AccessToken]) -> list[TokenView]:
    wabas = [row.waba_id for row in rows]
    accounts = {
        one.id: one.name for one in unit.session.exec(unit.scoped(Waba).where(col(Waba.id).in_(wabas)))
    }
    phones = _phones(unit, wabas)
    held = _held(unit, wabas)
    return [
        _view(
            unit,
            row,
            account=accounts.get(row.waba_id, ""),
            phones=tuple(phones.get(row.waba_id, ())),
            held=held.get(row.waba_id, 0),
        )
        for row in rows
    ]


def _view(
    unit: Unit, row: AccessToken, *, account: str, phones: tuple[TokenPhone, ...], held: int
) -> TokenView:
    is_wanted = _is_wanted(row)
    is_working = row.taken_at is not None and row.due_at == row.taken_at + lease(unit)
    state = token_state(unit, row)
    return TokenView(
        id=row.id,
        waba_id=row.waba_id,
        account=account,
        phones=phones,
        kind=row.kind,
        scopes=None if row.scopes is None else tuple(row.scopes),
        missing_scopes=rules.missing_scopes(row.scopes),
        state=state,
        needs_attention=row.needs_attention or state is TokenState.INVALID,
        expires_at=row.expires_at,
        left=_left(row, now=unit.now),
        replaced_at=row.replaced_at,
        inspected_at=row.inspected_at,
        refreshed_at=row.refreshed_at,
        attempts=row.attempts,
        attempts_in_all=1 + len(unit.settings.waypost_token_refresh_delays),
        next_attempt_at=row.due_at if is_wanted and not is_working else None,
        is_working=is_working,
        last_error=row.last_error,
        held=held,
        let_go=row.let_go,
    )


def _left(row: AccessToken, *, now: datetime) -> float | None:
    """Of the 60 days that Meta gives: *15 days left → 0.25*."""
    if row.expires_at is None:
        return None
    return max(0.0, min(1.0, (row.expires_at - now) / LIFE))


def _phones(unit: Unit, wabas: list[str]) -> dict[str, list[TokenPhone]]:
    found: dict[str, list[TokenPhone]] = {}
    rows = unit.scoped(Phone).where(col(Phone.waba_id).in_(wabas)).order_by(col(Phone.id))
    for phone in unit.session.exec(rows):
        one = TokenPhone(phone.id, phone.verified_name, pretty_number(phone.display_number))
        found.setdefault(phone.waba_id, []).append(one)
    return found


def _held(unit: Unit, wabas: list[str]) -> dict[str, int]:
    """waba id → messages in lanes that are held for its token."""
    is_held = (
        select(Hold.id)
        .where(
            col(Hold.released_at).is_(None),
            col(Hold.scope) == HoldScope.LANE,
            col(Hold.subject) == col(Phone.id),
            col(Hold.cause) == HoldCause.TOKEN,
        )
        .exists()
    )
    counted = (
        select(Phone.waba_id, func.count())
        .join(Message, col(Message.phone_number_id) == col(Phone.id))
        .where(col(Phone.waba_id).in_(wabas), is_held, DUE)
        .group_by(col(Phone.waba_id))
    )
    return {row[0]: row[1] for row in unit.session.exec(counted)}
