"""Whatever is sent to any route: never an answer of 500 or more, and what is refused stores nothing."""

import copy
import json
import re
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
STEERED = ("pause", "resume", "cancel")
VALID: dict[str, list[dict[str, Any]]] = {
    "POST /messages/template": [template(mode="queued", ttlSeconds=60)],
    "POST /messages/text": [{"to": "+4915112345678", "text": "Hi", "mode": "queued"}],
    "POST /messages/x/settle": [{"outcome": "retry", "reason": "x"}],
    "POST /dead-letters/x/redrive": [
        {"payload": {"to": "+4915112345678", "text": "Hi"}},
        {"payload": {key: template()[key] for key in ("to", "template")}},
    ],
    "POST /dead-letters/x/discard": [{"reason": "x"}],
    "PATCH /dead-letters/x": [{"note": "x", "assigneeId": "usr_x"}],
    "POST /dead-letters/x/restore": [{}],
    "POST /dead-letters/redrives": [
        {"filter": {"errorCode": "meta_1", "from": "2026-11-01T00:00:00Z"}, "ratePerSecond": 5, "canary": 10},
        {"ids": ["dl_x"], "includeUnknown": True, "reason": "x", "confirm": True, "dryRun": True},
        {"filter": {"class": "permanent", "q": "a b", "attempts": 1, "assigneeId": "none"}},
    ],
    "PATCH /dead-letters/redrives/x": [{"ratePerSecond": 10}],
    **{f"POST /dead-letters/{one}/x/{how}": [{}] for one in ("redrives", "bulk") for how in STEERED},
    "POST /dead-letters/bulk": [
        {"action": "discard", "filter": {"bulkId": "blk_x"}, "reason": "x"},
        {"action": "assign", "ids": ["dl_x"], "assigneeId": "usr_x"},
        {"action": "note", "ids": ["dl_x"], "note": "x"},
    ],
    "POST /dead-letters/views": [{"name": "x", "filter": {"errorCode": "meta_1"}}],
    "POST /queues/messageRetry/pause": [{"reason": "x", "phoneNumberId": template()["phoneNumberId"]}],
    "POST /queues/messageRetry/resume": [{"reason": "x"}],
    "POST /phones/x/sync": [{}],
    "POST /alerts/x/acknowledge": [{}],
    "POST /connections": [{"wabaId": WABA_ID, "accessToken": "x"}],
    "POST /contacts/x/suppressions/x/lift": [{"reason": "x"}],
    "POST /contacts/x/erase": [{"reason": "x"}],
    "POST /billing/conversations/calculate-billing": [
        {"plan": "pro", "startDate": "2026-11-01", "endDate": "2026-11-30"}
    ],
    "POST /billing/conversations/close-inactive": [{}],
    "POST /tokens/x/refresh": [{}],
    "POST /templates": [
        {
            "name": "parcel_came",
            "language": "en_US",
            "category": "UTILITY",
            "components": [
                {"type": "BODY", "text": "Hi {{1}}, it came.", "example": {"body_text": [["Mara"]]}},
                {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "See", "url": "https://a.example"}]},
            ],
            "wabaId": WABA_ID,
        }
    ],
    "POST /templates/sync": [{}],
    "POST /billing/rates/import": [
        {"csv": "category,market,validFrom,amountUSD\nutility,DE,2026-11-01,0.05\n"}
    ],
    "POST /billing/invoices/x/finalise": [{"confirm": True}],
    "POST /billing/invoices/x/void": [{"reason": "x"}],
    "POST /keys": [{"name": "x", "role": "viewer", "expiresAt": "2027-01-01T00:00:00Z"}],
    "POST /admin/templates/metrics/x": [
        {"event": "rejected", "reason": "x", "occurredAt": "2026-11-20T00:00:00Z"}
    ],
    "POST /admin/templates/flags/x/clear": [{"reason": "x"}],
    "POST /admin/team/invite": [{"email": "ada@example.org", "role": "viewer"}],
    "POST /admin/team/members/x/resend-invite": [{}],
    "POST /admin/team/members/x/suspend": [{}],
    "POST /admin/team/members/x/reinstate": [{}],
    "PUT /admin/team/members/x/role": [{"role": "agent"}],
    "POST /admin/team/invitations/accept": [{"token": "x", "name": "Ada", "password": "x" * 20}],
    "PATCH /workspace": [
        {"name": "Northwind", "timezone": "Europe/Berlin", "plan": "pro"},
        {"monthlyBudgetUSD": 100, "budgetMode": "soft"},
    ],
}
# What a refused call may leave: the refusal in the audit log, templates read again from Meta, and what was
# submitted to it and refused there.
LEFT = {"audit_entry", "template", "template_submission"}

ASKED = [
    *("status", "state", "direction", "to", "phoneNumberId", "errorCode", "fingerprint"),
    *("from", "until", "q", "limit", "cursor", "templateName"),
    *("sort", "class", "attempts", "assigneeId", "bulkId"),
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
    route = draw(st.sampled_from(sorted(VALID)))
    kind = draw(st.sampled_from(["mutated", "mutated", "any"]))
    if kind == "any":
        return route, draw(any_json)
    return route, draw(mutated(draw(st.sampled_from(VALID[route]))))


def check(owner: Caller, runtime: Runtime, route: str, content: bytes, kind: str) -> None:
    before = rows(runtime.database)
    method, path = route.split(" ")
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
        f"{method} {re.sub('{.*?}', 'x', path)}"
        for method, path, _ in operations(api)
        if method in ("POST", "PUT", "PATCH")
    }
    assert known == set(VALID)


@given(call=calls())
@FEW
def test_any_json_is_taken_or_refused(owner: Caller, runtime: Runtime, call: tuple[str, Any]) -> None:
    route, body = call
    check(owner, runtime, route, json.dumps(body).encode(), "application/json")


@given(
    route=st.sampled_from(sorted(VALID)),
    content=st.binary(max_size=200)
    | st.sampled_from([b'{"to":', b"{}", b"\xef\xbb\xbf{}", b'"\\u', b"\x00", b"1e9999", b"\xfe\xff\x00{"]),
    kind=st.sampled_from(
        ["application/json", "text/plain", "multipart/form-data", "a/b; c", "application/x+json"]
    ),
)
@FEW
def test_any_bytes_are_taken_or_refused(
    owner: Caller, runtime: Runtime, route: str, content: bytes, kind: str
) -> None:
    check(owner, runtime, route, content, kind)


@given(
    path=st.sampled_from(
        [
            "/messages",
            "/dead-letters",
            "/dead-letters/groups",
            "/dead-letters/exhausted",
            "/contacts",
            "/alerts",
            "/admin/audit",
        ]
    ),
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
    for room in ("messages", "dead-letters", "contacts", "phones", "billing/invoices"):
        answer = owner("GET", f"/{room}/{quote(path, safe='')}")
        assert answer.status_code in (200, 307, 404, 405), answer.text
