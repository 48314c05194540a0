"""Webhooks as people see them: only their own, from indexes, with everything that each said."""

from typing import Any

import pytest
from sqlalchemy import text

from core.errors import Forbidden, Malformed, NotFound
from core.inbox.detail import delivery
from core.inbox.figures import figures, inbox_status
from core.inbox.queries import DeliveryFilter, count_deliveries, deliveries, narrow
from core.inbox.signatures import count_bad
from data.enums import DeliveryState, Role
from data.inbox import Delivery
from tests.conftest import PHONE_ID, SECOND_PHONE_ID, Place
from tests.core.desk import WORKER, Desk, envelope, inbound
from tests.core.inbox.test_lane import told
from tests.webhooks import deliver, hear, work_off


def a_few(desk: Desk, count: int = 5) -> list[str]:
    """The ids of that many applied deliveries, newest first."""
    ids = []
    for number in range(count):
        one = envelope(messages=[inbound(wamid=f"wamid.{number}", at=desk.now)])
        ids += deliver(desk.runtime, one)
        work_off(desk.runtime)
        desk.advance(30)
    return ids[::-1]


def shown(desk: Desk, **wanted: Any) -> list[str]:
    with desk.runtime.unit(desk.place.owner) as unit:
        return [row.id for row in deliveries(unit, DeliveryFilter(**wanted)).rows]


def test_the_list_is_newest_first_page_by_page(desk: Desk) -> None:
    ids = a_few(desk)
    found: list[str] = []
    cursor = None
    while True:
        with desk.runtime.unit(desk.place.owner) as unit:
            page = deliveries(unit, DeliveryFilter(), cursor=cursor, limit=2)
        found += [row.id for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == ids


def test_the_list_is_narrowed_by_state_phone_and_time(desk: Desk) -> None:
    start = desk.now
    ids = a_few(desk, 3)
    hear(desk.runtime, envelope(phone=SECOND_PHONE_ID, statuses=[{"id": 1}]))
    desk.advance(1)
    (waiting,) = deliver(desk.runtime, told("account_update", {"event": "X"}))
    (second,) = shown(desk, phone_number_id=SECOND_PHONE_ID)
    assert shown(desk) == [waiting, second, *ids]
    assert shown(desk, state=DeliveryState.PENDING) == [waiting]
    assert shown(desk, state=DeliveryState.FAILED) == [second]
    assert shown(desk, phone_number_id=PHONE_ID) == ids
    assert shown(desk, until=start) == []
    assert shown(desk, since=start, until=desk.now) == [second, *ids]
    with desk.runtime.unit(desk.place.owner) as unit:
        assert count_deliveries(unit, DeliveryFilter(phone_number_id=PHONE_ID)) == 3
        assert count_deliveries(unit, DeliveryFilter(), at_most=2) == 3
        with pytest.raises(Malformed, match="until"):
            deliveries(unit, DeliveryFilter(since=desk.now, until=start))
        with pytest.raises(Malformed, match="limit"):
            deliveries(unit, DeliveryFilter(), limit=0)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({}, "ix_delivery_workspace"),
        ({"state": DeliveryState.FAILED}, "ix_delivery_state"),
        ({"phone_number_id": PHONE_ID}, "ix_delivery_phone"),
    ],
)
def test_every_filter_has_its_index(desk: Desk, wanted: dict[str, Any], index: str) -> None:
    with desk.runtime.unit(desk.place.owner) as unit:
        statement = narrow(unit, DeliveryFilter(**wanted)).order_by(Delivery.id.desc()).limit(50)  # type: ignore[attr-defined]
        compiled = statement.compile(unit.session.get_bind(), compile_kwargs={"literal_binds": True})
        plan = [row[3] for row in unit.session.execute(text(f"EXPLAIN QUERY PLAN {compiled}"))]
    assert any(index in line for line in plan), plan
    assert not any("TEMP B-TREE" in line or "SCAN" in line for line in plan), plan


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_lane_finds_the_oldest_pending_by_its_index(desk: Desk) -> None:
    from core.inbox import lane

    with desk.runtime.unit(WORKER) as unit:
        plan = [
            row[3] for row in unit.session.execute(text(f"EXPLAIN QUERY PLAN {lane._NEXT}"), {"most": 200})
        ]
    assert any("ix_delivery_pending" in line for line in plan), plan
    assert not any("TEMP B-TREE" in line for line in plan), plan


def test_one_delivery_shows_its_body_what_it_said_and_what_failed(desk: Desk) -> None:
    one = envelope(statuses=[{"id": "x"}], messages=[inbound("Grüße 👋", wamid="wamid.a", at=desk.now)])
    one["entry"] += told("account_update", {"event": "VERIFIED_ACCOUNT"})["entry"]
    (delivery_id,) = deliver(desk.runtime, one)
    work_off(desk.runtime)
    with desk.runtime.unit(desk.place.owner) as unit:
        view = delivery(unit, delivery_id)
    assert view.body == one
    assert view.said == {"message": 1, "account_update": 1}
    assert [(each.path, each.field) for each in view.failures] == [
        ("entry[0].changes[0].value.statuses[0]", "messages")
    ]
    assert (view.row.failures, view.row.updates, view.row.can_replay) == (1, 2, True)
    assert len(view.sha256) == 64


def test_p5_a_delivery_shows_nothing_of_another_workspace(desk: Desk, other_place: Place) -> None:
    both = envelope(messages=[inbound("Ours", wamid="wamid.a", at=desk.now)])
    foreign = envelope(
        phone=str(int(PHONE_ID) + 50), messages=[inbound("Theirs", wamid="wamid.b", at=desk.now)]
    )
    both["entry"][0]["changes"] += foreign["entry"][0]["changes"]
    deliver(desk.runtime, both)
    work_off(desk.runtime)
    for place, ours, theirs in ((desk.place, "Ours", "Theirs"), (other_place, "Theirs", "Ours")):
        with desk.runtime.unit(place.owner) as unit:
            (row,) = deliveries(unit, DeliveryFilter()).rows
            view = delivery(unit, row.id)
            assert ours in str(view.body)
            assert theirs not in str(view.body)
            assert view.said == {"message": 1}
    with desk.runtime.unit(desk.place.owner) as unit, pytest.raises(NotFound):
        delivery(unit, row.id)


def test_the_figures_tell_rate_lag_and_what_is_wrong(desk: Desk) -> None:
    with desk.runtime.unit(desk.place.owner) as unit:
        empty = figures(unit)
    assert (empty.status.pending, empty.lag_s, empty.last_received_at) == (0, 0.0, None)
    assert (empty.received_last_minute, sum(empty.per_minute)) == (0, 0)
    assert empty.last_day == dict.fromkeys(DeliveryState, 0)
    a_few(desk, 4)  # each 30 s after the last
    deliver(desk.runtime, envelope(messages=[inbound(wamid="wamid.x", at=desk.now)]))
    received_at = desk.now
    desk.advance(20)
    with desk.runtime.unit(WORKER, write=True) as unit:
        count_bad(unit, 7)
    with desk.runtime.unit(desk.place.owner) as unit:
        found = figures(unit)
        assert inbox_status(unit) == found.status
    assert (found.status.pending, found.status.failed) == (1, 0)
    assert (found.status.oldest_pending_s, found.lag_s) == (20.0, 20.0)
    assert (found.last_received_at, found.bad_signatures) == (received_at, 7)
    assert (found.received_last_minute, found.per_minute[-3:]) == (2, [1, 2, 2])
    assert found.last_day[DeliveryState.APPLIED] == 4
    work_off(desk.runtime)
    with desk.runtime.unit(desk.place.owner) as unit:
        assert figures(unit).lag_s == 20.0


def test_p5_the_figures_are_the_workspaces_own(desk: Desk, other_place: Place) -> None:
    a_few(desk)
    with desk.runtime.unit(other_place.owner) as unit:
        assert figures(unit).last_received_at is None
        assert inbox_status(unit).pending == 0


@pytest.mark.parametrize("role", [Role.AGENT, Role.VIEWER, Role.SUPPORT])
def test_p2_who_may_not_see_webhooks_is_refused(desk: Desk, role: Role) -> None:
    (delivery_id, *_) = a_few(desk, 1)
    with desk.runtime.unit(desk.place.acting(role)) as unit:
        for ask in (
            lambda: figures(unit),
            lambda: deliveries(unit, DeliveryFilter()),
            lambda: count_deliveries(unit, DeliveryFilter()),
            lambda: delivery(unit, delivery_id),
        ):
            with pytest.raises(Forbidden):
                ask()
