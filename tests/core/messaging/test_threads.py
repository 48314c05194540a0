from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col

from core.errors import Forbidden
from core.messaging.threads import Thread, said, thread
from data.enums import Role
from data.messages import Contact
from tests.conftest import Place
from tests.core.desk import HOPELESS, Desk, envelope, inbound, number, order


def contact_id(desk: Desk) -> str:
    with desk.runtime.unit(desk.place.owner) as unit:
        known = unit.scoped(Contact).where(col(Contact.wa_id) == number(1).removeprefix("+"))
        return unit.session.exec(known).one().id


def read(desk: Desk, role: Role = Role.AGENT, **bounds: Any) -> Thread:
    with desk.runtime.unit(desk.place.acting(role)) as unit:
        return thread(unit, contact_id(desk), **bounds)


def test_a_thread_reads_oldest_first_with_each_message_in_words(desk: Desk) -> None:
    wrote_at = desk.now - timedelta(minutes=2)
    desk.hear(envelope(messages=[inbound("Where is it?", wamid="wamid.1", at=wrote_at)]))
    desk.advance(60)
    desk.queue(request=order())
    (ours,) = desk.put_on_the_wire()
    desk.answer((ours, HOPELESS))
    desk.queue(first=2)
    question, answer = read(desk).bubbles
    assert (question.label, question.said, question.at) == ("", "Where is it?", wrote_at)
    assert answer.label == "order_update"
    assert answer.said == "Hello Mara, your order NW-20418 is on its way."
    assert (answer.row.status, answer.row.error_title) == ("dead", "Cannot be delivered to this number")


def test_older_messages_come_page_by_page_and_the_shown_ones_are_read_again(desk: Desk) -> None:
    sent = [message_id for _ in range(5) for message_id in desk.queue(request=order())]
    newest = read(desk, limit=2)
    assert [bubble.row.id for bubble in newest.bubbles] == sent[3:]
    older = read(desk, limit=2, before=newest.older_cursor)
    assert [bubble.row.id for bubble in older.bubbles] == sent[1:3]
    oldest = read(desk, limit=2, before=older.older_cursor)
    assert [bubble.row.id for bubble in oldest.bubbles] == sent[:1]
    assert oldest.older_cursor is None
    (new,) = desk.queue(request=order())
    again = read(desk, first=sent[1])
    assert [bubble.row.id for bubble in again.bubbles] == [*sent[1:], new]
    assert again.older_cursor == sent[1]
    assert read(desk, first=sent[0]).older_cursor is None


def test_a_viewer_sees_that_something_was_said_and_not_what(desk: Desk) -> None:
    desk.queue(request=order())
    (bubble,) = read(desk, Role.VIEWER).bubbles
    assert (bubble.said, bubble.row.to) == ("Text hidden", "+49•••••0001")
    with pytest.raises(Forbidden):
        read(desk, Role.SUPPORT)


def test_p5_the_thread_of_another_workspaces_contact_is_empty(desk: Desk, other_place: Place) -> None:
    desk.queue(request=order())
    known = contact_id(desk)
    with desk.runtime.unit(other_place.owner) as unit:
        assert thread(unit, known).bubbles == []


def test_a_thread_is_read_from_its_index(desk: Desk) -> None:
    if not desk.runtime.database.is_sqlite:
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by statistics")
    with desk.runtime.unit(desk.place.owner) as unit:
        sql = (
            "SELECT id FROM message WHERE workspace_id = 'w' AND contact_id = 'c' AND id < 'm' "
            "ORDER BY id DESC LIMIT 51"
        )
        plan = [row[3] for row in unit.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]
    assert plan == ["SEARCH message USING INDEX ix_message_contact (contact_id=? AND id<?)"]


@pytest.mark.parametrize(
    ("payload", "kind", "words"),
    [
        ({"text": "Hi"}, "", "Hi"),
        ({"type": "image", "image": {"id": "1", "caption": "My parcel"}}, "Photo", "My parcel"),
        ({"type": "document", "document": {"filename": "bill.pdf"}}, "Document", "bill.pdf"),
        (
            {"type": "location", "location": {"name": "Home", "address": "Elm St 1"}},
            "Location",
            "Home\nElm St 1",
        ),
        ({"type": "button", "button": {"payload": "y", "text": "Yes"}}, "Button", "Yes"),
        (
            {
                "type": "interactive",
                "interactive": {"type": "list_reply", "list_reply": {"id": "1", "title": "Tuesday"}},
            },
            "Choice",
            "Tuesday",
        ),
        ({"type": "reaction", "reaction": {"message_id": "m", "emoji": "👍"}}, "Reaction", "👍"),
        ({"type": "reaction", "reaction": {"message_id": "m", "emoji": ""}}, "Reaction", "Taken back"),
        ({"type": "sticker", "sticker": {"id": "1"}}, "Sticker", ""),
        (
            {"type": "hologram", "hologram": {"id": "1"}},
            "A kind of message that WhatsApp does not pass on",
            "",
        ),
        ({"type": 7, "7": []}, "A kind of message that WhatsApp does not pass on", ""),
        ({}, "A kind of message that WhatsApp does not pass on", ""),
    ],
)
def test_what_is_no_template_is_told_by_its_kind_and_words(
    payload: dict[str, Any], kind: str, words: str
) -> None:
    assert said(payload) == (kind, words)
