"""Heartbeats of our processes, what they counted, and the lease that makes one clock the leader (C2)."""

from datetime import timedelta

from sqlalchemy import text

from core.errors import Unavailable
from core.runtime import Runtime
from core.unit import Identity, Unit
from data.columns import to_micros
from data.operations import Heartbeat, Lease

WEB, CLOCK, STANDBY, WORKER, INBOX = "web", "clock", "standby", "worker", "inbox"
LEADER_LEASE = timedelta(seconds=15)
FORGOTTEN_AFTER = timedelta(hours=1)
_BEGIN_LEASE = text(
    "INSERT INTO lease (name, holder, until) VALUES (:name, :holder, :until) ON CONFLICT (name) DO NOTHING"
)
COUNTER = Identity(process="counter")
_COUNT = text(
    "INSERT INTO tally (name, label, count) VALUES (:name, :label, :count) "
    "ON CONFLICT (name, label) DO UPDATE SET count = tally.count + excluded.count"
)


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


def beat_clock(unit: Unit, *, holder: str) -> None:
    """A clock process is alive: the one that leads as *clock*, one that stands by as *standby*."""
    leads = is_leader(unit, name=CLOCK, holder=holder)
    beat(unit, kind=CLOCK if leads else STANDBY, holder=holder)


def write_counts(runtime: Runtime) -> None:
    """What this process counted since the last time is added to what all have (``core/counts.py``)."""
    counted = runtime.counts.take()
    if not counted:
        return
    rows = [{"name": name, "label": label, "count": counted[name, label]} for name, label in sorted(counted)]
    try:
        with runtime.unit(COUNTER, write=True) as unit:
            unit.session.connection().execute(_COUNT, rows)
    except Unavailable:
        runtime.counts.add(counted)
        raise


def lead(unit: Unit, *, name: str, holder: str, lasts: timedelta = LEADER_LEASE) -> bool:
    """Whether ``holder`` is the leader until ``lasts`` from now: it was, or nobody is."""
    # Two that begin together both find none: one's row is the other's too.
    first = {"name": name, "holder": holder, "until": to_micros(unit.now)}
    unit.session.connection().execute(_BEGIN_LEASE, first)
    lease = unit.session.get_one(Lease, name, with_for_update=True)
    # One that lasts for longer than any is given was given before the clock was set back.
    if lease.holder != holder and unit.now < lease.until <= unit.now + 2 * lasts:
        return False
    lease.holder = holder
    lease.until = unit.now + lasts
    unit.session.add(lease)
    return True


def is_leader(unit: Unit, *, name: str, holder: str) -> bool:
    """Whether it leads, and goes on to until the end of this transaction."""
    lease = unit.session.get(Lease, name, with_for_update=True)
    return lease is not None and lease.holder == holder and lease.until > unit.now


def step_down(unit: Unit, *, name: str, holder: str) -> None:
    """Another may lead at once."""
    lease = unit.session.get(Lease, name, with_for_update=True)
    if lease is not None and lease.holder == holder:
        unit.session.delete(lease)
