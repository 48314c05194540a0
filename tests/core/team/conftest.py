import pytest

from core.runtime import Runtime
from tests.conftest import Place
from tests.core.office import Office


@pytest.fixture
def office(runtime: Runtime, place: Place, password_hash: str) -> Office:
    return Office(runtime, place, password_hash)


@pytest.fixture
def other_office(runtime: Runtime, other_place: Place, password_hash: str) -> Office:
    return Office(runtime, other_place, password_hash)
