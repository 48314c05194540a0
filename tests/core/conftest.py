"""The desk that tests of core work at, and the controls of the sandbox."""

from collections.abc import Iterator

import httpx
import pytest

from core.runtime import Runtime
from tests.conftest import Place
from tests.core.desk import Desk, Meta


@pytest.fixture
def desk(runtime: Runtime, place: Place) -> Desk:
    return Desk(runtime, place)


@pytest.fixture
def meta(sandbox_url: str) -> Iterator[Meta]:
    """The sandbox as after a start."""
    with httpx.Client(base_url=sandbox_url, timeout=5, trust_env=False) as client:
        found = Meta(client)
        found.reset()
        yield found
