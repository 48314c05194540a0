"""Whose turn it is to be read from Meta, for each kind of reading: of accounts, of their templates."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import InstrumentedAttribute
from sqlmodel import col, select, update

from core.errors import DomainError
from core.phones.queries import waba_of
from core.runtime import Runtime
from core.unit import Identity, Unit
from data.sending import Waba

AT_ONCE = 4
AT_MOST = 100
AGAIN_AFTER = timedelta(minutes=5)
ERROR_MAX = 500

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DueAccount:
    waba_id: str
    workspace_id: str


@dataclass(frozen=True, slots=True)
class Reading:
    """``due_at`` and ``error`` name the columns of an account; ``read(runtime, identity, waba_id)`` reads
    it, and raises DomainError when it cannot; then it is tried again after ``again_after``."""

    due_at: str
    error: str
    read: Callable[[Runtime, Identity, str], Awaitable[object]]
    again_after: timedelta = AGAIN_AFTER

    def has_due(self, unit: Unit) -> bool:
        """Whether the time of any account has come."""
        due = select(Waba.id).where(col(self._due_at) <= unit.now)
        return unit.session.exec(due.limit(1)).first() is not None

    def take_due(self, unit: Unit) -> list[DueAccount]:
        """The accounts whose time has come, longest due first, at most 100. They count as read from now on:
        one that cannot be read comes again in 5 minutes, or after what is said here."""
        due = (
            select(Waba)
            .where(col(self._due_at) <= unit.now)
            .order_by(col(self._due_at), col(Waba.id))
            .limit(AT_MOST)
            .with_for_update(skip_locked=True)
        )
        taken = list(unit.session.exec(due))
        for waba in taken:
            setattr(waba, self.due_at, unit.now + self.again_after)
            unit.session.add(waba)
        return [DueAccount(waba.id, waba.workspace_id) for waba in taken]

    def make_all_due(self, unit: Unit) -> None:
        """Every account that is read by itself is read as soon as may be."""
        known = update(Waba).where(col(self._due_at).is_not(None))
        unit.session.exec(known.values({self.due_at: unit.now}))

    async def read_all(self, runtime: Runtime, identity: Identity, accounts: list[DueAccount]) -> None:
        """Each is read; why one could not be stands beside it and holds up no other."""
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(account: DueAccount) -> None:
            within = replace(identity, workspace_id=account.workspace_id)
            async with limit:
                try:
                    await self.read(runtime, within, account.waba_id)
                except DomainError as error:
                    log.warning(
                        "an account could not be read",
                        waba=account.waba_id,
                        reason=error.sentence,
                        due=self.due_at,
                    )
                    await asyncio.to_thread(self._fail, runtime, within, account.waba_id, error.sentence)

        await asyncio.gather(*(one(account) for account in accounts))

    @property
    def _due_at(self) -> InstrumentedAttribute[datetime | None]:
        column: InstrumentedAttribute[datetime | None] = getattr(Waba, self.due_at)
        return column

    def _fail(self, runtime: Runtime, identity: Identity, waba_id: str, sentence: str) -> None:
        with runtime.unit(identity, write=True) as unit:
            waba = waba_of(unit, waba_id)
            setattr(waba, self.error, sentence[:ERROR_MAX])
            unit.session.add(waba)
