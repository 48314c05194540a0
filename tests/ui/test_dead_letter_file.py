"""Dead letters taken out as a file by a browser."""

import json

import httpx

from core.audit_log.queries import AuditFilter, list_entries
from data.enums import Role
from data.sending import Phone
from tests.conftest import Place
from tests.console import COOKIE, Console
from tests.core.desk import HOPELESS, Desk


def test_a_browser_gets_the_file_that_scripts_get(console: Console, console_place: Place) -> None:
    desk = Desk(console.runtime, console_place)
    with console.runtime.unit(console_place.owner) as unit:
        phone = unit.session.exec(unit.scoped(Phone)).first()
    assert phone is not None
    desk.queue(phone_number_id=phone.id)
    desk.answer(*((ours, HOPELESS) for ours in desk.put_on_the_wire()))
    cookies = {COOKIE: console.token_for(console.owner_email(console_place))}
    with httpx.Client(base_url=console.url, cookies=cookies) as client:
        answer = client.get("/dead-letters/export", params={"format": "json", "errorCode": "meta_131026"})
        nothing = client.get("/dead-letters/export", params={"errorCode": "meta_1"})
        page = client.get("/dead-letters")
    assert "attachment" in answer.headers["content-disposition"]
    assert [json.loads(line)["errorCode"] for line in answer.text.splitlines()] == ["meta_131026"]
    assert len(nothing.text.splitlines()) == 1
    assert page.headers["content-type"].startswith("text/html")
    with console.runtime.unit(console_place.owner) as unit:
        assert list_entries(unit, AuditFilter()).items[0].action == "dead_letters.exported"


def test_support_takes_nothing_out(console: Console, console_place: Place) -> None:
    cookies = {COOKIE: console.token_for(console.add_person(console_place, Role.SUPPORT))}
    with httpx.Client(base_url=console.url, cookies=cookies) as client:
        answer = client.get("/dead-letters/export")
        stranger = httpx.get(f"{console.url}/dead-letters/export")
    assert answer.status_code == 403
    assert "dead_letters.export" in answer.text
    assert (stranger.status_code, "/login" in stranger.headers["location"]) == (303, True)
