"""The overview and the frame around it, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from core.messaging import intake
from core.messaging.requests import SendRequest, text_payload
from data.enums import Role
from tests.conftest import Place
from tests.console import Console
from tests.pages.conftest import PHONE, WIDE, OpenAs, axe_finds, ready


def test_the_overview_says_that_all_is_well(signed_in: Page) -> None:
    signed_in.goto("/")
    expect(signed_in.get_by_role("heading", level=1)).to_have_text("Overview")
    expect(signed_in.get_by_text("All is well.")).to_be_visible()


@pytest.mark.parametrize("size", [WIDE, PHONE])
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing(open_as: OpenAs, size: tuple[int, int], dark: bool) -> None:
    page = open_as(size=size, dark=dark)
    page.goto("/")
    ready(page)
    assert axe_finds(page) == []
