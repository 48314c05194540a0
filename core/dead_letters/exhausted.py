"""What ran out of attempts, whatever it was: messages, webhooks, token refreshes, mails, as one list."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlmodel import col

from core.contacts.rules import mask_number
from core.dead_letters.filters import LetterFilter
from core.dead_letters.lists import LetterSort, Place, find_letters
from core.errors import Malformed
from core.ids import first_id
from core.ports.meta_errors import explain
from core.tokens.queries import list_tokens
from core.unit import Unit
from data.alerts import Mail
from data.columns import from_micros, to_micros
from data.enums import DeliveryState, LetterState, MailState
from data.inbox import Delivery

TOKENS_MAX = 200


class Kind(StrEnum):
    """What it was that failed, and where it is dealt with."""

    MESSAGE = "message"
    WEBHOOK = "webhook"
    TOKEN = "token"  # noqa: S105 - a kind, not a secret
    MAIL = "mail"


# Who sees which: the same people as on the page of each.
PERMISSIONS = {
    Kind.MESSAGE: "dead_letters.view",
    Kind.WEBHOOK: "webhooks.view",
    Kind.TOKEN: "tokens.view",
    Kind.MAIL: "settings.manage",
}


@dataclass(frozen=True, slots=True)
class Exhausted:
    """``id`` is of the letter, the delivery, the token or the mail. ``subject``: whom or what it was about;
    ``error``: why, in plain words."""

    kind: Kind
    id: str
    at: datetime
    subject: str
    error: str
    error_code: str | None
    attempts: int


@dataclass(frozen=True, slots=True)
class ExhaustedPage:
    items: list[Exhausted]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class _Mark:
    at: datetime
    id: str


def exhausted(
    unit: Unit, *, kinds: Collection[Kind] = tuple(Kind), cursor: str | None = None, limit: int = 50
) -> ExhaustedPage:
    """Newest first, of those kinds that the actor may see; Forbidden for someone who may see none of them."""
    unit.require("queues.view")
    mark = None if cursor is None else _read_mark(cursor)
    found: list[Exhausted] = []
    for kind in Kind:
        if kind in kinds and unit.actor.can(PERMISSIONS[kind]):
            found += [one for one in _SOURCES[kind](unit, mark, limit + 1) if _is_after(one, mark)]
    found.sort(key=lambda one: (one.at, one.id), reverse=True)
    shown = found[:limit]
    return ExhaustedPage(shown, _mark(shown[-1]) if len(found) > limit else None)


def _messages(unit: Unit, mark: _Mark | None, limit: int) -> list[Exhausted]:
    # Of the same moment some may be listed already: those are left out by whoever puts the kinds together.
    after = None if mark is None else Place(0, mark.at, mark.id if mark.id.startswith("dl_") else "dl~")
    letters = find_letters(
        unit, LetterFilter(state=LetterState.OPEN), sort=LetterSort.NEWEST, after=after, limit=limit
    )
    reveals = unit.actor.can("contacts.reveal")
    return [
        Exhausted(
            kind=Kind.MESSAGE,
            id=letter.id,
            at=letter.dead_at,
            subject=letter.recipient if reveals else mask_number(letter.recipient),
            error=explain(letter.error_code).title,
            error_code=letter.error_code,
            attempts=letter.attempts,
        )
        for letter in letters
    ]


def _webhooks(unit: Unit, mark: _Mark | None, limit: int) -> list[Exhausted]:
    statement = unit.scoped(Delivery).where(col(Delivery.state) == DeliveryState.FAILED)
    if mark is not None:
        statement = statement.where(col(Delivery.id) < _last_id("dlv", mark))
    columns = statement.with_only_columns(
        col(Delivery.id),
        col(Delivery.received_at),
        col(Delivery.error),
        col(Delivery.failures),
        col(Delivery.attempts),
    ).order_by(col(Delivery.id).desc())
    return [
        Exhausted(
            kind=Kind.WEBHOOK,
            id=row[0],
            at=row[1],
            subject=f"{row[3]} of its updates" if row[3] != 1 else "One of its updates",
            error=row[2] or "It could not be applied.",
            error_code=None,
            attempts=row[4],
        )
        for row in unit.session.execute(columns.limit(limit))
    ]


def _tokens(unit: Unit, _mark: _Mark | None, _limit: int) -> list[Exhausted]:
    """Few: one an account."""
    return [
        Exhausted(
            kind=Kind.TOKEN,
            id=token.id,
            at=token.inspected_at or token.replaced_at,
            subject=token.account,
            error=token.last_error or "It could not be refreshed.",
            error_code=None,
            attempts=token.attempts,
        )
        for token in list_tokens(unit, limit=TOKENS_MAX).items
        if token.needs_attention
    ]


def _mails(unit: Unit, mark: _Mark | None, limit: int) -> list[Exhausted]:
    statement = unit.scoped(Mail).where(col(Mail.state) == MailState.FAILED)
    if mark is not None:
        statement = statement.where(col(Mail.id) < _last_id("mail", mark))
    return [
        Exhausted(
            kind=Kind.MAIL,
            id=mail.id,
            at=mail.created_at,
            subject=f"{mail.subject}, to {mail.recipient}",
            error=mail.last_error or "It could not be delivered.",
            error_code=None,
            attempts=mail.attempts,
        )
        for mail in unit.session.exec(statement.order_by(col(Mail.id).desc()).limit(limit))
    ]


_SOURCES: dict[Kind, Callable[[Unit, _Mark | None, int], list[Exhausted]]] = {
    Kind.MESSAGE: _messages,
    Kind.WEBHOOK: _webhooks,
    Kind.TOKEN: _tokens,
    Kind.MAIL: _mails,
}


def _is_after(one: Exhausted, mark: _Mark | None) -> bool:
    return mark is None or (one.at, one.id) < (mark.at, mark.id)


def _last_id(prefix: str, mark: _Mark) -> str:
    """Ids below this one are not newer than the mark."""
    return (
        mark.id if mark.id.startswith(f"{prefix}_") else first_id(prefix, from_micros(to_micros(mark.at) + 1))
    )


def _mark(one: Exhausted) -> str:
    return f"{to_micros(one.at)}.{one.id}"


def _read_mark(cursor: str) -> _Mark:
    found = re.fullmatch(r"(\d{1,17})\.(\w{1,64})", cursor, re.ASCII)
    if found is None:
        raise Malformed.field("cursor", "must be the nextCursor of an earlier answer")
    return _Mark(from_micros(int(found[1])), found[2])
