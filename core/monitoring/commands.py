"""Heartbeats of our processes, and the lease that makes one clock the leader (C2)."""

from datetime import timedelta

from core.unit import Unit
from data.operations import Heartbeat, Lease

CLOCK = "clock"
LEADER_LEASE = timedelta(seconds=15)
FORGOTTEN_AFTER = timedelta(hours=1)


def beat(unit: Unit, *, kind: str, holder: str) -> None:
    """The process is alive now. Rows of processes long gone are dropped."""
    key = f"{kind}@{holder}"
    row = unit.session.get(Heartbeat, key)
    if row is None:
        row = Heartbeat(holder=key, kind=kind, started_at=unit.now, beat_at=unit.now)
        table = Heartbeat.__table__  # type: ignore[attr-defined]
        unit.session.connection().execute(table.delete().where(table.c.beat_at < unit.now - FORGOTTEN_AFTER))
    row.beat_at = unit.now
    unit.session.add(row)


def lead(unit: Unit, *, name: str, holder: str) -> bool:
    """Whether ``holder`` is the leader until ``LEADER_LEASE`` from now: it was, or nobody is."""
    lease = unit.session.get(Lease, name, with_for_update=True)
    if lease is not None and lease.holder != holder and lease.until > unit.now:
        return False
    lease = lease or Lease(name=name, holder=holder, until=unit.now)
    lease.holder = holder
    lease.until = unit.now + LEADER_LEASE
    unit.session.add(lease)
    return True


def step_down(unit: Unit, *, name: str, holder: str) -> None:
    """Another may lead at once."""
    lease = unit.session.get(Lease, name, with_for_update=True)
    if lease is not None and lease.holder == holder:
        unit.session.delete(lease)
