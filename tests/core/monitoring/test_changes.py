"""Noticing that somebody committed something."""

from collections.abc import Iterator

import pytest

from core.monitoring.changes import Changes
from core.monitoring.commands import beat
from core.runtime import Runtime
from core.team.owners import COMMAND
from core.unit import ANONYMOUS


@pytest.fixture
def changes(runtime: Runtime) -> Iterator[Changes]:
    made = Changes(runtime.database)
    yield made
    made.close()


def commit_something(runtime: Runtime) -> None:
    with runtime.unit(COMMAND, write=True) as unit:
        beat(unit, kind="worker", holder=unit.new_id("test"))


def test_a_commit_changes_the_mark(runtime: Runtime, changes: Changes) -> None:
    before = changes.mark()
    commit_something(runtime)
    after = changes.mark()
    assert after != before
    commit_something(runtime)
    assert changes.mark() not in (before, after)


def test_looking_changes_nothing(runtime: Runtime, changes: Changes) -> None:
    commit_something(runtime)
    changes.mark()
    if not runtime.database.is_sqlite:
        pytest.skip("PostgreSQL's own housekeeping writes too; a mark too many costs one redraw")
    before = changes.mark()
    with runtime.unit(ANONYMOUS):
        pass
    assert changes.mark() == before


def test_it_goes_on_after_its_connection_was_closed(runtime: Runtime, changes: Changes) -> None:
    before = changes.mark()
    changes.close()
    commit_something(runtime)
    assert changes.mark() != before
