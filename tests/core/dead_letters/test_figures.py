"""What the page of dead letters shows at a glance, and what an edited redrive is held to."""

import copy

import pytest

from core.dead_letters.commands import redrive
from core.dead_letters.detail import letter_detail
from core.dead_letters.figures import letter_figures
from core.dead_letters.filters import LetterFilter
from core.dead_letters.groups import letter_groups
from core.dead_letters.lists import list_letters
from core.errors import Impossible
from core.messaging.requests import text_payload
from data.enums import LetterState, Role
from data.messages import DeadLetter
from tests.core.desk import HOPELESS, Desk, number

HOUR = 3600.0


def died(desk: Desk, *, code: str = "meta_131026") -> str:
    """The id of a new dead letter; ``code`` stands in the place of the one it died of."""
    message_id = desk.send_and_get(HOPELESS)
    (letter,) = desk.letters(message_id)
    desk.change(DeadLetter, letter.id, error_code=code, fingerprint=code)
    return letter.id


def test_figures_tell_new_from_old_and_what_can_pass_from_what_needs_a_fix(desk: Desk) -> None:
    died(desk, code="meta_130429")
    desk.advance(30 * HOUR)
    died(desk, code="meta_132000")
    desk.advance(2 * HOUR)
    closed = died(desk, code="meta_131026")
    desk.change(DeadLetter, closed, state=LetterState.DISCARDED, closed_at=desk.now)
    with desk.runtime.unit(desk.place.owner) as unit:
        found = letter_figures(unit)
    assert (found.open, found.new, found.new_before) == (2, 2, 1)
    assert (found.can_pass, found.needs_fix) == (1, 1)
    assert found.oldest_open_at is not None
    assert (desk.now - found.oldest_open_at).total_seconds() == pytest.approx(32 * HOUR, abs=1)
    assert found.new_per_hour == [0] * 21 + [1, 0, 1]
    assert found.can_pass_per_hour == [0] * 24
    assert found.needs_fix_per_hour == [0] * 21 + [1, 0, 0]
    assert [each.error_code for each in found.codes] == ["meta_130429", "meta_132000"]


def test_nothing_dead_is_all_zero(desk: Desk) -> None:
    with desk.runtime.unit(desk.place.owner) as unit:
        found = letter_figures(unit)
    assert (found.open, found.new, found.can_pass, found.needs_fix) == (0, 0, 0, 0)
    assert found.oldest_open_at is None


def test_a_group_has_the_words_of_one_of_its_letters_and_its_hours(desk: Desk) -> None:
    died(desk)
    desk.advance(HOUR)
    died(desk)
    with desk.runtime.unit(desk.place.owner) as unit:
        (group,) = letter_groups(unit, LetterFilter(state=LetterState.OPEN))
        (bare,) = letter_groups(unit, LetterFilter(state=LetterState.OPEN), with_hours=False)
    assert (group.count, group.detail, group.template_name) == (2, "Message undeliverable", "order_update")
    assert group.per_hour == [0] * 22 + [1, 1]
    assert bare.per_hour == [0] * 24


def test_the_last_hours_count_back_from_now(desk: Desk) -> None:
    died(desk)
    desk.advance(25 * HOUR)
    recent = died(desk)
    with desk.runtime.unit(desk.place.owner) as unit:
        page = list_letters(unit, LetterFilter(last_hours=24))
    assert [row.id for row in page.items] == [recent]


def test_a_letter_says_whether_it_fails_again(desk: Desk) -> None:
    hopeless, passing = died(desk), died(desk, code="meta_130429")
    with desk.runtime.unit(desk.place.owner) as unit:
        assert "refuses the same message again" in letter_detail(unit, hopeless).row.fails_again
        assert letter_detail(unit, passing).row.fails_again == ""


def test_what_a_letter_was_before_an_edit_is_hidden_with_its_payload(desk: Desk) -> None:
    letter_id = died(desk)
    with desk.runtime.unit(desk.place.owner) as unit:
        payload = copy.deepcopy(letter_detail(unit, letter_id).payload)
    assert payload is not None
    payload["template"]["components"][0]["parameters"][0]["text"] = "Maria"
    with desk.runtime.unit(desk.place.acting(Role.OWNER), write=True) as unit:
        redrive(unit, letter_id, payload=payload)
    with desk.runtime.unit(desk.place.acting(Role.SUPPORT)) as unit:
        masked = letter_detail(unit, letter_id)
    with desk.runtime.unit(desk.place.acting(Role.OWNER)) as unit:
        whole = letter_detail(unit, letter_id)
    assert masked.payload is None
    assert [action.payload_before for action in masked.actions] == [None]
    assert whole.actions[0].payload_before is not None
    assert whole.payload == payload


def test_an_edited_redrive_is_held_to_what_a_new_send_is(desk: Desk) -> None:
    letter_id = died(desk)
    with (
        pytest.raises(Impossible) as refused,
        desk.runtime.unit(desk.place.owner, write=True) as unit,
    ):
        redrive(unit, letter_id, payload=text_payload(number(1), text="Hello"))
    assert refused.value.code == "window_closed"
    with desk.runtime.unit(desk.place.owner) as unit:
        assert letter_detail(unit, letter_id).row.state is LetterState.OPEN
