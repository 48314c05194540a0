"""Whatever is sent to any route: never an answer of 500 or more, and what is refused stores nothing."""

import copy
import json
from typing import Any
from urllib.parse import quote

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.runtime import Runtime
from tests.api.conftest import Caller, operations, rows, template
from tests.conftest import WABA_ID

FEW = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
VALID: dict[str, list[dict[str, Any]]] = {
    "/messages/template": [template(mode="queued", ttlSeconds=60)],
    "/messages/text": [{"to": "+4915112345678", "text": "Hi", "mode": "queued"}],
    "/messages/msg_x/settle": [{"outcome": "retry", "reason": "x"}],
    "/dead-letters/dl_x/redrive": [
        {"payload": {"to": "+4915112345678", "text": "Hi"}},
        {"payload": {key: template()[key] for key in ("to", "template")}},
    ],
    "/dead-letters/dl_x/discard": [{"reason": "x"}],
    "/dead-letters/dl_x": [{"note": "x", "assigneeId": "usr_x"}],
    "/dead-letters/dl_x/restore": [{}],
    "/queues/messageRetry/pause": [{"reason": "x", "phoneNumberId": template()["phoneNumberId"]}],
    "/queues/messageRetry/resume": [{"reason": "x"}],
    "/connections": [{"wabaId": WABA_ID, "accessToken": "x"}],
}
# What a refused call may leave: the refusal in the audit log, and templates read again from Meta.
LEFT = {"audit_entry", "template"}

ASKED = [
    *("status", "state", "direction", "to", "phoneNumberId", "errorCode", "fingerprint"),
    *("from", "until", "q", "limit", "cursor", "templateName"),
]

any_text = st.text(st.characters(), max_size=40)  # lone surrogates included
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text | st.integers(10**300, 10**310),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=15,
)


@st.composite
def mutated(draw: st.DrawFn, body: Any) -> Any:
    """``body`` with one value somewhere replaced, removed, or joined by another."""
    changed = copy.deepcopy(body)
    node = changed
    while isinstance(node, dict | list) and node:
        key = draw(st.sampled_from(list(node) if isinstance(node, dict) else list(range(len(node)))))
        inner = node[key]
        if not isinstance(inner, dict | list) or not inner or draw(st.integers(0, 3)) == 0:
            what = draw(st.sampled_from(["replace", "remove", "join"]))
            if what == "remove":
                del node[key]
            elif what == "join" and isinstance(node, dict):
                node[draw(any_text)] = draw(any_json)
            else:
                node[key] = draw(any_json)
            break
        node = inner
    return changed


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, Any]:
    path = draw(st.sampled_from(sorted(VALID)))
    kind = draw(st.sampled_from(["mutated", "mutated", "any"]))
    if kind == "any":
        return path, draw(any_json)
    return path, draw(mutated(draw(st.sampled_from(VALID[path]))))


def check(owner: Caller, runtime: Runtime, path: str, content: bytes, kind: str) -> None:
    before = rows(runtime.database)
    method = "PATCH" if path.count("/") == 2 and path.startswith("/dead-letters") else "POST"
    answer = owner(method, path, content=content, headers={"Content-Type": kind})
    assert answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/json"
    if answer.status_code >= 400:
        body = answer.json()
        assert body["error"]
        assert body["code"]
        if body.get("status") != "dead":
            after = rows(runtime.database)
            assert {name for name in after if after[name] != before[name]} <= LEFT


def test_every_route_with_a_body_is_here(api: httpx.Client) -> None:
    known = {
        path.replace("{message_id}", "msg_x").replace("{letter_id}", "dl_x")
        for method, path, _ in operations(api)
        if method in ("POST", "PUT", "PATCH")
    }
    assert known == set(VALID)


@given(call=calls())
@FEW
def test_any_json_is_taken_or_refused(owner: Caller, runtime: Runtime, call: tuple[str, Any]) -> None:
    path, body = call
    check(owner, runtime, path, json.dumps(body).encode(), "application/json")


@given(
    path=st.sampled_from(sorted(VALID)),
    content=st.binary(max_size=200)
    | st.sampled_from([b'{"to":', b"{}", b"\xef\xbb\xbf{}", b'"\\u', b"\x00", b"1e9999", b"\xfe\xff\x00{"]),
    kind=st.sampled_from(
        ["application/json", "text/plain", "multipart/form-data", "a/b; c", "application/x+json"]
    ),
)
@FEW
def test_any_bytes_are_taken_or_refused(
    owner: Caller, runtime: Runtime, path: str, content: bytes, kind: str
) -> None:
    check(owner, runtime, path, content, kind)


@given(
    path=st.sampled_from(["/messages", "/dead-letters", "/dead-letters/groups"]),
    asked=st.dictionaries(
        st.sampled_from(ASKED),
        st.text(max_size=30) | st.integers().map(str) | st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
        max_size=4,
    ),
)
@FEW
def test_any_query_is_taken_or_refused(owner: Caller, path: str, asked: dict[str, str]) -> None:
    answer = owner("GET", path, params=asked)
    assert answer.status_code in (200, 400), answer.text


@given(path=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
@FEW
def test_any_id_is_there_or_not(owner: Caller, path: str) -> None:
    for room in ("messages", "dead-letters"):
        answer = owner("GET", f"/{room}/{quote(path, safe='')}")
        assert answer.status_code in (200, 307, 404, 405), answer.text
