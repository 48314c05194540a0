"""One real web process for all tests of the doors."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.messaging import intake
from core.messaging.requests import SendRequest, template_payload
from core.phones.queries import choices
from tests.conftest import Place
from tests.console import Console, running_console


@pytest.fixture(scope="session")
def console(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path, sandbox_url: str, password_hash: str
) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("console")
    with running_console(folder, migrated_sqlite, sandbox_url, password_hash) as found:
        yield found
    assert "a page failed" not in (folder / "web.log").read_text()  # those that were sent away included


@pytest.fixture
def console_place(console: Console) -> Place:
    return console.new_place()


@pytest.fixture
def with_row(console: Console, console_place: Place) -> Place:
    """A workspace whose overview has a row to click."""
    with console.runtime.unit(console_place.owner, write=True) as unit:
        phone = choices(unit)[0]
        payload = template_payload("+4915112345678", name="hello_world", language="en_US", components=[])
        intake.store(unit, SendRequest(payload=payload, phone_number_id=phone.phone_number_id, queued=True))
    return console_place


@pytest.fixture
def owner(console: Console, with_row: Place) -> str:
    """The owner's cookie."""
    return console.token_for(console.owner_email(with_row))
