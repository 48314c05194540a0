"""B11: each share once a month, on the way up; a flood; a parked invoice."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import col, select

from core.billing.invoices import GRACE, finalise_due
from core.billing.thresholds import is_flood, reached, watch_all
from core.runtime import Runtime
from data.alerts import Alert
from data.billing import Conversation
from data.enums import PlanName, Severity
from tests.conftest import NOW, Place
from tests.core.billing.stories import DAY, DECEMBER, HOUR, NOVEMBER, Story
from tests.core.ledger import CLERK, Ledger, Said


@pytest.fixture
def story(runtime: Runtime, place: Place) -> Story:
    return Story(Ledger(runtime, place))


def alerts(story: Story, kind: str) -> list[Alert]:
    with story.ledger.runtime.unit(CLERK) as unit:
        statement = select(Alert).where(col(Alert.kind) == kind, col(Alert.resolved_at).is_(None))
        return list(unit.session.exec(statement))


@pytest.mark.parametrize(
    ("used", "whole", "expected"),
    [(249, 500, []), (250, 500, [50]), (400, 500, [50, 80]), (600, 500, [50, 80, 100, 120]), (5, 0, [])],
)
def test_b11_shares_are_reached_at_50_80_100_and_120_percent(
    used: int, whole: int, expected: list[int]
) -> None:
    assert reached(used, whole) == expected


def test_b11_each_share_of_the_included_is_told_once(story: Story) -> None:
    runtime = story.ledger.runtime
    story.set(plan=PlanName.STARTER)
    story.ledger.many(50, NOVEMBER, apart=HOUR)
    story.ledger.settle()
    watch_all(runtime)
    watch_all(runtime)
    (alert,) = alerts(story, "billing_included")
    assert (alert.title, alert.severity, alert.times) == (
        "50 % of the included conversations of 2026-11 is used",
        Severity.INFO,
        1,
    )
    story.ledger.many(70, NOVEMBER + 10 * DAY, apart=HOUR / 4, name="n")
    story.ledger.settle()
    watch_all(runtime)
    (alert,) = alerts(story, "billing_included")
    assert (alert.severity, alert.times) == (Severity.CRITICAL, 4)
    assert alert.detail == "included 100, used 120, billable 20 × 0.01 = 0.20"
    story.go_to(DECEMBER + HOUR)
    watch_all(runtime)
    assert alerts(story, "billing_included") == []


def test_b11_shares_of_the_budget_are_told_too(story: Story) -> None:
    story.set(plan=PlanName.STARTER, monthly_budget_micros=200_000)
    story.ledger.many(116, NOVEMBER, apart=HOUR)
    story.ledger.settle()
    watch_all(story.ledger.runtime)
    (alert,) = alerts(story, "billing_budget")
    assert alert.title == "80 % of the budget of 0.20 USD of 2026-11 is used"


@pytest.mark.parametrize(
    ("hour", "week", "expected"),
    [(99, 0, False), (100, 0, True), (150, 1_680, True), (150, 16_800, False), (100, 1_680, False)],
)
def test_b11_a_flood_is_ten_times_the_usual_hour(hour: int, week: int, expected: bool) -> None:
    assert is_flood(hour, week) is expected


def test_b11_a_flood_of_customers_raises_an_alert_that_ends_with_it(story: Story) -> None:
    runtime = story.ledger.runtime
    story.ledger.many(100, NOW - HOUR / 2, apart=timedelta(seconds=1))
    story.ledger.settle()
    watch_all(runtime)
    (alert,) = alerts(story, "billing_flood")
    assert alert.title == "Customers opened 100 conversations within an hour"
    story.go_to(NOW + HOUR)
    watch_all(runtime)
    assert alerts(story, "billing_flood") == []


def test_b10_a_parked_invoice_is_told_until_it_is_finalised(story: Story) -> None:
    runtime = story.ledger.runtime
    story.ledger.write([Said("a", datetime(2026, 11, 5, tzinfo=UTC))])
    story.ledger.settle()
    with runtime.unit(CLERK, write=True) as unit:
        known = story.ledger.conversations()[0].model_dump()
        unit.session.add(Conversation(**{**known, "id": "cnv_fake", "messages_in": -1}))
    story.go_to(DECEMBER + GRACE)
    finalise_due(runtime)
    watch_all(runtime)
    (alert,) = alerts(story, "invoice_parked")
    assert "2 conversations" in alert.detail
    story.finalise("2026-11", confirm=True)
    assert alerts(story, "invoice_parked") == []
