"""Abuse: from Meta's rejections to a flag that a platform admin clears, as everybody meets it."""

import hashlib
import hmac
import time

import httpx
from playwright.sync_api import Page, expect
from sqlmodel import col, select

from core.sandbox.webhooks import Update, compose
from data.enums import Role
from data.sending import Waba
from tests.conftest import APP_SECRET, Place
from tests.console import Console
from tests.pages.conftest import PHONE, OpenAs, axe_finds, ready, resize
from tests.pages.people import make_platform_admin
from tests.webhooks import work_off

REASON = "They rewrote the three with us"


def meta_decides(console: Console, place: Place, event: str, *template_ids: int) -> None:
    """Meta's signed webhook, one verdict for each template, and a worker that applies it."""
    with console.runtime.unit(place.owner) as unit:
        waba_id = unit.session.exec(select(Waba.id).where(col(Waba.workspace_id) == place.workspace.id)).one()
    updates = [
        Update(
            waba_id,
            "change",
            {
                "event": event,
                "message_template_id": template_id,
                "message_template_name": f"offer_{template_id}",
                "message_template_language": "en_US",
                "reason": "PROMOTIONAL" if event == "REJECTED" else "NONE",
            },
            field="message_template_status_update",
        )
        for template_id in template_ids
    ]
    body = compose(waba_id, updates, now=int(time.time()))
    signature = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    told = httpx.post(
        f"{console.url}/webhooks/whatsapp",
        content=body,
        headers={"X-Hub-Signature-256": f"sha256={signature}"},
        timeout=30,
        trust_env=False,
    )
    assert told.status_code == 200
    work_off(console.runtime)


def go(page: Page, path: str) -> Page:
    page.goto(path)
    ready(page)
    return page


def test_t3_from_rejections_to_a_flag_and_back(open_as: OpenAs, console: Console, place: Place) -> None:
    make_platform_admin(console, console.owner_email(place))
    manager = go(open_as(Role.MANAGER), "/templates")
    admin = go(open_as(), "/abuse")
    rows = admin.get_by_role("table", name="Workspaces").locator("tbody tr")
    mine = rows.filter(has_text=place.workspace.slug)

    meta_decides(console, place, "APPROVED", 1, 2, 3)
    meta_decides(console, place, "REJECTED", 4, 5)
    expect(manager.locator("#content").get_by_text("Meta rejects many templates")).to_be_visible()
    expect(
        manager.locator("#content").get_by_text("Meta rejected 2 of 5 decided templates: 40 % in 24 hours")
    ).to_be_visible()
    admin.reload()
    ready(admin)
    expect(mine).to_contain_text("Warning")
    expect(mine).to_contain_text("2 of 5")
    assert axe_finds(admin) == []

    meta_decides(console, place, "REJECTED", 5, 6, 7)  # the fifth is told again
    expect(manager.locator("#content").get_by_text("This workspace is flagged")).to_be_visible()
    assert axe_finds(manager) == []
    expect(mine).to_contain_text("Flagged")
    go(manager, "/templates/new")
    expect(manager.locator("#content").get_by_text("until a platform admin clears the flag")).to_be_visible()

    mine.get_by_role("button").focus()
    admin.keyboard.press("Enter")
    expect(admin.get_by_role("heading", name=place.workspace.name, level=1)).to_be_visible()
    ready(admin)
    expect(admin.get_by_label("What happened").get_by_role("listitem")).to_have_count(8)
    expect(admin.get_by_label("Rate").locator("svg")).to_be_visible()
    admin.locator(".chart .bars").hover()
    expect(admin.locator(".charttip")).to_contain_text("None decided")
    expect(admin.locator(".chart .bars svg g[clip-path] path[stroke='var(--brand)']")).to_have_count(1)
    admin.get_by_text("The same figures as a table").click()
    expect(admin.get_by_role("table", name="Rejected of decided")).to_contain_text("4 of 7")
    assert axe_finds(admin) == []
    admin.get_by_role("button", name="Clear flag").click()
    asked = admin.get_by_role("dialog")
    asked.get_by_label("Reason").fill(REASON)
    asked.get_by_role("button", name="Clear flag").click()
    expect(asked).to_be_hidden()
    expect(admin.get_by_label("Flags")).to_contain_text(REASON)
    expect(admin.get_by_role("button", name="Clear flag")).to_be_hidden()
    go(manager, "/templates")
    expect(manager.locator("#content").get_by_text("This workspace is flagged")).to_have_count(0)

    resize(admin, PHONE)
    assert axe_finds(admin) == []
    admin.get_by_role("button", name="Dark mode").click()
    expect(admin.locator("html.dark body.body--dark")).to_have_count(1)
    assert axe_finds(admin, "color-contrast") == []
    go(admin, "/abuse?level=flagged")
    expect(mine).to_have_count(0)
