"""Kept counts (Q11): whatever becomes of letters, by whatever way, they are what counting anew finds."""

from datetime import timedelta

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from core.dead_letters import bulk
from core.dead_letters.bulk import Order
from core.dead_letters.commands import discard, redrive, restore
from core.dead_letters.figures import letter_figures, verify_counts
from core.dead_letters.filters import LetterFilter
from core.dead_letters.groups import letter_groups
from core.dead_letters.lists import counts_by_state
from core.errors import DomainError
from core.messaging import letter_counts
from data.enums import BulkVerb, LetterState
from data.messages import DeadLetter
from tests.conftest import PHONE_ID, SECOND_PHONE_ID, Place
from tests.core.desk import HOPELESS, WORKER, Desk, accepted, envelope, number, status

ACTS = ["die", "die elsewhere", "redrive", "discard", "restore", "deliver", "discard all", "add up", "erase"]


def act(desk: Desk, what: str, dice: int) -> None:
    with desk.runtime.unit(WORKER) as unit:
        letters = [row[0] for row in unit.session.execute(text("SELECT id FROM dead_letter ORDER BY id"))]
    one = letters[dice % len(letters)] if letters else ""
    with desk.runtime.unit(WORKER) as unit:
        letter = unit.session.get(DeadLetter, one)
    try:
        if what in ("die", "die elsewhere"):
            phone = PHONE_ID if what == "die" else SECOND_PHONE_ID
            desk.queue(1 + dice % 2, first=dice % 50, phone_number_id=phone)
            desk.answer(*((ours, HOPELESS) for ours in desk.put_on_the_wire()))
        elif what == "add up":
            with desk.runtime.unit(WORKER, write=True) as unit:
                letter_counts.add_up(unit)
        elif what == "discard all":
            with desk.runtime.unit(desk.place.owner, write=True) as unit:
                bulk.start(unit, Order(BulkVerb.DISCARD, reason="Old", confirm=True))
            bulk.run_due(desk.runtime)
        elif letter is not None and what == "deliver":
            wamid = f"wamid.{letter.message_id}"
            told = status("delivered", wamid=wamid, at=desk.now, message_id=letter.message_id)
            desk.hear(envelope(statuses=[told], phone=letter.phone_number_id))
        elif letter is not None and what == "erase":
            desk.change(DeadLetter, letter.id, fingerprint=f"other {dice % 3}")
        elif letter is not None:
            with desk.runtime.unit(desk.place.owner, write=True) as unit:
                if what == "redrive":
                    redrive(unit, one)
                elif what == "discard":
                    discard(unit, one, reason="Old")
                else:
                    restore(unit, one)
            desk.answer(*((ours, accepted(f"wamid.{dice}")) for ours in desk.put_on_the_wire()))
    except DomainError:
        pass  # not open, or not discarded: nothing changed
    desk.advance(1700)


@given(acts=st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 99)), min_size=4, max_size=14))
@settings(
    max_examples=4,
    phases=[Phase.explicit, Phase.generate],  # an example takes a second: to make it smaller takes minutes
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_q11_counts_are_kept_by_whatever_changes_a_letter(desk: Desk, acts: list[tuple[str, int]]) -> None:
    act(desk, "die", 1)
    for what, dice in acts:
        act(desk, what, dice)
    with desk.runtime.unit(desk.place.owner) as unit:
        assert verify_counts(unit) == []
        counted = unit.session.execute(text("SELECT state, count(*) FROM dead_letter GROUP BY state"))
        true = {LetterState(state): count for state, count in counted}
        assert counts_by_state(unit) == {state: true.get(state, 0) for state in LetterState}
        figures, groups = letter_figures(unit), letter_groups(unit, LetterFilter(state=LetterState.OPEN))
        assert figures.open == sum(group.count for group in groups) == true.get(LetterState.OPEN, 0)
        # The same letters, asked for so that they are counted: as if nothing were kept.
        since = desk.now - timedelta(days=30)
        assert letter_groups(unit, LetterFilter(state=LetterState.OPEN, since=since)) == groups


def test_q11_a_wrong_count_is_found(desk: Desk) -> None:
    desk.send_and_get(HOPELESS)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        unit.session.execute(text("UPDATE letter_tally_change SET letters = 3"))
    with desk.runtime.unit(desk.place.owner) as unit:
        (wrong,) = verify_counts(unit)
    assert wrong.endswith("kept 3, counted 1")


def test_q11_groups_say_for_whom_it_is_broken_and_tell_workspaces_apart(
    desk: Desk, other_place: Place
) -> None:
    desk.queue(3)
    desk.queue(1, first=9, phone_number_id=SECOND_PHONE_ID)
    desk.answer(*((ours, HOPELESS) for ours in desk.put_on_the_wire()))
    with desk.runtime.unit(desk.place.owner) as unit:
        (group,) = letter_groups(unit, LetterFilter(state=LetterState.OPEN))
        (one,) = letter_groups(unit, LetterFilter(phone_number_id=SECOND_PHONE_ID))
        (his,) = letter_groups(unit, LetterFilter(to=number(2)))
    assert group.phones == {PHONE_ID: 3, SECOND_PHONE_ID: 1}
    assert group.templates == {"order_update": 4}
    assert (one.count, one.phones) == (1, {SECOND_PHONE_ID: 1})
    assert (his.count, his.first_seen) == (1, group.first_seen)
    assert group.meaning
    with desk.runtime.unit(other_place.owner) as unit:
        assert letter_groups(unit, LetterFilter()) == []


def test_q11_added_up_counts_are_the_same_and_old_hours_go(desk: Desk) -> None:
    desk.send_and_get(HOPELESS)
    with desk.runtime.unit(desk.place.owner) as unit:
        before = letter_figures(unit), letter_groups(unit, LetterFilter())
    with desk.runtime.unit(WORKER, write=True) as unit:
        assert letter_counts.add_up(unit) > 0
        assert letter_counts.add_up(unit) == 0
    with desk.runtime.unit(desk.place.owner) as unit:
        assert (letter_figures(unit), letter_groups(unit, LetterFilter())) == before
    desk.advance(3 * 86_400)
    with desk.runtime.unit(WORKER, write=True) as unit:
        letter_counts.forget_old_hours(unit)
        hours = unit.session.execute(text("SELECT count(*) FROM letter_hour")).scalar_one()
    assert hours == 0
    with desk.runtime.unit(desk.place.owner) as unit:
        assert letter_figures(unit).open == 1
