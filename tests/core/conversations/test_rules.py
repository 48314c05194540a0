"""B1, B4 against an oracle that is written another way: it asks of every moment who covers it."""

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from core.conversations.rules import LENGTH, Event, Window, conversation_id, opener_of, windows
from data.columns import to_micros

DAY = timedelta(days=1)
HOUR = LENGTH // 24


def at(text: str) -> int:
    return to_micros(datetime.fromisoformat(text).replace(tzinfo=UTC))


def event(key: str, moment: int, *, outbound: bool = False) -> Event:
    return Event(moment, int(outbound), f"wamid.{key}", f"msg_{key}")


def oracle(events: list[Event]) -> list[tuple[str, int, int]]:
    """(opener, opened at, messages) by recursion over sets: take the least, then all that it covers."""
    left = set(events)
    found = []
    while left:
        first = min(left, key=lambda one: (one.at, one.is_outbound, one.provider_id))
        covered = {one for one in left if one.at - first.at < LENGTH}
        found.append((first.message_id, first.at, len(covered)))
        left -= covered
    return found


def seen(found: list[Window]) -> list[tuple[str, int, int]]:
    return [(one.opener, one.opened_at, one.messages_in + one.messages_out) for one in found]


# Few distinct moments, on the hour and a microsecond beside it, so that ends are met exactly.
moments = st.builds(lambda hours, micros: hours * HOUR + micros, st.integers(0, 120), st.integers(-1, 1))
histories = st.lists(st.tuples(moments, st.booleans()), max_size=40).map(
    lambda made: [event(f"{n:03d}", moment, outbound=side) for n, (moment, side) in enumerate(made)]
)


def test_b1_a_conversation_is_fixed_from_its_first_message() -> None:
    found = windows(
        [
            event("a", at("2026-11-23T10:00")),
            event("b", at("2026-11-23T10:30"), outbound=True),
            event("c", at("2026-11-23T11:00")),
            event("d", at("2026-11-24T10:30"), outbound=True),
        ]
    )
    assert [(one.opener, one.is_outbound, one.messages_in, one.messages_out) for one in found] == [
        ("msg_a", 0, 2, 1),
        ("msg_d", 1, 0, 1),
    ]
    assert found[0].closes_at == at("2026-11-24T10:00")


def test_b1_exactly_24_hours_later_is_a_new_one() -> None:
    first = at("2026-11-23T10:00")
    assert len(windows([event("a", first), event("b", first + LENGTH - 1)])) == 1
    assert len(windows([event("a", first), event("b", first + LENGTH)])) == 2


def test_b1_at_one_moment_the_customer_comes_first_then_the_provider_id() -> None:
    both = [event("b", 5, outbound=True), event("c", 5), event("d", 5)]
    assert windows(both)[0].opener == "msg_c"


@given(histories)
def test_b1_windows_are_those_of_the_oracle(events: list[Event]) -> None:
    assert seen(windows(events)) == oracle(events)


@given(histories, st.randoms(use_true_random=False))
def test_b4_order_and_batching_do_not_matter(events: list[Event], random: object) -> None:
    shuffled = list(events)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert windows(shuffled) == windows(events)


@given(histories, moments, st.booleans())
def test_b4_one_event_more_is_no_or_one_conversation_more(
    events: list[Event], moment: int, outbound: bool
) -> None:
    more = [*events, event("more", moment, outbound=outbound)]
    assert len(windows(more)) - len(windows(events)) in (0, 1)


@given(histories, st.integers(0, 120))
def test_b10_frozen_windows_are_fixed_points(events: list[Event], cut: int) -> None:
    """Freeze what opened before a moment, then let the rest arrive: nothing frozen moves, every event is in
    exactly one conversation, and no two overlap."""
    frozen = [one for one in windows(events[: len(events) // 2]) if one.opened_at < cut * HOUR]
    found = windows(events, frozen)
    bounds = {one.opener: (one.opened_at, one.closes_at) for one in found}
    for window in frozen:
        assert bounds[window.opener] == (window.opened_at, window.closes_at)
    assert sum(one.messages_in + one.messages_out for one in found) == len(events)
    for before, after in itertools.pairwise(found):
        assert before.closes_at <= after.opened_at
        assert before.closes_at - before.opened_at <= LENGTH
    last = max((one.closes_at for one in frozen), default=-LENGTH)
    assert [one for one in found if one.opened_at >= last] == windows(
        [one for one in events if one.at >= last]
    )


@given(histories, moments)
def test_b10_with_frozen_windows_too_an_event_adds_no_or_one(events: list[Event], moment: int) -> None:
    frozen = windows(events[::2])[:2]
    before = windows(events, frozen)
    after = windows([*events, event("more", moment)], frozen)
    assert len(after) - len(before) in (0, 1)


def test_b10_what_opened_a_frozen_conversation_stays_in_it_when_its_time_moves() -> None:
    opened = at("2026-11-23T10:00") + 400_000
    frozen = windows(
        [Event(opened, 1, "w1", "msg_1", opened), Event(opened + 5, 1, "w2", "msg_2", opened + 5)]
    )
    earlier = at("2026-11-23T10:00")
    moved = [Event(earlier, 1, "w1", "msg_1", opened), Event(earlier, 1, "w2", "msg_2", opened + 5)]
    assert windows(moved, frozen) == frozen


def test_a_conversations_id_derives_from_its_opener() -> None:
    assert conversation_id("msg_01k9") == "cnv_01k9"
    assert opener_of("cnv_01k9") == "msg_01k9"
