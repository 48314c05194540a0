"""Channels: made, tested, changed and taken away, and no secret of theirs on any page."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Locator, Page, expect

from core.alerts import channels
from core.alerts.channel_forms import ChannelForm
from core.alerts.channel_queries import list_channels
from core.alerts.commands import raise_alert
from core.alerts.delivery import tell_due
from core.team.owners import COMMAND
from data.enums import ChannelKind, Role, Severity
from tests.conftest import Place, with_settings
from tests.console import Console
from tests.pages.conftest import PHONE, WIDE, OpenAs, axe_finds, ready
from tests.receiver import Receiver, receiving

LONG = "Everyone on call for the Rhein-Main-Neckar customer care centre on weekends"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def table(page: Page) -> Locator:
    return page.get_by_role("table", name="Channels").get_by_role("row")


def drawer(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Channel")


def opened(page: Page) -> Page:
    page.goto("/alerts/channels")
    ready(page)
    return page


def tell(console: Console) -> None:
    """What the clock does every other second; the browser's driver has an event loop in this thread."""
    runtime = with_settings(console.runtime, waypost_alerts_private_targets=True)
    with ThreadPoolExecutor(1) as clock:
        clock.submit(tell_due, runtime).result()


def test_a_mail_channel_is_added_tested_switched_off_and_deleted(
    signed_in: Page, console: Console, place: Place
) -> None:
    page = opened(signed_in)
    expect(page.get_by_text("No channel yet")).to_be_visible()
    page.get_by_role("button", name="Add a channel").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("On call")
    dialog.get_by_label("Managers").check()
    dialog.get_by_label("Other addresses").fill("oncall@example.com")
    dialog.get_by_label("Quiet from").fill("22:00")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("Quiet hours need a beginning and an end")).to_be_visible()
    dialog.get_by_label("Quiet until").fill("07:00")
    assert axe_finds(page) == []
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(table(page).nth(1)).to_contain_text("Owners, Managers, oncall@example.com")
    page.get_by_role("button", name="On call").click()
    expect(drawer(page).get_by_text("22:00 to 07:00, critical ones pass")).to_be_visible()
    drawer(page).get_by_role("button", name="Test").click()
    expect(drawer(page).get_by_text("On its way")).to_be_visible()
    tell(console)
    expect(drawer(page).get_by_text("Handed to the mail")).to_be_visible()
    expect(table(page).nth(1)).to_contain_text("Works")
    drawer(page).get_by_role("button", name="Switch off").click()
    expect(table(page).nth(1)).to_contain_text("Off")
    drawer(page).get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No channel yet")).to_be_visible()


def test_a_webhook_shows_its_secret_once_and_what_its_receiver_answered(
    signed_in: Page, console: Console, place: Place, receiver: Receiver
) -> None:
    page = opened(signed_in)
    page.get_by_role("button", name="Add a channel").click()
    form = page.get_by_role("dialog")
    form.get_by_role("button", name="Webhook").click()
    form.get_by_label("Name").fill("Pager")
    form.get_by_label("Webhook address").fill("https://10.0.0.8/a-secret-path")
    form.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("leads into a private network").first).to_be_visible()
    form.get_by_label("Webhook address").fill("https://hooks.example.com/a-secret-path")
    form.get_by_role("button", name="Add", exact=True).click()
    kept = page.get_by_role("dialog", name="Keep this secret now")
    expect(kept.get_by_text(re.compile("whsec_"))).to_be_visible()
    secret = kept.get_by_text(re.compile("whsec_")).inner_text()
    kept.get_by_role("button", name="I have kept it").click()
    expect(kept).to_be_hidden()
    with console.runtime.unit(place.owner, write=True) as unit:
        unit.settings = with_settings(console.runtime, waypost_alerts_private_targets=True).settings
        (channel,) = [one.id for one in list_channels(unit)]
        moved = ChannelForm("Pager", ChannelKind.WEBHOOK, target=f"{receiver.url}/a-secret-path")
        channels.change_channel(unit, channel, moved)
    receiver.answers = [503]
    page.get_by_role("button", name="Pager").click()
    drawer(page).get_by_role("button", name="Test").click()
    expect(drawer(page).get_by_text("On its way")).to_be_visible()
    tell(console)
    expect(drawer(page).get_by_text("The receiver answered 503.").first).to_be_visible()
    expect(table(page).nth(1)).to_contain_text("Fails")
    assert axe_finds(page) == []
    drawer(page).get_by_role("button", name="Test").click()
    expect(drawer(page).get_by_text("On its way")).to_be_visible()
    tell(console)
    expect(table(page).nth(1)).to_contain_text("Works")
    page.reload()
    ready(page)
    expect(drawer(page).get_by_text("http://127.0.0.1/…")).to_be_visible()
    assert secret not in page.content()
    assert "a-secret-path" not in page.content()


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_who_may_only_look_finds_channels_and_no_buttons(
    open_as: OpenAs, console: Console, place: Place, size: tuple[int, int]
) -> None:
    with console.runtime.unit(place.owner, write=True) as unit:
        for index in range(10):
            form = ChannelForm(
                LONG if index == 3 else f"Channel {index}", ChannelKind.MAIL, roles=[Role.OWNER]
            )
            channels.make_channel(unit, form)
    with console.runtime.unit(COMMAND, write=True) as unit:
        raise_alert(
            unit,
            kind="lane_held",
            subject="1",
            severity=Severity.CRITICAL,
            title="A number sends nothing",
            workspace_id=place.workspace.id,
        )
    tell(console)
    page = opened(open_as(Role.MANAGER, size=size))
    expect(table(page)).to_have_count(11)
    expect(page.get_by_role("button", name="Add a channel")).to_have_count(0)
    page.get_by_role("button", name=LONG).click()
    expect(drawer(page).get_by_text("A number sends nothing")).to_be_visible()
    expect(drawer(page).get_by_role("button", name="Test")).to_have_count(0)
    assert axe_finds(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
