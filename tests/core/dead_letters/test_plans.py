"""How the database looks for letters: every filter and every order has an index, however many there are."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event

from core.dead_letters.filters import NOBODY, LetterFilter
from core.dead_letters.lists import LetterSort, find_letters, place_of
from core.ports.meta_errors import ErrorClass
from core.unit import Unit
from data.enums import LetterState
from tests.conftest import PHONE_ID
from tests.core.desk import HOPELESS, Desk

OPEN = LetterState.OPEN


def plan_of(unit: Unit, ask: Callable[[], Any]) -> list[str]:
    """The steps that SQLite takes for every statement that ``ask`` sends."""
    sent: list[tuple[str, Any]] = []
    connection = unit.session.connection()

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    try:
        ask()
    finally:
        event.remove(connection, "before_cursor_execute", note)
    return [
        str(row[3])
        for statement, parameters in sent
        for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
    ]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (LetterFilter(), "ix_dead_letter_state"),
        (LetterFilter(error_code="meta_131026"), "ix_dead_letter_code"),
        (LetterFilter(fingerprint="f"), "ix_dead_letter_fingerprint"),
        (LetterFilter(phone_number_id=PHONE_ID), "ix_dead_letter_phone"),
        (LetterFilter(template_name="order_update"), "ix_dead_letter_template"),
        (LetterFilter(to="+4915112300001"), "ix_dead_letter_recipient"),
        (LetterFilter(attempts=5), "ix_dead_letter_attempts"),
        (LetterFilter(assignee_id="user_1"), "ix_dead_letter_assignee"),
        (LetterFilter(assignee_id=NOBODY), "ix_dead_letter_assignee"),
        (LetterFilter(klass=ErrorClass.PERMANENT), "ix_dead_letter_code"),
        (LetterFilter(last_hours=24), "ix_dead_letter_state"),
    ],
)
def test_every_filter_has_an_index_and_sorts_at_most_a_page(
    desk: Desk, wanted: LetterFilter, index: str
) -> None:
    if not desk.runtime.database.is_sqlite:
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by statistics")
    desk.send_and_get(HOPELESS)
    for state in (OPEN, None):
        with desk.runtime.unit(desk.place.owner) as unit:
            narrowed = replace(wanted, state=state)
            plan = plan_of(unit, partial(find_letters, unit, narrowed, sort=LetterSort.NEWEST, limit=50))
        assert any(index in step for step in plan), plan
        # Without a state the first of each are put in order: pages, not letters.
        is_sorted = any("USE TEMP B-TREE FOR ORDER BY" in step for step in plan)
        assert is_sorted is (state is None), plan
        assert not any(step.startswith("SCAN dead_letter") for step in plan), plan


@pytest.mark.parametrize("sort", list(LetterSort))
def test_every_order_goes_along_an_index_from_wherever_the_page_before_ended(
    desk: Desk, sort: LetterSort
) -> None:
    if not desk.runtime.database.is_sqlite:
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by statistics")
    desk.send_and_get(HOPELESS)
    with desk.runtime.unit(desk.place.owner) as unit:
        (letter,) = find_letters(unit, LetterFilter(state=OPEN), sort=sort, limit=1)
        plan = plan_of(
            unit,
            lambda: find_letters(unit, LetterFilter(state=OPEN), sort=sort, after=place_of(letter), limit=50),
        )
    (step,) = plan
    index = "attempts" if sort.is_by_attempts else "state"
    assert f"ix_dead_letter_{index} (workspace_id=? AND state=?" in step


def test_words_are_found_along_their_index_newest_first(desk: Desk) -> None:
    if not desk.runtime.database.is_sqlite:
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by statistics")
    desk.send_and_get(HOPELESS)
    with desk.runtime.unit(desk.place.owner) as unit:
        wanted = LetterFilter(state=OPEN, q="undeliverable mara")
        plan = plan_of(unit, lambda: find_letters(unit, wanted, sort=LetterSort.NEWEST, limit=50))
    assert plan[0].startswith("SCAN letter_word VIRTUAL TABLE INDEX"), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan
