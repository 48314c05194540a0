from datetime import timedelta
from typing import Any

import pytest

from core.errors import Forbidden
from core.messaging.preview import FUTURE_ID, Preview, preview
from core.messaging.requests import text_payload
from data.enums import Role
from data.messages import Contact, ServiceWindow
from tests.conftest import PHONE_ID
from tests.core.desk import Desk, number, order

MARA = number(1)


def look(desk: Desk, payload: dict[str, Any]) -> Preview:
    with desk.runtime.unit(desk.place.acting(Role.AGENT)) as unit:
        return preview(unit, payload, phone_number_id=PHONE_ID)


def let_write(desk: Desk, *, hours_ago: float) -> None:
    """Someone with a name wrote to the phone that long ago."""
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        contact = Contact(
            id=unit.new_id("con"),
            workspace_id=desk.place.workspace.id,
            wa_id=MARA.removeprefix("+"),
            name="Mara Vogel",
            created_at=unit.now,
        )
        unit.session.add(contact)
        unit.session.flush()
        window = ServiceWindow(
            phone_number_id=PHONE_ID,
            contact_id=contact.id,
            last_inbound_at=unit.now - timedelta(hours=hours_ago),
        )
        unit.session.add(window)


def test_a_preview_is_the_text_and_the_body_and_nothing_is_stored(desk: Desk) -> None:
    before = desk.rows()
    found = look(desk, order(MARA).payload)
    assert found.text == "Hello Mara, your order NW-20418 is on its way."
    assert found.body["to"] == MARA
    assert found.body["biz_opaque_callback_data"] == FUTURE_ID
    assert found.body["template"]["language"] == {"code": "en_US"}
    assert found.refusal is None
    assert desk.rows() == before


def test_it_knows_the_person_and_their_window(desk: Desk) -> None:
    let_write(desk, hours_ago=1)
    found = look(desk, text_payload(MARA, text="Hello"))
    assert (found.contact_name, found.window_is_open, found.refusal) == ("Mara Vogel", True, None)
    assert found.window_ends_at == desk.now + timedelta(hours=23)


def test_a_closed_window_is_told_with_its_end_and_refuses_text_only(desk: Desk) -> None:
    let_write(desk, hours_ago=24)
    refused = look(desk, text_payload(MARA, text="Hello"))
    assert (refused.window_is_open, refused.window_ends_at) == (False, desk.now)
    assert (refused.refusal_code, refused.text) == ("window_closed", "Hello")
    assert look(desk, order(MARA).payload).refusal is None


def test_what_can_be_told_of_an_unfinished_send_is_told(desk: Desk) -> None:
    no_number = look(desk, order("Mara").payload)
    assert (no_number.to_pretty, no_number.refusal_code) == (None, "invalid_recipient")
    no_text = look(desk, text_payload(MARA, text=""))
    assert (no_text.to_pretty, no_text.refusal_code) == ("+49 1511 2300001", "text_empty")
    paused = order(MARA).payload
    paused["template"]["name"] = "spring_sale"
    assert look(desk, paused).refusal_code == "template_not_sendable"


def test_a_viewer_may_not_preview(desk: Desk) -> None:
    with pytest.raises(Forbidden), desk.runtime.unit(desk.place.acting(Role.VIEWER)) as unit:
        preview(unit, order().payload, phone_number_id=PHONE_ID)
