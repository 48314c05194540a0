from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from core.audit_log.rules import Change, changes, moments_of_days

BERLIN = ZoneInfo("Europe/Berlin")
SIDES = st.none() | st.dictionaries(
    st.sampled_from("abcd"), st.sampled_from([None, 0, 1, "", "1"]), max_size=4
)


def test_what_changed_is_told_by_name_and_what_stayed_too() -> None:
    found = changes({"role": "agent", "name": "Ada"}, {"role": "viewer", "name": "Ada", "reason": "left"})
    assert found == [
        Change("role", '"agent"', '"viewer"'),
        Change("name", '"Ada"', '"Ada"'),
        Change("reason", None, '"left"'),
    ]
    assert [each.is_same for each in found] == [False, True, False]


def test_a_value_of_nothing_is_not_the_same_as_no_value() -> None:
    assert changes({"until": None}, None) == [Change("until", "null", None)]
    assert changes(None, None) == []


@given(SIDES, SIDES)
def test_every_name_once_and_same_only_where_nothing_changed(before: object, after: object) -> None:
    found = changes(before, after)  # type: ignore[arg-type]
    old, new = before or {}, after or {}
    assert sorted(each.name for each in found) == sorted({*old, *new})  # type: ignore[misc]
    for each in found:
        is_same = each.name in old and each.name in new and old[each.name] == new[each.name]  # type: ignore[operator,index]
        assert each.is_same is is_same


def test_a_day_begins_and_ends_at_midnight_of_the_workspace() -> None:
    day = date(2026, 11, 23)
    assert moments_of_days(day, day, zone=BERLIN) == (
        datetime(2026, 11, 22, 23, tzinfo=UTC),
        datetime(2026, 11, 23, 23, tzinfo=UTC),
    )


def test_the_day_of_the_clock_change_has_25_hours() -> None:
    day = date(2026, 10, 25)
    since, until = moments_of_days(day, day, zone=BERLIN)
    assert since is not None
    assert until is not None
    assert (until.astimezone(UTC) - since.astimezone(UTC)).total_seconds() == 25 * 3600


def test_no_day_is_no_bound_and_the_last_of_all_days_neither() -> None:
    assert moments_of_days(None, None, zone=BERLIN) == (None, None)
    assert moments_of_days(None, date.max, zone=BERLIN) == (None, None)
