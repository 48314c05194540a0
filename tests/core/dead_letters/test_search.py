"""What is found by what people type, and what stays where it is while new letters come."""

import pytest
from sqlalchemy import text

from core.contacts.erase import erase
from core.dead_letters.filters import LetterFilter, filter_json, frozen, read_filter
from core.dead_letters.lists import LetterSort, count_letters, list_letters
from core.errors import Forbidden, Malformed
from core.ports.graph_replies import Reply, ReplyKind
from core.ports.meta_errors import ErrorClass
from data.enums import LetterState, Role
from data.messages import Message
from data.words import words
from tests.conftest import Place
from tests.core.desk import HOPELESS, Desk, envelope, inbound, number, text_to

OPEN = LetterState.OPEN


def die(desk: Desk, *, detail: str, first: int = 1) -> str:
    """The id of the letter of a new message that Meta refused in those words."""
    (message_id,) = desk.queue(first=first)
    reply = Reply(ReplyKind.REFUSED, meta_code=131026, http_status=400, detail=detail)
    desk.answer(*((ours, reply) for ours in desk.put_on_the_wire()))
    desk.advance(1)
    return desk.letters(message_id)[-1].id


def found(
    desk: Desk, q: str, *, role: Role = Role.MANAGER, sort: LetterSort = LetterSort.NEWEST
) -> list[str]:
    with desk.runtime.unit(desk.place.acting(role)) as unit:
        return [row.id for row in list_letters(unit, LetterFilter(q=q), sort=sort).items]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Café, order_update #132000", ["cafe", "order", "update", "132000"]),
        ("STRASSE straße", ["strasse", "strasse"]),
        ('\'); DROP TABLE "x" * NEAR(', ["drop", "table", "x", "near"]),
        ("受信者 สวัสดี", [*"受信者", *"สวสด"]),
        ("", []),
    ],
)
def test_words_are_the_same_for_every_database(written: str, read: list[str]) -> None:
    assert [word for word in words(written) if word.isalnum()] == read


def test_letters_are_found_by_every_word_of_error_and_message(desk: Desk) -> None:
    first = die(desk, detail="Recipient's phone is Größer than allowed", first=1)
    second = die(desk, detail="受信者に届きません (subcode 2494)", first=2)
    assert found(desk, "grosser ALLOW") == found(desk, "größ") == [first]
    assert found(desk, "受信者") == found(desk, "2494") == [second]
    assert found(desk, "order_update") == found(desk, "mara NW-20418") == [second, first]
    assert found(desk, "meta_131026", sort=LetterSort.OLDEST) == [first, second]
    assert found(desk, "grosser nothing") == found(desk, "___") == found(desk, '"*') == []
    with desk.runtime.unit(desk.place.owner) as unit:
        assert count_letters(unit, LetterFilter(state=OPEN, q="mara", klass=ErrorClass.PERMANENT)) == 2
        assert count_letters(unit, LetterFilter(state=OPEN, q="mara", phone_number_id="1")) == 0
        page = list_letters(unit, LetterFilter(q="mara"), limit=1)
        rest = list_letters(unit, LetterFilter(q="mara"), cursor=page.next_cursor, limit=1)
    assert [page.items[0].id, rest.items[0].id, rest.next_cursor] == [second, first, None]


def test_ids_wamids_and_numbers_are_found_as_they_are_pasted(desk: Desk) -> None:
    letter_id = die(desk, detail="x", first=7)
    die(desk, detail="x", first=8)
    with desk.runtime.unit(desk.place.owner) as unit:
        (row,) = list_letters(unit, LetterFilter(to=number(7))).items
    assert found(desk, letter_id) == found(desk, row.message_id) == [letter_id]
    assert found(desk, number(7)) == found(desk, "49 151 123-00007") == [letter_id]
    assert len(found(desk, number(7)[:-1])) == 2
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        unit.session.execute(
            text("UPDATE attempt SET wamid = 'wamid.abc' WHERE message_id = :id"), {"id": row.message_id}
        )
    assert found(desk, "wamid.abc") == [letter_id]


def test_who_may_not_see_texts_and_numbers_finds_nothing_by_them(desk: Desk) -> None:
    letter_id = die(desk, detail="Out of reach")
    assert found(desk, "mara", role=Role.SUPPORT) == []
    assert found(desk, "reach", role=Role.SUPPORT) == [letter_id]
    with pytest.raises(Forbidden):
        found(desk, number(1), role=Role.SUPPORT)


def test_words_of_another_workspace_are_not_found(desk: Desk, other_place: Place) -> None:
    die(desk, detail="Out of reach")
    with desk.runtime.unit(other_place.owner) as unit:
        assert list_letters(unit, LetterFilter(q="reach")).items == []


def test_an_erased_contact_is_found_by_nothing(desk: Desk) -> None:
    letter_id = die(desk, detail="Out of reach")
    with desk.runtime.unit(desk.place.acting(Role.OWNER), write=True) as unit:
        contact_id = unit.session.get_one(
            Message, list_letters(unit, LetterFilter(q=letter_id)).items[0].message_id
        ).contact_id
        erase(unit, contact_id, reason="They asked")
    assert found(desk, "mara") == found(desk, "reach") == []
    with desk.runtime.unit(desk.place.owner) as unit:
        assert unit.session.execute(text("SELECT count(*) FROM letter_text")).scalar_one() == 0


def test_pages_stay_put_while_new_letters_come(desk: Desk) -> None:
    ids = [die(desk, detail="x", first=index) for index in range(1, 7)]
    wanted = LetterFilter(state=OPEN)
    with desk.runtime.unit(desk.place.owner) as unit:
        first = list_letters(unit, wanted, limit=3)
    die(desk, detail="x", first=9)
    with desk.runtime.unit(desk.place.owner) as unit:
        second = list_letters(unit, wanted, limit=3, cursor=first.next_cursor)
        assert [row.id for row in first.items + second.items] == ids[::-1]


def test_a_filter_is_the_same_when_it_is_read_again(desk: Desk) -> None:
    wanted = LetterFilter(
        state=OPEN, klass=ErrorClass.FIX, q="a", last_hours=24, since=desk.now, attempts=3, to=number(1)
    )
    assert read_filter(filter_json(wanted)) == wanted
    later = frozen(LetterFilter(last_hours=24), now=desk.now)
    assert (later.last_hours, later.since) == (None, desk.now.replace(day=desk.now.day - 1))


def test_words_go_by_time_only(desk: Desk) -> None:
    with pytest.raises(Malformed):
        found(desk, "mara", sort=LetterSort.MOST_ATTEMPTS)


def test_a_text_message_is_found_by_what_it_says(desk: Desk) -> None:
    desk.hear(envelope(messages=[inbound(wamid="wamid.in", at=desk.now)]))
    (message_id,) = desk.queue(request=text_to(text="Your parcel waits at the counter"))
    desk.answer(*((ours, HOPELESS) for ours in desk.put_on_the_wire()))
    assert found(desk, "parcel COUNTER") == [desk.letters(message_id)[0].id]
