from datetime import timedelta

import pytest
from sqlalchemy import text

from core.messaging.lists import PERIODS, error_codes, list_again, since
from core.messaging.queries import MessageFilter, list_messages, narrow
from data.enums import Direction
from data.messages import Message
from tests.conftest import Place
from tests.core.desk import HOPELESS, PASSING, Desk

EVERYTHING = MessageFilter()


def ids(desk: Desk, first: str, *, wanted: MessageFilter = EVERYTHING, **bounds: int) -> list[str]:
    with desk.runtime.unit(desk.place.owner) as unit:
        return [row.id for row in list_again(unit, wanted, first=first, **bounds).items]


def test_a_page_asked_again_is_the_same_page_below_what_came_since(desk: Desk) -> None:
    old = desk.queue(4)
    with desk.runtime.unit(desk.place.owner) as unit:
        page = list_messages(unit, EVERYTHING, limit=3)
    first = page.items[0].id
    new = desk.queue(5, first=10)
    with desk.runtime.unit(desk.place.owner) as unit:
        again = list_again(unit, EVERYTHING, first=first, limit=3)
    assert [row.id for row in again.items] == [*reversed(new), *reversed(old[1:])]
    assert again.next_cursor == page.next_cursor == old[1]
    assert ids(desk, first, limit=3, newer=2) == [new[4], new[3], *reversed(old[1:])]


def test_what_no_longer_matches_leaves_the_page(desk: Desk) -> None:
    waiting = desk.queue(2)
    queued = MessageFilter(status="queued")
    assert ids(desk, waiting[1], wanted=queued) == [waiting[1], waiting[0]]
    desk.put_on_the_wire()
    assert ids(desk, waiting[1], wanted=queued) == []


def test_the_errors_of_a_workspace_are_each_told_once(desk: Desk, other_place: Place) -> None:
    for reply in (HOPELESS, PASSING, HOPELESS):
        desk.send_and_get(reply)
    desk.queue(3, first=50)
    with desk.runtime.unit(desk.place.owner) as unit:
        assert error_codes(unit) == {
            "meta_131016": "Service temporarily unavailable",
            "meta_131026": "Cannot be delivered to this number",
        }
    with desk.runtime.unit(other_place.owner) as unit:
        assert error_codes(unit) == {}


def test_a_period_reaches_back_to_the_moment_it_says(desk: Desk) -> None:
    (early,) = desk.queue()
    desk.advance(PERIODS["1h"].total_seconds())
    (at_its_edge,) = desk.queue(first=2)
    with desk.runtime.unit(desk.place.owner) as unit:
        assert since(unit, "1h") == unit.now - timedelta(hours=1)
        assert since(unit, None) is since(unit, "for ever") is None
        found = list_messages(unit, MessageFilter(since=since(unit, "1h"))).items
    assert [row.id for row in found] == [at_its_edge]
    assert early < at_its_edge


@pytest.mark.parametrize(
    "wanted",
    [
        EVERYTHING,
        MessageFilter(status="dead"),
        MessageFilter(direction=Direction.INBOUND),
        MessageFilter(error_code="meta_131026"),
        MessageFilter(phone_number_id="1"),
        MessageFilter(q="order_update"),
    ],
)
def test_every_filter_of_the_page_has_an_index_in_the_order_of_the_list(
    desk: Desk, wanted: MessageFilter
) -> None:
    with desk.runtime.unit(desk.place.owner) as unit:
        if not desk.runtime.database.is_sqlite:
            pytest.skip("PostgreSQL plans by statistics, and this table is all but empty")
        statement = narrow(unit, unit.scoped(Message), wanted).order_by(Message.id.desc()).limit(51)  # type: ignore[attr-defined]
        sql = statement.compile(unit.session.get_bind(), compile_kwargs={"literal_binds": True})
        plan = [row[3] for row in unit.session.execute(text(f"EXPLAIN QUERY PLAN {sql}"))]
    assert all("USING INDEX ix_message_" in step for step in plan), plan
