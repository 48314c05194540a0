"""B12: what Meta says it charged is copied before it forgets it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, delete, select

from core.billing.reconciliation import report
from core.messaging.send import send
from core.phones import charges
from core.phones.charges import Charge, read_charges, store
from core.ports.clock import SystemClock
from core.runtime import Runtime
from core.unit import Identity
from data.billing import MetaCost
from data.sending import AccessToken, Waba
from jobs.schedule import copy_charges
from tests.conftest import NOW, WABA_ID, Place
from tests.core.desk import Meta, carry_out, order

CLOCK = Identity(process="clock")
DAY = datetime(2026, 11, 20, tzinfo=UTC)


def said(*points: dict[str, Any]) -> dict[str, Any]:
    return {"data": [{"data_points": list(points)}]}


def point(**more: Any) -> dict[str, Any]:
    begins = int(DAY.timestamp())
    usual = {"start": begins, "end": begins + 86_400, "volume": 12, "cost": 0.54}
    return usual | {"pricing_category": "UTILITY", "pricing_type": "REGULAR"} | more


def costs(runtime: Runtime) -> list[MetaCost]:
    with runtime.unit(CLOCK) as unit:
        return list(unit.session.exec(select(MetaCost).order_by(col(MetaCost.start_at), col(MetaCost.kind))))


def test_b12_a_data_point_is_a_day_a_category_and_a_cost() -> None:
    assert list(read_charges(said(point()))) == [Charge(DAY, "utility", "regular", 12, 540_000)]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {"data": 7},
        {"data": [{"data_points": [None, 7]}]},
        said(point(start=10**30)),
        said(point(start="yesterday")),
        said(point(volume=-1)),
        said(point(volume=True)),
    ],
)
def test_what_cannot_be_understood_is_passed_over(answer: Any) -> None:
    assert list(read_charges(answer)) == []


@pytest.mark.parametrize("cost", [None, "0.54", float("nan"), float("inf"), -1, 10**300, True])
def test_b12_a_cost_that_is_none_is_not_made_up(cost: Any) -> None:
    assert [one.cost_micros for one in read_charges(said(point(cost=cost)))] == [None]


def test_b12_a_corrected_figure_replaces_the_first_and_days_asked_for_in_part_are_left(
    runtime: Runtime, place: Place
) -> None:
    def kept(since: datetime, *points: dict[str, Any]) -> int:
        with runtime.unit(CLOCK, write=True) as unit:
            waba = unit.session.get_one(Waba, WABA_ID)
            waba.described = {"currency": "USD"}
            return store(unit, waba=waba, since=since, charges=read_charges(said(*points)))

    assert kept(DAY, point(), point(pricing_type="FREE_ENTRY_POINT", cost=0)) == 2
    assert kept(DAY, point(volume=13, cost=0.6)) == 1
    assert kept(DAY + timedelta(hours=1), point(volume=1)) == 0
    assert [(one.kind, one.messages, one.cost_micros) for one in costs(runtime)] == [
        ("free_entry_point", 12, 0),
        ("regular", 13, 600_000),
    ]


def test_b12_metas_figures_are_copied_when_they_are_due_and_stand_beside_ours(
    runtime: Runtime, place: Place, meta: Meta
) -> None:
    live = replace(runtime, clock=SystemClock(), graph=runtime.graph.again())
    carry_out(live, send(live, place.owner, order()))
    with live.unit(CLOCK, write=True) as unit:
        waba = unit.session.get_one(Waba, WABA_ID)
        waba.costs_due_at, waba.described = unit.now, {"currency": "USD"}
        unit.session.add(waba)
    copy_charges(live)
    [cost] = costs(live)
    assert (cost.messages, cost.currency) == (1, "USD")
    assert cost.cost_micros is not None
    with live.unit(place.owner) as unit:
        today = unit.now.date()
        found = report(unit, today - timedelta(days=1), today)
        assert not charges.READING.has_due(unit)
    assert (found.total.reported_messages, found.total.reported_micros) == (1, cost.cost_micros)
    assert found.reports.accounts == 1


def test_b12_why_metas_figures_cannot_be_read_is_kept_and_tried_again(
    runtime: Runtime, place: Place, meta: Meta
) -> None:
    with runtime.unit(CLOCK, write=True) as unit:
        waba = unit.session.get_one(Waba, WABA_ID)
        waba.costs_due_at = unit.now
        unit.session.add(waba)
        unit.session.exec(delete(AccessToken))
    copy_charges(replace(runtime, graph=runtime.graph.again()))
    with runtime.unit(place.owner) as unit:
        found = report(unit, NOW.date(), NOW.date())
        assert unit.session.get_one(Waba, WABA_ID).costs_due_at == NOW + charges.AGAIN_AFTER
    assert ["no token" in reason for reason in found.reports.refused.values()] == [True]
    assert (found.total.reported_messages, found.reports.read_at) == (None, None)
