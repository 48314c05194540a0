"""One real web process for all tests of the doors."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Place
from tests.console import Console, running_console


@pytest.fixture(scope="session")
def console(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path, sandbox_url: str, password_hash: str
) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("console")
    with running_console(folder, migrated_sqlite, sandbox_url, password_hash) as found:
        yield found


@pytest.fixture
def console_place(console: Console) -> Place:
    return console.new_place()
