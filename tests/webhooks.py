"""A webhook's whole way, without HTTP: stored as it would be, applied as the worker would."""

import json
from typing import Any

from sqlmodel import col, func, select

from core.inbox.intake import Arrival, store
from core.inbox.lane import apply_due
from core.ports.bell import Due
from core.runtime import Runtime
from core.unit import Identity
from data.inbox import Delivery

META = Identity(process="webhook")


def deliver(runtime: Runtime, envelope: Any) -> list[str]:
    """The ids of its deliveries, stored and not yet applied."""
    arrival = Arrival.of(json.dumps(envelope).encode(), envelope, received_at=runtime.clock.now())
    with runtime.unit(META, write=True) as unit:
        before = set(unit.session.exec(select(Delivery.id)))
        store(unit, [arrival])
        return sorted(set(unit.session.exec(select(Delivery.id))) - before)


def work_off(runtime: Runtime) -> None:
    """Nothing is pending any more."""
    while apply_due(runtime):
        pass


def hear(runtime: Runtime, envelope: Any) -> int:
    """Takes in one webhook; returns how many of its updates meant something of ours."""
    ids = deliver(runtime, envelope)
    work_off(runtime)
    with runtime.unit(META) as unit:
        counted = select(func.sum(Delivery.updates)).where(col(Delivery.id).in_(ids))
        return unit.session.exec(counted).one() or 0


class WorkingBell:
    """Applies webhooks in the ringing thread, as a very quick worker would."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def ring(self, due: Due = Due.SENDS) -> None:
        if due is Due.WEBHOOKS:
            work_off(self._runtime)

    def waiting(self) -> int:
        return 0
