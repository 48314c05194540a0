"""B7-B9 against an oracle that walks through the conversations one by one, in fractions."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.billing.money import exact, micros_of, rounded
from core.billing.queries import explain
from core.billing.rules import Rating, Term, add, clip, pool, projected, rate
from data.enums import PlanName

START = datetime(2026, 10, 1, tzinfo=UTC)
END = datetime(2026, 11, 1, tzinfo=UTC)
MONTH_S = 31 * 86_400
DAY = timedelta(days=1)
PLANS = {
    PlanName.FREE: (100, None),
    PlanName.STARTER: (100, 10_000),
    PlanName.PRO: (500, 5_000),
    PlanName.ENTERPRISE: (50_000, None),
}


def term(plan: PlanName, start: datetime = START, end: datetime = END) -> Term:
    included, overage = PLANS[plan]
    return Term(plan, 1, included, overage, start, end)


@st.composite
def months(draw: st.DrawFn) -> list[Term]:
    """Plans that follow each other over a month, changed at any second."""
    cuts = sorted(draw(st.sets(st.integers(1, MONTH_S - 1), max_size=4)))
    bounds = [START, *(START + timedelta(seconds=cut) for cut in cuts), END]
    return [
        term(draw(st.sampled_from(list(PlanName))), start, end) for start, end in itertools.pairwise(bounds)
    ]


def oracle(terms: list[Term], counts: list[int]) -> tuple[int, Fraction]:
    """(billable, dollars): every conversation takes one from the pool, or pays."""
    left = floor(sum((Fraction(one.included * one.seconds, MONTH_S) for one in terms), Fraction(0)))
    billable, dollars = 0, Fraction(0)
    for one, count in zip(terms, counts, strict=True):
        for _ in range(count):
            if left > 0:
                left -= 1
            elif one.overage_micros is not None:
                billable += 1
                dollars += Fraction(one.overage_micros, 1_000_000)
    return billable, dollars


@given(
    months().flatmap(
        lambda terms: st.tuples(
            st.just(terms), st.lists(st.integers(0, 700), min_size=len(terms), max_size=len(terms))
        )
    )
)
def test_b8_the_rating_is_the_oracles(made: tuple[list[Term], list[int]]) -> None:
    terms, counts = made
    found = rate(terms, counts, seconds=MONTH_S)
    billable, dollars = oracle(terms, counts)
    assert (found.billable, Fraction(found.amount_micros, 1_000_000)) == (billable, dollars)
    assert found.total == sum(counts)
    assert Fraction(exact(found.amount_micros)) == dollars
    assert rounded(found.amount_micros) == Decimal(floor(dollars * 100 + Fraction(1, 2))) / 100


def test_b8_750_on_pro_are_250_beyond_and_1_25() -> None:
    found = rate([term(PlanName.PRO)], [750], seconds=MONTH_S)
    assert found == Rating(750, 500, 250, 1_250_000, (250,))
    assert (rounded(found.amount_micros), exact(found.amount_micros)) == (Decimal("1.25"), "1.25")


def test_b8_starter_until_the_15th_then_pro_is_one_pool_of_306() -> None:
    half = START + 15 * DAY
    terms = [term(PlanName.STARTER, START, half), term(PlanName.PRO, half, END)]
    assert pool(terms, seconds=MONTH_S) == 306
    found = rate(terms, [310, 10], seconds=MONTH_S)
    assert (found.beyond, found.amount_micros) == ((4, 10), 4 * 10_000 + 10 * 5_000)


@pytest.mark.parametrize(("overages", "dollars"), [(0, "0.00"), (1, "0.01"), (3, "0.02"), (5, "0.03")])
def test_b9_odd_counts_round_half_up_once(overages: int, dollars: str) -> None:
    found = rate([term(PlanName.PRO)], [500 + overages], seconds=MONTH_S)
    assert rounded(found.amount_micros) == Decimal(dollars)


@pytest.mark.parametrize("plan", [PlanName.FREE, PlanName.ENTERPRISE])
def test_b7_free_and_enterprise_never_charge(plan: PlanName) -> None:
    found = rate([term(plan)], [60_000], seconds=MONTH_S)
    assert (found.billable, found.amount_micros) == (0, 0)


def test_b9_months_are_added_before_they_are_rounded() -> None:
    one = rate([term(PlanName.PRO)], [501], seconds=MONTH_S)
    assert rounded(add([one, one, one]).amount_micros) == Decimal("0.02")


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "0.00"),
        (5_000, "0.005"),
        (1_500_000, "1.50"),
        (-5_000, "-0.005"),
        (10_000_000, "10.00"),
        (1, "0.000001"),
    ],
)
def test_b9_exact_amounts_are_never_rounded(micros: int, text: str) -> None:
    assert exact(micros) == text


def test_b9_an_amount_finer_than_a_micro_dollar_is_refused() -> None:
    assert micros_of(Decimal("0.005")) == 5_000
    with pytest.raises(ValueError, match="six decimals"):
        micros_of(Decimal("0.0000001"))


@given(st.integers(0, 10_000), st.integers(1, MONTH_S))
def test_b8_forecasts_are_linear_in_elapsed_seconds(total: int, elapsed: int) -> None:
    exactly = Fraction(total * MONTH_S, elapsed)
    assert projected(total, elapsed_s=float(elapsed), seconds=MONTH_S) == floor(exactly + Fraction(1, 2))


def test_b8_a_month_that_just_began_forecasts_what_it_has() -> None:
    assert projected(3, elapsed_s=0.0, seconds=MONTH_S) == 3


def test_terms_are_cut_to_a_month_and_none_is_empty() -> None:
    whole = [term(PlanName.STARTER, START - DAY, START), term(PlanName.PRO, START, END + DAY)]
    assert clip(whole, START, END) == [term(PlanName.PRO)]


def test_b8_a_rating_is_explained() -> None:
    terms = [term(PlanName.PRO)]
    said = explain(rate(terms, [512], seconds=MONTH_S), terms)
    assert said == "included 500, used 512, billable 12 × 0.005 = 0.06"
    assert explain(rate(terms, [12], seconds=MONTH_S), terms) == "included 500, used 12, billable 0"
