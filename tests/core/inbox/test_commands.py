import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from core.contacts.queries import window_ends
from data.enums import Direction, MessageKind, MessageState
from data.messages import Contact, Message, ServiceWindow
from tests.conftest import PHONE_ID, SECOND_PHONE_ID, Place
from tests.core.desk import WORKER, Desk, accepted, envelope, inbound, status


def windows(desk: Desk) -> list[ServiceWindow]:
    with desk.runtime.unit(WORKER) as unit:
        return list(unit.session.exec(select(ServiceWindow)))


def contacts(desk: Desk) -> list[Contact]:
    with desk.runtime.unit(WORKER) as unit:
        return list(unit.session.exec(select(Contact).order_by(col(Contact.id))))


def heard(desk: Desk) -> list[Message]:
    with desk.runtime.unit(WORKER) as unit:
        return list(unit.session.exec(select(Message).where(col(Message.direction) == Direction.INBOUND)))


def test_a_text_is_stored_with_its_contact_and_opens_the_service_window(desk: Desk) -> None:
    assert desk.hear(envelope(messages=[inbound("Where is it?", wamid="wamid.a", at=desk.now)])) == 1
    (message,), (contact,) = heard(desk), contacts(desk)
    assert (message.state, message.kind) == (MessageState.RECEIVED, MessageKind.TEXT)
    assert message.payload == {"from": "4915112300001", "text": "Where is it?"}
    assert (message.recipient, message.wamid) == ("+4915112300001", "wamid.a")
    assert (message.workspace_id, message.phone_number_id) == (desk.place.workspace.id, PHONE_ID)
    assert (contact.wa_id, contact.name) == ("4915112300001", "Mara")
    with desk.runtime.unit(WORKER) as unit:
        ends = window_ends(unit.session, phone_number_id=PHONE_ID, contact_id=contact.id)
    assert ends == desk.now + timedelta(hours=24)


def test_what_is_not_text_is_kept_whole_and_opens_the_window_too(desk: Desk) -> None:
    picture: dict[str, Any] = inbound(wamid="wamid.p", at=desk.now) | {"type": "image", "image": {"id": "9"}}
    del picture["text"]
    desk.hear(envelope(messages=[picture]))
    (message,) = heard(desk)
    assert message.kind is MessageKind.OTHER
    assert message.payload["image"] == {"id": "9"}
    assert len(windows(desk)) == 1


def test_the_same_webhook_again_changes_nothing(desk: Desk) -> None:
    message_id = desk.send_and_get(accepted())
    webhook = envelope(
        statuses=[status("delivered", wamid="wamid.one", at=desk.now)],
        messages=[inbound(wamid="wamid.a", at=desk.now)],
    )
    desk.hear(webhook)
    before = (desk.rows(), desk.message(message_id), heard(desk), windows(desk))
    desk.advance(60)
    for _ in range(3):
        desk.hear(webhook)
    assert (desk.rows(), desk.message(message_id), heard(desk), windows(desk)) == before


def test_a_late_message_never_shortens_the_window_and_a_new_one_lengthens_it(desk: Desk) -> None:
    desk.hear(envelope(messages=[inbound(wamid="wamid.a", at=desk.now)]))
    desk.hear(envelope(messages=[inbound(wamid="wamid.b", at=desk.now - timedelta(hours=20))]))
    assert windows(desk)[0].last_inbound_at == desk.now
    desk.advance(3600)
    desk.hear(envelope(messages=[inbound(wamid="wamid.c", at=desk.now)]))
    assert windows(desk)[0].last_inbound_at == desk.now


def test_each_phone_has_its_own_window_with_a_contact(desk: Desk) -> None:
    desk.hear(envelope(messages=[inbound(wamid="wamid.a", at=desk.now)]))
    desk.hear(envelope(phone=SECOND_PHONE_ID, messages=[inbound(wamid="wamid.b", at=desk.now)]))
    assert {one.phone_number_id for one in windows(desk)} == {PHONE_ID, SECOND_PHONE_ID}
    assert len(contacts(desk)) == 1


def test_a_contact_takes_the_newest_name(desk: Desk) -> None:
    first, second = (envelope(messages=[inbound(wamid=f"wamid.{n}", at=desk.now)]) for n in "ab")
    second["entry"][0]["changes"][0]["value"]["contacts"][0]["profile"]["name"] = "Mara Vogel"
    desk.hear(first)
    desk.hear(second)
    assert [one.name for one in contacts(desk)] == ["Mara Vogel"]


def test_p5_the_same_person_is_another_contact_in_another_workspace(desk: Desk, other_place: Place) -> None:
    desk.hear(envelope(messages=[inbound(wamid="wamid.a", at=desk.now)]))
    desk.hear(envelope(phone=str(int(PHONE_ID) + 50), messages=[inbound(wamid="wamid.b", at=desk.now)]))
    assert {one.workspace_id for one in contacts(desk)} == {desk.place.workspace.id, other_place.workspace.id}


def test_a_phone_of_nobody_is_passed_over(desk: Desk) -> None:
    assert desk.hear(envelope(phone="1", messages=[inbound(wamid="wamid.a", at=desk.now)])) == 0
    assert heard(desk) == []


def test_many_updates_in_one_webhook_are_all_taken_in(desk: Desk) -> None:
    webhook = envelope(
        messages=[inbound(wamid=f"wamid.{n}", at=desk.now, sender=f"49151123000{n:02d}") for n in range(30)]
    )
    webhook["entry"].append(
        envelope(phone=SECOND_PHONE_ID, messages=[inbound(wamid="wamid.x", at=desk.now)])["entry"][0]
    )
    assert desk.hear(webhook) == 31
    assert len(heard(desk)) == 31


@pytest.mark.parametrize("webhook", [None, [], {}, {"entry": None}, {"entry": [{"changes": [None]}]}, "x"])
def test_a_webhook_of_a_wrong_shape_changes_nothing(desk: Desk, webhook: Any) -> None:
    assert desk.hear(webhook) == 0


def test_one_message_that_arrives_in_ten_posts_at_once_is_stored_once(desk: Desk) -> None:
    webhook = envelope(messages=[inbound(wamid="wamid.a", at=desk.now)])
    start = threading.Barrier(10)

    def post(_: int) -> None:
        start.wait()
        desk.hear(webhook)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(post, range(10)))
    assert len(heard(desk)) == 1
    assert len(contacts(desk)) == 1


def test_statuses_of_one_message_in_ten_posts_at_once_end_at_the_furthest(desk: Desk) -> None:
    message_id = desk.send_and_get(accepted())
    names = ["sent", "delivered", "read", "delivered", "sent"] * 2
    start = threading.Barrier(10)

    def post(name: str) -> None:
        start.wait()
        desk.hear(envelope(statuses=[status(name, wamid="wamid.one", at=desk.now)]))

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(post, names))
    assert desk.message(message_id).state is MessageState.READ
    assert desk.rows()["MessageStatus"] == 3
