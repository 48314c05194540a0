"""Tokens: how each is, in words; refresh now; replace, with the password asked for again; never a token."""

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlmodel import col, delete, select

from core.ports.vault import token_field
from core.unit import Unit
from data.enums import Role
from data.people import BrowserSession
from data.sending import AccessToken, Waba
from tests.conftest import PASSWORD, Place
from tests.console import Console
from tests.pages.conftest import PHONE, WIDE, OpenAs, axe_finds, ready

CANARY = "EAAGcanary-never-shown"
LONG = "Northwind Trading and Logistics International Customer Care Centre Rhein-Main-Neckar"


def change(console: Console, place: Place, **columns: Any) -> None:
    with console.runtime.unit(place.owner, write=True) as unit:
        token = unit.session.exec(unit.scoped(AccessToken)).one()
        token.sealed = unit.vault.seal(
            CANARY, workspace_id=token.workspace_id, field=token_field(token.waba_id)
        )
        for name, value in columns.items():
            setattr(token, name, value)
        unit.session.add(token)


def in_every_state(unit: Unit, place: Place) -> None:
    """A token of each kind of trouble, with long names."""
    scopes = ["whatsapp_business_management", "whatsapp_business_messaging"]
    day = timedelta(days=1)
    states: list[dict[str, Any]] = [
        {"expires_at": unit.now + 41 * day, "refreshed_at": unit.now - 19 * day, "let_go": 812},
        {"expires_at": unit.now + 12 * day},
        {"expires_at": unit.now + 12 * day, "attempts": 2, "due_at": unit.now + timedelta(minutes=4)}
        | {"last_error": "Meta refused: Service temporarily unavailable."},
        {"expires_at": unit.now + 2 * day, "attempts": 4, "needs_attention": True}
        | {"last_error": "Meta refused: " + "an unexpected error has occurred, " * 12},
        {"refused_at": unit.now, "needs_attention": True, "expires_at": unit.now - day}
        | {"last_error": "Meta takes it no more: Session has expired."},
        {"scopes": ["business_management"]},
    ]
    for index, columns in enumerate(states):
        waba_id = f"{place.workspace.id[-6:]}{index}"
        name = LONG if index == 3 else f"Branch {index}"
        unit.session.add(Waba(id=waba_id, workspace_id=place.workspace.id, name=name, connected_at=unit.now))
        unit.session.flush()
        sealed = unit.vault.seal("t", workspace_id=place.workspace.id, field=token_field(waba_id))
        known = {"scopes": scopes, "kind": "SYSTEM_USER", "inspected_at": unit.now, "taken_at": unit.now}
        unit.session.add(
            AccessToken(
                id=unit.new_id("tok"),
                workspace_id=place.workspace.id,
                waba_id=waba_id,
                sealed=sealed,
                replaced_at=unit.now,
                **known | columns,
            )
        )


def opened(page: Page) -> Page:
    page.goto("/tokens")
    ready(page)
    return page


def test_a_token_says_how_it_is_and_never_what_it_is(signed_in: Page, console: Console, place: Place) -> None:
    change(console, place, attempts=4, needs_attention=True, last_error="Meta refused: No.")
    page = opened(signed_in)
    card = page.get_by_role("list", name="Tokens").get_by_role("listitem")
    for words in ("Renewal fails", "Meta refused: No.", "4 of 4 failed", "Put in a new token from Meta"):
        expect(card).to_contain_text(words)
    expect(page.get_by_text("WAYPOST_META_APP_ID is not set")).to_be_visible()
    assert CANARY not in page.content()
    change(console, place, attempts=0, needs_attention=False, last_error=None)
    expect(card).to_contain_text("Works")


def test_a_token_is_replaced_once_the_password_is_given_again(
    signed_in: Page, console: Console, place: Place
) -> None:
    page = opened(signed_in)
    with console.runtime.unit(place.owner, write=True) as unit:
        for browser in unit.session.exec(select(BrowserSession)):
            browser.confirmed_at = unit.now - timedelta(minutes=11)
            unit.session.add(browser)
    page.get_by_role("button", name="Replace the token of").click()
    field = page.get_by_label("Access token")
    expect(field).to_have_attribute("type", "password")
    field.fill("expired-new-token")
    page.get_by_role("button", name="Check and replace").click()
    proof = page.get_by_label("Password or code")
    alert = page.get_by_text("Meta refused")
    proof.fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    expect(alert).to_be_visible()
    assert "expired-new-token" not in page.content()


def test_who_may_only_refresh_sees_no_replace(open_as: OpenAs) -> None:
    page = opened(open_as(Role.MANAGER))
    expect(page.get_by_role("button", name="Refresh now")).to_be_visible()
    expect(page.get_by_role("button", name="Replace the token of")).to_have_count(0)
    page.get_by_role("button", name="Refresh now").click()
    expect(page.get_by_text("WAYPOST_META_APP_ID is not set").last).to_be_visible()


def test_no_token_yet_says_how_to_get_one(signed_in: Page, console: Console, place: Place) -> None:
    with console.runtime.unit(place.owner, write=True) as unit:
        mine = col(AccessToken.workspace_id) == place.workspace.id
        unit.session.exec(delete(AccessToken).where(mine))
    page = opened(signed_in)
    expect(page.get_by_text("No token yet")).to_be_visible()
    expect(page.get_by_role("button", name="Connect numbers")).to_be_visible()


@pytest.mark.parametrize("size", [WIDE, PHONE])
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_in_any_state(
    open_as: OpenAs, console: Console, place: Place, size: tuple[int, int], dark: bool
) -> None:
    with console.runtime.unit(place.owner, write=True) as unit:
        in_every_state(unit, place)
    page = opened(open_as(size=size, dark=dark))
    expect(page.get_by_role("list", name="Tokens").get_by_role("listitem")).to_have_count(7)
    assert axe_finds(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
