"""B1-B4 and B10 over whole histories in a real database, against an oracle written another way."""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.billing import statements
from core.billing.rules import Term
from core.billing.statements import Account, digest
from core.conversations.verify import verify
from core.runtime import Runtime
from data.enums import MessageState, PlanName
from tests.conftest import PHONE_ID, SECOND_PHONE_ID, Place
from tests.core.ledger import CLERK, Ledger, Said

# Spring forward in Berlin is in the middle: no window may notice.
START = datetime(2026, 10, 20, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
PHONES = (PHONE_ID, SECOND_PHONE_ID)
TYPES = ("text", "image", "order", "reaction", "system")
_examples = count()


@dataclass(frozen=True)
class Step:
    """One message: after so many half hours, between whom, which way; whether it fails later; whether what is
    due is computed right after it arrives."""

    half_hours: int
    contact: int
    phone: int
    inbound: bool
    meta_type: str
    fails: bool
    settles: bool


steps = st.builds(
    Step,
    half_hours=st.integers(0, 8 * 48),
    contact=st.integers(0, 2),
    phone=st.integers(0, 1),
    inbound=st.booleans(),
    meta_type=st.sampled_from(TYPES),
    fails=st.booleans(),
    settles=st.booleans(),
)


def oracle(history: list[Said], failed: set[str]) -> list[tuple[Any, ...]]:
    """(phone, contact, opened at, messages in, messages out): the earliest uncovered event opens the next."""
    pairs: dict[tuple[str, str], list[Said]] = defaultdict(list)
    for said in history:
        counts = said.meta_type in ("text", "image", "order") if said.inbound else said.key not in failed
        if counts:
            pairs[said.phone, said.contact].append(said)
    found = []
    for (phone, contact), events in pairs.items():
        left = list(events)
        while left:
            first = min(left, key=lambda one: (one.at, not one.inbound, one.key))
            mine = [one for one in left if one.at < first.at + DAY]
            sides = [one.inbound for one in mine]
            found.append((phone, contact, first.at, sides.count(True), sides.count(False)))
            left = [one for one in left if one not in mine]
    return sorted(found)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(steps, max_size=30))
def test_b4_any_history_in_any_batches_with_late_failures_is_the_oracles(
    runtime: Runtime, place: Place, made: list[Step]
) -> None:
    ledger = Ledger(runtime, place, numbers_from=1000 * next(_examples))
    name = f"x{ledger.numbers_from}"
    history = []
    for number, step in enumerate(made):
        said = Said(
            f"{name}m{number:03d}",
            START + step.half_hours * HOUR / 2,
            inbound=step.inbound,
            contact=f"con_{name}c{step.contact}",
            phone=PHONES[step.phone],
            meta_type=step.meta_type,
            state=MessageState.SENT,
        )
        history.append(said)
        ledger.write([said])
        if step.settles:
            ledger.settle()
    failed = {said.key for said, step in zip(history, made, strict=True) if step.fails and not said.inbound}
    for key in sorted(failed):
        ledger.report(key, "failed", START + 9 * DAY, state=MessageState.FAILED)
    ledger.settle()
    mine = {f"con_{name}c{number}" for number in range(3)}
    stored = [
        (one.phone_number_id, one.contact_id, one.opened_at, one.messages_in, one.messages_out)
        for one in ledger.conversations()
        if one.contact_id in mine
    ]
    assert sorted(stored) == oracle(history, failed)
    with runtime.unit(CLERK) as unit:
        assert verify(unit, place.workspace.id) == []


def _account(**changes: Any) -> Account:
    end = START + 31 * DAY
    term = Term(PlanName.PRO, 1, 500, 5_000, START, end)
    known = Account("2026-10", START, end, "UTC", (term,), (0,), (512,), 0)
    return replace(known, **changes)


ENTRIES = [("cnv_a", 1, 5), ("cnv_b", -1, 7)]


@given(
    st.sampled_from(
        [
            {"after": (513,)},
            {"before": (1,)},
            {"zone": "Asia/Tokyo"},
            {"end": START + 30 * DAY},
            {"charged_micros": 1},
            {"terms": (Term(PlanName.PRO, 2, 500, 5_000, START, START + 31 * DAY),)},
        ]
    )
)
def test_b10_the_hash_of_an_invoice_changes_with_every_input(change: dict[str, Any]) -> None:
    known = digest("ws", "2026-10", [_account()], ENTRIES)
    assert known == digest("ws", "2026-10", [statements.from_json(statements.to_json(_account()))], ENTRIES)
    assert known != digest("ws", "2026-10", [_account(**change)], ENTRIES)
    assert known != digest("ws", "2026-10", [_account()], ENTRIES[:1])
    assert known != digest("other", "2026-10", [_account()], ENTRIES)
