"""Which tokens are to be looked at now, and who looks at them (K1, K4)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlmodel import col, func, select, update

from core.tokens import rules
from core.tokens.renewal import token_holds
from core.tokens.telling import needs_person
from core.unit import Unit
from data.enums import HoldCause, HoldScope
from data.sending import AccessToken, Hold, Phone

AT_MOST = 20
# A turn makes four calls at most, and writes down what came of each.
CALLS = 4
SLACK_S = 10.0
STILL_REFUSED = "Meta goes on refusing sends, although the token works and was renewed."


@dataclass(frozen=True, slots=True)
class Turn:
    """A token that is ours for a while. ``number`` fences: whoever took it later has a higher one."""

    token_id: str
    workspace_id: str
    waba_id: str
    number: int


def has_due(unit: Unit) -> bool:
    """Whether any token is to be looked at: what the clock asks every second."""
    statements = (_due(unit), _never_seen(), _refused_by_a_send())
    return any(unit.session.exec(one.limit(1)).first() is not None for one in statements)


def sweep_all(unit: Unit) -> int:
    """Every token is looked at as soon as possible, but for those that wait for a retry; returns how many."""
    waking = update(AccessToken).where(col(AccessToken.due_at).is_(None)).values(due_at=unit.now)
    return unit.session.exec(waking).rowcount


def take_due(unit: Unit) -> list[Turn]:
    """Those whose time has come, longest due first, at most 20; each is due again if nobody tells of it by
    the end of its lease.

    Due are: what waited for a retry, what a sweep woke, what no one looked at yet, and what a send was
    refused with.
    """
    for token in unit.session.exec(_refused_by_a_send().limit(AT_MOST).with_for_update(skip_locked=True)):
        token.wants_new = True
        wait = _wait_in_same_trouble(unit, token)
        if wait is None:
            needs_person(unit, token, STILL_REFUSED)
        else:
            token.due_at = unit.now + wait
        unit.session.add(token)
    unit.session.flush()
    for token in unit.session.exec(_never_seen().limit(AT_MOST).with_for_update(skip_locked=True)):
        token.due_at = unit.now
        unit.session.add(token)
    unit.session.flush()
    ordered = _due(unit).order_by(col(AccessToken.due_at), col(AccessToken.id)).limit(AT_MOST)
    taken = list(unit.session.exec(ordered.with_for_update(skip_locked=True)))
    for token in taken:
        token.turn += 1
        token.taken_at = unit.now
        token.due_at = unit.now + lease(unit)
        unit.session.add(token)
    return [Turn(token.id, token.workspace_id, token.waba_id, token.turn) for token in taken]


def lease(unit: Unit) -> timedelta:
    """How long a turn is ours."""
    return timedelta(seconds=CALLS * unit.settings.waypost_graph_timeout + SLACK_S)


def mine(unit: Unit, turn: Turn) -> AccessToken | None:
    """The row, for this transaction; None when another took it up, or a person replaced it, meanwhile."""
    token = unit.session.get(AccessToken, turn.token_id, with_for_update=True)
    return token if token is not None and token.turn == turn.number else None


def _due(unit: Unit) -> Any:
    return select(AccessToken).where(col(AccessToken.due_at) <= unit.now)


def _never_seen() -> Any:
    return select(AccessToken).where(col(AccessToken.due_at).is_(None), col(AccessToken.taken_at).is_(None))


def _refused_by_a_send() -> Any:
    """Tokens for which a lane is held and nothing is under way. Those that a person must see to are left to
    the sweep."""
    return select(AccessToken).where(
        col(AccessToken.due_at).is_(None),
        col(AccessToken.needs_attention).is_(False),
        token_holds(col(AccessToken.waba_id)).exists(),
    )


def _wait_in_same_trouble(unit: Unit, token: AccessToken) -> timedelta | None:
    """No time at first. Refused again soon after a renewal had released its lanes, it waits as after so many
    failures: what was on the wire with the old token looks the same, and is over by then."""
    released = (
        select(func.count(func.distinct(Hold.released_at)))
        .join(Phone, col(Phone.id) == col(Hold.subject))
        .where(
            col(Hold.scope) == HoldScope.LANE,
            col(Hold.cause) == HoldCause.TOKEN,
            col(Hold.released_at) > unit.now - rules.SAME_TROUBLE,
            col(Hold.released_by).startswith("process:"),
            col(Phone.waba_id) == token.waba_id,
        )
    )
    times = unit.session.exec(released).one()
    delays = unit.settings.waypost_token_refresh_delays
    return rules.wait_after(times, delays=delays) if times else timedelta(0)
