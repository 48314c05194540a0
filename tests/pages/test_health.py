"""Health: everybody of a workspace sees each part, what has stopped, and what to do."""

from datetime import timedelta

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlmodel import col, update

from core.unit import Identity
from data.enums import Role
from data.operations import Heartbeat
from tests.console import Console
from tests.pages.conftest import PHONE, WIDE, OpenAs, axe_finds, ready

PROCESS = Identity(process="test")


def stop(console: Console, kind: str) -> None:
    with console.runtime.unit(PROCESS, write=True) as unit:
        long_ago = unit.now - timedelta(minutes=12)
        unit.session.exec(update(Heartbeat).where(col(Heartbeat.kind) == kind).values(beat_at=long_ago))


def line(page: Page, title: str) -> Locator:
    heading = page.get_by_role("heading", name=title, exact=True)
    return page.get_by_role("region", name="Parts").get_by_role("listitem").filter(has=heading)


@pytest.mark.parametrize(("size", "dark"), [(WIDE, False), (PHONE, True)])
def test_a_part_that_stops_says_since_when_and_what_to_do(
    open_as: OpenAs, console: Console, size: tuple[int, int], dark: bool
) -> None:
    console.beat()
    page = open_as(Role.VIEWER, size=size, dark=dark)
    page.goto("/health")
    ready(page)
    expect(line(page, "Web")).to_contain_text("Well")
    expect(line(page, "Queue")).to_contain_text("Huey's storage answers")
    stop(console, "worker")
    worker = line(page, "Worker")
    expect(worker).to_contain_text("Not working")
    expect(worker).to_contain_text("12 min ago")
    expect(worker).to_contain_text("python main.py serve")
    expect(page.get_by_text("1 part does not work")).to_be_visible()
    assert axe_finds(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    console.beat()
    expect(worker).to_contain_text("Well")
