"""B12: two ledgers side by side, never mixed; nothing about Meta's prices is made up."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import col, select

from core.billing.metas_ledger import is_charged
from core.billing.rates import import_rates, list_rates, read_rates
from core.billing.reconciliation import report
from core.errors import Forbidden, Malformed
from core.runtime import Runtime
from data.enums import PlanName, Role
from data.messages import MessageStatus
from data.operations import AuditEntry
from tests.conftest import Place
from tests.core.billing.stories import Story
from tests.core.ledger import CLERK, Ledger, Said

DAY = datetime(2026, 11, 10, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
HEAD = "category,market,validFrom,amountUSD\n"


@pytest.fixture
def story(runtime: Runtime, place: Place) -> Story:
    return Story(Ledger(runtime, place))


def delivered(story: Story, key: str, at: datetime, pricing: dict[str, object], **more: object) -> None:
    """A send, delivered to a German number, with what Meta says of its price on two statuses."""
    story.ledger.write([Said(key, at, inbound=False, contact=f"con_{key}")])
    with story.ledger.runtime.unit(CLERK, write=True) as unit:
        for word in ("sent", "delivered"):
            unit.session.add(
                MessageStatus(
                    wamid=f"wamid.{key}",
                    status=word,
                    at=at,
                    message_id=f"msg_{key}",
                    received_at=at,
                    pricing=pricing,
                    **more,
                )
            )


def told(story: Story, *, last: date = DAY.date()) -> list[tuple[object, ...]]:
    story.ledger.settle()
    with story.ledger.runtime.unit(story.owner) as unit:
        found = report(unit, DAY.date(), last)
    return [
        (one.category, one.conversations, one.messages, one.charged, one.free, one.unpriced, one.cost_micros)
        for one in found.lines
    ]


REGULAR = {"billable": True, "pricing_model": "PMP", "category": "utility", "type": "regular"}


def test_b12_what_meta_charges_is_priced_by_entered_rates_alone(story: Story) -> None:
    delivered(story, "a", DAY, REGULAR)
    assert told(story) == [("service", 1, 0, 0, 0, 0, 0), ("utility", 0, 1, 0, 0, 1, 0)]
    rates = f"{HEAD}utility,DE,2026-11-01,0.0456\nutility,*,2026-01-01,1\n"
    story.act(lambda unit: import_rates(unit, rates))
    assert told(story)[1] == ("utility", 0, 1, 1, 0, 0, 45_600)


def test_b12_a_rate_holds_from_its_day_on(story: Story) -> None:
    delivered(story, "a", DAY, REGULAR)
    delivered(story, "b", DAY + 24 * HOUR, REGULAR)
    rates = f"{HEAD}utility,*,2026-01-01,0.01\nutility,*,2026-11-11,0.02\n"
    story.act(lambda unit: import_rates(unit, rates))
    costs = [line[-1] for line in told(story, last=date(2026, 11, 11)) if line[0] == "utility"]
    assert costs == [10_000, 20_000]


@pytest.mark.parametrize(
    ("kind", "billable", "expected"),
    [
        ("regular", "0", True),
        ("free_customer_service", "1", False),
        ("free_entry_point", None, False),
        ("free_quota", "1", None),
        (None, "1", True),
        (None, "true", True),
        (None, "0", False),
        (None, None, None),
    ],
)
def test_b12_the_pricing_type_decides_and_unknown_ones_are_kept(
    kind: str | None, billable: str | None, expected: bool | None
) -> None:
    assert is_charged(kind, billable) is expected


def test_b12_unknown_words_are_counted_and_leave_the_difference_open(story: Story) -> None:
    delivered(story, "a", DAY, REGULAR | {"type": "free_quota", "category": "general_purpose_ai"})
    story.ledger.settle()
    with story.ledger.runtime.unit(story.owner) as unit:
        found = report(unit, DAY.date(), DAY.date())
    assert found.unknown == {"free_quota": 1}
    assert (found.total.unpriced, found.total.difference_micros, found.total.margin) == (1, None, None)


def test_b12_ours_stands_beside_it_with_difference_and_margin(story: Story) -> None:
    story.set(plan=PlanName.STARTER)
    story.ledger.many(100, datetime(2026, 11, 1, tzinfo=UTC), apart=HOUR)
    delivered(story, "a", DAY, REGULAR)
    rates = f"{HEAD}utility,*,2026-01-01,0.004\n"
    story.act(lambda unit: import_rates(unit, rates))
    story.ledger.settle()
    with story.ledger.runtime.unit(story.owner) as unit:
        found = report(unit, DAY.date(), DAY.date())
    assert (found.total.owed_micros, found.total.cost_micros) == (10_000, 4_000)
    assert (found.total.difference_micros, found.total.margin) == (6_000, pytest.approx(0.6))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b\n",
        HEAD,
        f"{HEAD}marketing,Germany,2026-10-01,0.1\n",
        f"{HEAD}marketing,DE,2026-13-01,0.1\n",
        f"{HEAD}marketing,DE,2026-10-01,lots\n",
        f"{HEAD}marketing,DE,2026-10-01,NaN\n",
        f"{HEAD}marketing,DE,2026-10-01,Infinity\n",
        f"{HEAD}marketing,DE,2026-10-01,-1\n",
        f"{HEAD}marketing,DE,2026-10-01,0.00000001\n",
        f"{HEAD}=1+1,DE,2026-10-01,0.1\n",
        f"{HEAD}marketing,DE,2026-10-01\n",
        f'{HEAD}"marketing,DE\n',
    ],
)
def test_b12_a_file_with_one_wrong_line_is_refused_whole(text: str) -> None:
    with pytest.raises(Malformed):
        read_rates(text)


def test_b12_importing_is_the_owners_audited_and_replaces_the_same_day(story: Story) -> None:
    story.act(lambda unit: import_rates(unit, f"{HEAD}marketing,de,2026-10-01,0.1131\n"))
    story.act(lambda unit: import_rates(unit, f"{HEAD}marketing,DE,2026-10-01,0.12\n"))
    with story.ledger.runtime.unit(story.owner) as unit:
        assert [(one.market, one.amount_micros) for one in list_rates(unit)] == [("DE", 120_000)]
        entries = unit.session.exec(
            select(AuditEntry).where(col(AuditEntry.action) == "meta_rates.imported")
        ).all()
    assert len(entries) == 2
    with (
        pytest.raises(Forbidden),
        story.ledger.runtime.unit(story.ledger.place.acting(Role.MANAGER), write=True) as unit,
    ):
        import_rates(unit, f"{HEAD}marketing,DE,2026-10-01,0.1\n")
