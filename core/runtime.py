"""What every face is handed: settings, database, ports, and units to work in."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlmodel import Session

from core import audit
from core.counts import Counts
from core.errors import Contended, Forbidden, Unavailable
from core.ports.bell import Bell
from core.ports.clock import Clock
from core.ports.graph import Graph
from core.ports.mail import Mailer
from core.ports.unit_guard import unit_is_open
from core.ports.vault import Vault
from core.settings import Settings
from core.together import Together
from core.unit import Actor, Identity, Unit, load_actor
from data.engine import Database

# PostgreSQL's: two that waited for each other, and a lock that was not to be had in time.
STOOD_IN_THE_WAY = {"40P01", "40001", "55P03"}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Runtime:
    """``holder`` names this process in leases. ``together``: by what is written, the writers of what comes
    at the same time. ``throughput_lifted`` is for benchmarks alone: Meta would
    refuse what it lets through."""

    settings: Settings
    database: Database
    clock: Clock
    vault: Vault
    graph: Graph
    bell: Bell
    holder: str
    mail: Mailer
    throughput_lifted: bool = False
    counts: Counts = field(default_factory=Counts, repr=False, compare=False)
    together: defaultdict[str, Together] = field(
        default_factory=lambda: defaultdict(Together), init=False, repr=False, compare=False
    )

    @contextmanager
    def unit(self, identity: Identity, *, write: bool = False) -> Iterator[Unit]:
        """One transaction for one operation: committed at the end, rolled back by any error.

        Raises Unavailable when the database cannot be reached or written. What a unit rings for is rung
        only after the commit. A write that lacked a permission leaves an audit entry.
        """
        engine = self.database.write if write else self.database.read
        opened = unit_is_open.set(True)
        try:
            with Session(engine, expire_on_commit=False) as session:
                now = self.clock.now()
                actor = load_actor(session, identity, now=now, settings=self.settings)
                unit = Unit(
                    session,
                    now,
                    self.settings,
                    self.vault,
                    identity,
                    actor,
                    throughput_lifted=self.throughput_lifted,
                    is_write=write,
                )
                try:
                    yield unit
                except Forbidden as refusal:
                    session.rollback()
                    if write:
                        self._record_refusal(actor, identity, refusal)
                    raise
                if write:
                    session.commit()
        except (OperationalError, InterfaceError) as error:
            log.error("database unavailable", error=str(error.orig))
            raise _refusal(error) from error
        finally:
            unit_is_open.reset(opened)
        for due in unit.rings:
            self.bell.ring(due)
        if unit.counted:
            self.counts.add(unit.counted)

    def _record_refusal(self, actor: Actor, identity: Identity, refusal: Forbidden) -> None:
        with Session(self.database.write) as session:
            audit.append(
                session,
                self.vault,
                at=self.clock.now(),
                workspace_id=actor.workspace_id,
                actor=actor.id,
                action="refused",
                target=str(refusal.facts.get("permission", "")),
                address=identity.address,
                request_id=identity.request_id,
            )
            session.commit()


def _refusal(error: OperationalError | InterfaceError) -> Unavailable:
    if getattr(error.orig, "sqlstate", None) in STOOD_IN_THE_WAY:
        return Contended(
            "Something else was changing the same at that moment. Nothing was half done; try again."
        )
    return Unavailable(_sentence(error))


def _sentence(error: OperationalError | InterfaceError) -> str:
    text = str(error.orig).lower()
    if "locked" in text or "busy" in text:
        return "The database is busy. Nothing was lost or half done; try again in a moment."
    if "full" in text:
        return (
            "The disk that holds the database is full. Nothing was half done; free some space and try again."
        )
    if "readonly" in text or "read-only" in text:
        return "The database cannot be written: its file is read-only. Nothing was half done."
    return "The database cannot be reached right now. Nothing was half done; try again in a moment."
