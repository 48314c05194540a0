"""The webhooks page, in a real browser: what came through the real route, and what is done about it."""

import hashlib
import hmac
import json
import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect
from sqlmodel import col, select

from core.inbox.lane import apply_due
from core.phones.queries import choices
from core.team.owners import COMMAND
from data.enums import DeliveryState, Role
from data.inbox import Delivery
from data.operations import AuditEntry
from tests.conftest import APP_SECRET, Place
from tests.console import Console
from tests.pages.conftest import PHONE, WIDE, OpenAs, axe_finds, copied, ready

GOOD = {"from": "4915187654321", "timestamp": "1764000000", "type": "text", "text": {"body": "Hello"}}


def deliver(console: Console, place: Place, *messages: dict[str, Any], is_applied: bool = True) -> None:
    """Meta reports these inbound messages of the workspace's first phone."""
    with console.runtime.unit(place.owner) as unit:
        phone = choices(unit)[0]
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "1", "phone_number_id": phone.phone_number_id},
        "messages": list(messages),
    }
    change = {"field": "messages", "value": value}
    envelope = {
        "object": "whatsapp_business_account",
        "entry": [{"id": phone.waba_id, "changes": [change]}],
    }
    body = json.dumps(envelope).encode()
    signature = hmac.digest(APP_SECRET.encode(), body, hashlib.sha256).hex()
    answer = httpx.post(
        f"{console.url}/webhooks/whatsapp",
        content=body,
        headers={"X-Hub-Signature-256": f"sha256={signature}"},
        trust_env=False,
    )
    assert answer.status_code == 200
    if is_applied:
        while apply_due(console.runtime):
            pass


def good(place: Place, number: int = 1) -> dict[str, Any]:
    return GOOD | {"id": f"wamid.{place.workspace.id}.{number}"}


def states(console: Console, place: Place) -> list[DeliveryState]:
    with console.runtime.unit(place.owner) as unit:
        return [one.state for one in unit.session.exec(unit.scoped(Delivery).order_by(col(Delivery.id)))]


def audited(console: Console, place: Place) -> list[str]:
    with console.runtime.unit(COMMAND) as unit:
        found = select(AuditEntry.action).where(
            col(AuditEntry.workspace_id) == place.workspace.id, col(AuditEntry.action).like("webhook%")
        )
        return list(unit.session.exec(found))


def table(page: Page) -> Locator:
    return page.get_by_role("table", name="Webhooks").get_by_role("row")


def drawer(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Webhook")


def test_what_meta_delivers_appears_by_itself(signed_in: Page, console: Console, place: Place) -> None:
    page = signed_in
    page.goto("/webhooks")
    ready(page)
    expect(page.get_by_text("No webhooks yet")).to_be_visible()
    expect(page.get_by_role("group", name="Key figures")).to_contain_text("Never")
    deliver(console, place, good(place), is_applied=False)
    expect(table(page).nth(1)).to_contain_text("Pending")
    expect(page.get_by_role("group", name="Key figures")).to_contain_text("1 pending")
    while apply_due(console.runtime):
        pass
    expect(table(page).nth(1)).to_contain_text("Applied")
    expect(table(page).nth(1)).to_contain_text("1 update")


def test_the_drawer_shows_what_it_said_why_something_failed_and_the_raw_body(
    signed_in: Page, console: Console, place: Place
) -> None:
    evil = "<img src=x onerror=alert(1)>"
    deliver(console, place, good(place) | {"text": {"body": evil}}, {"id": 5})
    page = signed_in
    page.goto("/webhooks?state=failed")
    ready(page)
    expect(table(page).nth(1)).to_contain_text("1 of 2 updates applied")
    table(page).nth(1).get_by_role("button").click()
    shown = drawer(page)
    expect(shown.get_by_text("Failed", exact=True)).to_be_visible()
    expect(shown.get_by_text("entry[0].changes[0].value.messages[1]")).to_be_visible()
    expect(shown.get_by_role("group", name="Body")).to_contain_text(evil)
    expect(shown.get_by_role("heading", name="What it said")).to_be_visible()
    assert page.locator("img").count() == 0
    assert axe_finds(page) == []
    expect(page).to_have_url(re.compile("open=dlv_"))
    page.reload()
    ready(page)
    expect(drawer(page).get_by_text("Failed", exact=True)).to_be_visible()


def test_one_delivery_is_replayed(signed_in: Page, console: Console, place: Place) -> None:
    deliver(console, place, good(place))
    page = signed_in
    page.goto("/webhooks")
    ready(page)
    table(page).nth(1).get_by_role("button").click()
    drawer(page).get_by_role("button", name="Replay").click()
    expect(drawer(page).get_by_text("Pending", exact=True)).to_be_visible()
    expect(drawer(page).get_by_role("button", name="Replay")).to_have_count(0)
    assert states(console, place) == [DeliveryState.PENDING]
    assert audited(console, place) == ["webhook.replayed"]
    while apply_due(console.runtime):
        pass
    expect(drawer(page).get_by_text("Applied", exact=True).first).to_be_visible()


def test_all_that_match_are_replayed_after_saying_how_many(
    signed_in: Page, console: Console, place: Place
) -> None:
    for number in range(3):
        deliver(console, place, good(place, number))
    deliver(console, place, {"id": 5})
    page = signed_in
    page.goto("/webhooks?state=applied")
    ready(page)
    expect(table(page)).to_have_count(4)
    page.get_by_role("button", name="Replay all that match").click()
    asked = page.get_by_role("dialog", name="Replay 3 webhooks?")
    expect(asked.get_by_text("Applied", exact=True)).to_be_visible()
    assert axe_finds(page) == []
    asked.get_by_role("button", name="Cancel").click()
    assert DeliveryState.PENDING not in states(console, place)
    page.get_by_role("button", name="Replay all that match").click()
    asked.get_by_role("button", name="Replay", exact=True).click()
    expect(page.get_by_text("3 webhooks will be applied again.")).to_be_visible()
    assert states(console, place) == [DeliveryState.PENDING] * 3 + [DeliveryState.FAILED]
    page.get_by_role("button", name="Ignored").click()
    expect(page.get_by_text("No webhook matches")).to_be_visible()
    page.get_by_role("button", name="Replay all that match").click()
    expect(page.get_by_text("nothing to replay")).to_be_visible()


def test_the_verify_token_is_shown_on_demand_and_that_is_audited(
    signed_in: Page, console: Console, place: Place
) -> None:
    page = signed_in
    page.goto("/webhooks")
    ready(page)
    setup = page.get_by_role("region", name="Set up at Meta")
    expect(setup.get_by_text(f"{console.url}/webhooks/whatsapp")).to_be_visible()
    assert "test-verify-token" not in page.content()
    setup.get_by_role("button", name="Show").click()
    expect(setup.get_by_text("test-verify-token")).to_be_visible()
    assert copied(setup.get_by_role("button", name="Copy verify token")) == "test-verify-token"
    assert audited(console, place) == ["webhook.verify_token_shown"]


def test_the_trial_plays_a_signed_sample_through_the_real_route(
    signed_in: Page, console: Console, place: Place
) -> None:
    page = signed_in
    page.goto("/webhooks")
    ready(page)
    page.get_by_role("button", name="Test it").click()
    expect(page.get_by_text("It works: handshake in")).to_be_visible()
    expect(table(page)).to_have_count(2)
    while apply_due(console.runtime):
        pass
    expect(table(page).nth(1)).to_contain_text("Applied")
    assert audited(console, place) == ["webhook.tried"]
    assert axe_finds(page) == []


def test_a_manager_replays_but_neither_sees_the_token_nor_tries(open_as: OpenAs) -> None:
    page = open_as(Role.MANAGER)
    page.goto("/webhooks")
    ready(page)
    expect(page.get_by_role("button", name="Replay all that match")).to_be_visible()
    expect(page.get_by_text("Shown to those who may change settings.")).to_be_visible()
    for name in ("Show", "Test it"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)


def test_an_agent_has_no_such_page(open_as: OpenAs) -> None:
    page = open_as(Role.AGENT)
    assert page.goto("/webhooks").status == 403  # type: ignore[union-attr]


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_axe_finds_nothing_in_a_list(
    open_as: OpenAs, console: Console, place: Place, size: tuple[int, int]
) -> None:
    deliver(console, place, good(place))
    deliver(console, place, {"id": 5})
    page = open_as(size=size)
    page.goto("/webhooks?time=1h")
    ready(page)
    expect(table(page)).to_have_count(3)
    assert axe_finds(page) == []
