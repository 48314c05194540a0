"""What the OpenAPI file says and what the API does agree: calls made from the file, and the answers checked
against it."""

from collections.abc import Callable

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from data.enums import Role
from tests.api.conftest import API, Caller, Server

load_all_checks()
# Our rules know more than a schema can say: a moment that must lie in the past, a phone number that is one.
# That what is wrong is refused, and changes nothing, test_fuzz shows.
BEYOND_A_SCHEMA = CHECKS.get_by_names(["positive_data_acceptance", "negative_data_rejection"])
MODES = {"right": GenerationMode.POSITIVE, "wrong": GenerationMode.NEGATIVE}
LONG = [pytest.param(role, mode, 6, marks=pytest.mark.long) for role in Role for mode in MODES]


@pytest.mark.parametrize(("role", "mode", "examples"), [(Role.OWNER, "right", 1), *LONG])
def test_what_the_file_says_is_what_happens(
    api: httpx.Client,
    server: Server,
    caller: Callable[[Role], Caller],
    role: Role,
    mode: str,
    examples: int,
) -> None:
    schema = schemathesis.openapi.from_dict(api.get(f"{API}/openapi.json").json())
    headers = caller(role).headers

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def call(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=MODES[mode]))
        case.call_and_validate(base_url=server.url, headers=headers, excluded_checks=BEYOND_A_SCHEMA)

    seen = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path.endswith("/admin/health"):
            continue  # where nothing else runs it answers 503, as it should
        if mode == "wrong" and not (operation.body or operation.query or operation.path_parameters):
            continue  # nothing of it can be wrong
        call()
        seen += 1
    assert seen > 50
