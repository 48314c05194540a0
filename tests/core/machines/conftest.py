"""An empty database for each run of a machine, and how often machines run."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from core import access
from core.errors import DomainError, Forbidden
from core.ports.clock import FrozenClock
from core.runtime import Runtime
from data.enums import Role
from tests.conftest import Places
from tests.core.desk import Desk
from tests.moulds import sweep

Begin = Callable[[], Desk]
Act = Callable[..., object]
# The same steps each time: what these find once they find again. The long form looks further.
SHORT = settings(
    max_examples=6,
    stateful_step_count=25,
    deadline=None,
    phases=[Phase.generate],  # a run takes too long to be made shorter: 25 steps are read as they are
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
LONG = settings(SHORT, max_examples=100, stateful_step_count=60, derandomize=False)
HOW_LONG = [pytest.param(SHORT, id="short"), pytest.param(LONG, id="long", marks=pytest.mark.long)]


@pytest.fixture
def begin(runtime: Runtime, clock: FrozenClock, migrated_sqlite: Path, places: Places) -> Begin:
    """A desk in a workspace that is as new, always at the same moment."""
    start = clock.now()

    def anew() -> Desk:
        clock.advance((start - clock.now()).total_seconds())
        database = runtime.database
        if database.is_sqlite:
            database.dispose()
            for path in database.path.parent.iterdir():
                path.unlink()
            shutil.copy(migrated_sqlite, database.path)
        else:
            sweep(database)
        return Desk(runtime, places.put(runtime))

    return anew


def carry_out(desk: Desk, permission: str, role: Role, act: Act) -> bool:
    """Whether it was done: refused to those who may not, and to others only where it is impossible."""
    may = role in access.who_can(permission)
    try:
        with desk.runtime.unit(desk.place.acting(role), write=True) as unit:
            act(unit)
    except Forbidden:
        assert not may, f"{role} may {permission}"
        return False
    except DomainError:
        assert may, f"{role} was told more than that they may not {permission}"
        return False
    assert may, f"{role} did what needs {permission}"
    return True
