"""Traffic: what is kept of it is what a naive count finds, in whatever order; a year is a small query."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, func
from sqlmodel import col, select

from core.errors import Malformed
from core.ports.clock import FrozenClock
from core.traffic import folding
from core.traffic.folding import DAY, HOUR, MINUTE
from core.traffic.measures import Counts, Timing, bucket_of, percentile_ms, timed, upper_ms
from core.traffic.noting import TEXTS, Noted
from core.traffic.series import Series, plan, series
from data.traffic import Traffic, TrafficChange
from tests.conftest import PHONE_ID, SECOND_PHONE_ID
from tests.core.desk import HOPELESS, PASSING, WORKER, Desk, accepted, envelope, status

ONE_MINUTE = timedelta(minutes=1)


def fold(desk: Desk) -> int:
    with desk.runtime.unit(WORKER, write=True) as unit:
        return folding.add_up(unit)


def look(desk: Desk, back: timedelta = timedelta(hours=1), *, phone: str = "", template: str = "") -> Series:
    """Up to the end of the present minute."""
    until = desk.now.replace(second=0, microsecond=0) + ONE_MINUTE
    with desk.runtime.unit(desk.place.owner) as unit:
        return series(unit, since=until - back, until=until, phone_number_id=phone, template_name=template)


def note(desk: Desk, counts: Counts, *, phone: str = PHONE_ID, template: str | None = None) -> None:
    with desk.runtime.unit(WORKER, write=True) as unit:
        noted = Noted()
        noted.of_message(desk.place.workspace.id, phone, template).update(counts)
        noted.write(unit)


def test_what_becomes_of_attempts_is_counted_once_with_its_times(desk: Desk) -> None:
    desk.queue(3)
    desk.advance(2)
    first, second, third = desk.claim()
    desk.mark([first, second, third])
    desk.advance(1)
    replies = [(first, accepted("wamid.1")), (second, PASSING), (third, HOPELESS)]
    desk.answer(*replies)
    desk.answer(*replies)  # told again, it counts no more
    assert fold(desk) > 0
    assert fold(desk) == 0
    found = look(desk)
    assert {name: n for name, n in found.total.items() if ":" not in name} == {
        "accepted": 1,
        "passing": 1,
        "refused": 1,
        "busy_ms": 3000,
    }
    assert (found.total["error:meta_131016"], found.total["error:meta_131026"]) == (1, 1)
    assert found.total[timed(Timing.TAKEN, 3_000_000)] == 1
    assert found.total[timed(Timing.WAITED, 2_000_000)] == 3
    assert found.total["retry:1"] == 0


def test_retries_are_counted_by_their_rung(desk: Desk) -> None:
    message_id = desk.send_and_get(PASSING)
    desk.try_again(message_id, PASSING)
    desk.try_again(message_id, accepted())
    fold(desk)
    total = look(desk).total
    assert (total["retry:1"], total["retry:2"], total["accepted"], total["passing"]) == (1, 1, 1, 2)


def test_statuses_count_once_by_the_phone_and_template_of_their_message(desk: Desk) -> None:
    message_id = desk.send_and_get(accepted("wamid.1"))
    desk.advance(4)
    for word in ("delivered", "read", "delivered", "read"):
        told = status(word, wamid="wamid.1", at=desk.now, message_id=message_id)
        desk.hear(envelope(statuses=[told], phone=PHONE_ID))
    fold(desk)
    for found in (look(desk), look(desk, phone=PHONE_ID), look(desk, template="order_update")):
        delivered = sum(n for name, n in found.total.items() if name.startswith("delivered:"))
        assert (delivered, found.total["read"]) == (1, 1)
    assert look(desk, phone=SECOND_PHONE_ID).total == {}
    assert look(desk).total["webhooks"] == 4
    assert look(desk, phone=PHONE_ID).total["webhooks"] == 0
    applied = percentile_ms(look(desk).total, Timing.APPLIED, 0.99)
    assert applied is not None
    assert applied < 1000


def test_a_failure_that_is_told_later_counts_as_one(desk: Desk) -> None:
    message_id = desk.send_and_get(accepted("wamid.1"))
    for _ in range(2):
        told = status("failed", wamid="wamid.1", at=desk.now, message_id=message_id)
        desk.hear(envelope(statuses=[told], phone=PHONE_ID))
    fold(desk)
    assert look(desk).total["failed_later"] == 1


def test_clocks_that_add_up_at_the_same_time_lose_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "AT_ONCE", 2)
    for _ in range(40):
        note(desk, Counter(accepted=1))

    def add_all_up(_: int) -> None:
        while fold(desk):
            pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add_all_up, range(4)))
    assert look(desk).total == {"accepted": 40}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3 * DAY),
            st.sampled_from([PHONE_ID, SECOND_PHONE_ID]),
            st.sampled_from([None, "order_update", "winter_sale"]),
            st.dictionaries(
                st.sampled_from(["accepted", "refused", "taken:3"]), st.integers(1, 9), min_size=1
            ),
            st.booleans(),
        ),
        max_size=25,
    )
)
def test_what_is_kept_is_what_a_naive_count_finds(
    desk: Desk, events: list[tuple[int, str, str | None, dict[str, int], bool]]
) -> None:
    with desk.runtime.unit(WORKER, write=True) as unit:
        unit.session.execute(delete(Traffic))
        unit.session.execute(delete(TrafficChange))
    clock = desk.runtime.clock
    assert isinstance(clock, FrozenClock)
    start = clock.now()
    for minutes, phone, template, counts, folds in events:  # in no order: news comes late
        with desk.runtime.unit(WORKER, write=True) as unit:
            unit.now = start - timedelta(minutes=minutes)
            noted = Noted()
            noted.of_message(desk.place.workspace.id, phone, template).update(counts)
            noted.write(unit)
        if folds:
            fold(desk)
    fold(desk)
    naive: dict[tuple[int, str, str, int], Counts] = {}
    for minutes, phone, template, counts, _ in events:
        minute = int((start - timedelta(minutes=minutes)).timestamp()) // 60
        for step in (MINUTE, HOUR, DAY):
            for each_phone in (phone, ""):
                for each_template in (template or TEXTS, ""):
                    key = (step, each_phone, each_template, minute - minute % step)
                    naive.setdefault(key, Counter()).update(counts)
    with desk.runtime.unit(WORKER) as unit:
        kept = {
            (one.step, one.phone_number_id, one.template_name, one.slot): Counter(one.counts)
            for one in unit.session.exec(select(Traffic))
        }
    assert kept == naive


@given(st.lists(st.integers(0, 10**8), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_never_too_low_and_half_an_octave_too_high_at_most(
    times: list[int], share: float
) -> None:
    counts: Counts = Counter()
    for ms in times:
        counts[timed(Timing.TAKEN, ms * 1000)] += 1
    found = percentile_ms(counts, Timing.TAKEN, share)
    true = sorted(times)[max(0, -(-len(times) * int(share * 100) // 100) - 1)]
    assert found is not None
    assert true <= found <= max(10, true * 2**0.5 * 1.000001)


@given(st.floats(0, 1e12))
def test_a_bucket_holds_what_is_put_into_it(ms: float) -> None:
    bucket = bucket_of(ms)
    assert ms <= upper_ms(bucket) * (1 + 1e-9)
    assert bucket == 0 or ms > upper_ms(bucket - 1) * (1 - 1e-9)


def test_the_span_before_is_told_beside_it(desk: Desk) -> None:
    note(desk, Counter(accepted=5))
    desk.advance(3600)
    note(desk, Counter(accepted=2))
    fold(desk)
    found = look(desk)
    assert (found.total["accepted"], found.before["accepted"]) == (2, 5)
    assert len(found.slots) == 60
    assert sum(slot.counts["accepted"] for slot in found.slots) == 2
    assert found.slots[-1].counts["accepted"] == 2


def test_what_nobody_looks_at_any_more_is_forgotten(desk: Desk) -> None:
    note(desk, Counter(accepted=1))
    fold(desk)
    for days, left in ((2, {MINUTE, HOUR, DAY}), (3, {HOUR, DAY}), (64, {DAY}), (801, set())):
        clock = desk.runtime.clock
        assert isinstance(clock, FrozenClock)
        with desk.runtime.unit(WORKER, write=True) as unit:
            unit.now = clock.now() + timedelta(days=days)
            folding.forget_old(unit)
            assert set(unit.session.exec(select(Traffic.step))) == left


@pytest.mark.parametrize(
    ("back", "ago", "wanted"),
    [
        (HOUR, 0, (MINUTE, 1)),
        (DAY, 0, (MINUTE, 20)),
        (7 * DAY, 0, (HOUR, 3 * HOUR)),
        (30 * DAY, 0, (HOUR, 12 * HOUR)),
        (365 * DAY, 0, (DAY, 7 * DAY)),
        (HOUR, 3 * DAY, (HOUR, HOUR)),
        (DAY, 90 * DAY, (DAY, DAY)),
    ],
)
def test_a_span_is_told_by_the_finest_slots_that_are_kept(
    back: int, ago: int, wanted: tuple[int, int]
) -> None:
    now = 30_000_000
    assert plan(now - ago - back, now - ago, now=now, back=back) == wanted


def test_a_span_must_be_one(desk: Desk) -> None:
    now = datetime(2026, 11, 3, tzinfo=UTC)
    with desk.runtime.unit(desk.place.owner) as unit:
        for until in (now, now - ONE_MINUTE, now + timedelta(days=367)):
            with pytest.raises(Malformed):
                series(unit, since=now, until=until)


def test_a_year_of_ten_phones_and_five_templates_is_one_small_query(desk: Desk) -> None:
    now = int(desk.now.timestamp()) // 60
    with desk.runtime.unit(WORKER, write=True) as unit:
        unit.session.add_all(
            Traffic(
                workspace_id=desk.place.workspace.id,
                step=DAY,
                phone_number_id=phone,
                template_name=template,
                slot=(now // DAY - day) * DAY,
                counts={"accepted": 1},
            )
            for day in range(366)
            for phone in ("", *map(str, range(10)))
            for template in ("", *"abcde")
        )
    asked: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if " FROM traffic" in statement.replace("\n", " "):
            asked.append(statement)

    engine = desk.runtime.database.read
    event.listen(engine, "before_cursor_execute", count)
    try:
        with desk.runtime.unit(desk.place.owner) as unit:
            found = series(unit, since=desk.now - timedelta(days=365), until=desk.now)
    finally:
        event.remove(engine, "before_cursor_execute", count)
    assert len(asked) == 1
    assert 365 <= found.total["accepted"] <= 366
    with desk.runtime.unit(WORKER) as unit:
        assert unit.session.exec(select(func.count()).select_from(Traffic)).one() == 366 * 66
        of_all = col(Traffic.phone_number_id) == "", col(Traffic.template_name) == ""
        assert unit.session.exec(select(func.count()).where(*of_all)).one() == 366
