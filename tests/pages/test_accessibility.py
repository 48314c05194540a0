"""axe-core finds nothing on any page of the table, at both widths, in both themes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from core.billing.drafts import refresh
from core.conversations.rules import conversation_id
from core.messaging import intake, settling
from core.messaging.claiming import claim, mark_sending
from core.messaging.settling import Result
from core.phones.queries import choices
from core.ports.graph_replies import Reply
from data.enums import Role
from data.messages import Message
from data.sending import Template
from tests.conftest import Place
from tests.console import Console, running_console
from tests.core.desk import HOPELESS, PASSING, WORKER, accepted, order
from tests.pages.conftest import PHONE, WIDE, OpenAs, axe_finds, ready, resize
from ui.pages import PAGES

REPLIES: tuple[Reply | None, ...] = (accepted(), PASSING, HOPELESS, None)


@pytest.fixture(scope="module")
def console(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path, sandbox_url: str, password_hash: str
) -> Iterator[Console]:
    """In demo mode, so that the demo's own pages are among them."""
    folder = tmp_path_factory.mktemp("accessible")
    with running_console(folder, migrated_sqlite, sandbox_url, password_hash, demo=True) as found:
        yield found


@pytest.fixture(scope="module")
def place(console: Console) -> Place:
    """One for all pages: looking at them changes nothing."""
    return console.new_place()


@pytest.fixture(scope="module")
def known(console: Console, place: Place) -> dict[str, str]:
    """A message sent, one that waits for its retry, one dead and one queued. Returns what paths name."""
    runtime = console.runtime
    with runtime.unit(place.owner, write=True) as unit:
        phone_number_id = choices(unit)[0].phone_number_id
        ids = [
            intake.store(
                unit, order(f"+491511236{index:04d}", phone_number_id=phone_number_id, queued=True)
            ).answer.message_id
            for index in range(len(REPLIES))
        ]
    with runtime.unit(WORKER, write=True) as unit:
        claims = claim(unit, holder="test", in_flight={}, per_lane=100, in_all=100).claims
    replies = dict(zip(ids, REPLIES, strict=True))
    with runtime.unit(WORKER, write=True) as unit:
        sent = mark_sending(unit, [one for one in claims if replies.get(one.message_id)], holder="test")
    with runtime.unit(WORKER, write=True) as unit:
        settling.settle(unit, [_result(one.message_id, one.attempt, replies) for one in sent])
    with runtime.unit(place.owner, write=True) as unit:
        contact_id = unit.find(Message, ids[2], called="message").contact_id
        invoice_id = refresh(unit, unit.workspace())[0].id
        template_id = unit.session.exec(unit.scoped(Template)).all()[0].id
    return {
        "message_id": ids[2],
        "contact_id": contact_id,
        "template_id": template_id,
        "workspace_id": place.workspace.id,
        "phone_number_id": phone_number_id,
        "conversation_id": conversation_id(ids[0]),
        "invoice_id": invoice_id,
    }


def _result(message_id: str, attempt: int, replies: dict[str, Reply | None]) -> Result:
    reply = replies[message_id]
    assert reply is not None
    return Result(message_id, attempt, reply)


@pytest.mark.parametrize("path", [each.path for each in PAGES])
def test_axe_finds_nothing(open_as: OpenAs, known: dict[str, str], path: str) -> None:
    page = open_as(size=WIDE)
    page.goto(path.format(**known))
    ready(page)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    assert axe_finds(page) == []
    resize(page, PHONE)
    assert axe_finds(page) == []
    theme = page.get_by_role("button", name="Dark mode")
    expect(theme).to_have_attribute("aria-pressed", "false")
    theme.press("Enter")
    expect(theme).to_have_attribute("aria-pressed", "true")
    expect(page.locator("html.dark body.body--dark")).to_have_count(1)
    # A theme can break nothing but contrast, and the other rules take seconds.
    assert axe_finds(page, "color-contrast") == []
    resize(page, WIDE)
    assert axe_finds(page, "color-contrast") == []


def test_axe_finds_nothing_where_a_role_may_not_go(open_as: OpenAs) -> None:
    page = open_as(Role.VIEWER, size=WIDE)
    page.goto("/queue")
    ready(page)
    assert axe_finds(page) == []
    resize(page, PHONE)
    assert axe_finds(page) == []
