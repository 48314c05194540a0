"""The demo's outbox, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.mail.commands import send_mail
from core.mail.delivery import POSTMAN, deliver_due
from data.enums import Role
from tests.conftest import Place
from tests.console import Console, running_console
from tests.pages.conftest import OpenAs, axe_finds, ready


@pytest.fixture(scope="module")
def console(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path, sandbox_url: str, password_hash: str
) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("outbox")
    with running_console(folder, migrated_sqlite, sandbox_url, password_hash, demo=True) as found:
        yield found


def send(console: Console, place: Place, body: str, *, subject: str = "Join Northwind") -> None:
    with console.runtime.unit(POSTMAN, write=True) as unit:
        send_mail(
            unit,
            to="mara@example.com",
            subject=subject,
            text=body,
            kind="invitation",
            workspace_id=place.workspace.id,
        )
    assert deliver_due(console.runtime) == 1


def test_a_mail_appears_with_a_link_back_to_the_console(
    signed_in: Page, console: Console, place: Place
) -> None:
    page = signed_in
    page.goto("/outbox")
    ready(page)
    expect(page.get_by_text("No mail yet")).to_be_visible()
    link = f"{console.url}/login?next=/queue"
    send(console, place, f"Hello Mara,\n\nopen {link} to sign in.\n")
    letter = page.get_by_role("article")
    expect(letter.get_by_role("heading", name="Join Northwind")).to_be_visible()
    expect(letter.get_by_text("To mara@example.com")).to_be_visible()
    expect(letter.get_by_role("link", name=link)).to_have_attribute("href", link)
    assert axe_finds(page) == []


def test_words_are_text_and_other_addresses_no_links(signed_in: Page, console: Console, place: Place) -> None:
    evil = (
        "<img src=x onerror=alert(1)> https://evil.example/ "
        f"{console.url}.evil.example/ javascript:alert(1) {console.url}@evil.example/"
    )
    send(console, place, evil, subject="<b>Evil</b>")
    page = signed_in
    page.goto("/outbox")
    ready(page)
    expect(page.get_by_role("heading", name="<b>Evil</b>")).to_be_visible()
    expect(page.get_by_role("article")).to_contain_text(evil)
    expect(page.get_by_role("article").get_by_role("link")).to_have_count(0)
    assert page.locator("img").count() == 0


def test_another_workspaces_mail_is_not_here(signed_in: Page, console: Console, place: Place) -> None:
    send(console, console.new_place(), "Not yours")
    signed_in.goto("/outbox")
    ready(signed_in)
    expect(signed_in.get_by_text("No mail yet")).to_be_visible()


def test_only_those_who_manage_settings_read_it(open_as: OpenAs) -> None:
    page = open_as(Role.MANAGER)
    assert page.goto("/outbox").status == 403  # type: ignore[union-attr]
