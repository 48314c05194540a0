"""What is refused, in which order, and that the answer always has the one shape."""

import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx

from core import access
from core.runtime import Runtime
from data.enums import Role
from tests.api.conftest import (
    API,
    Caller,
    Server,
    assert_refusal,
    bearer,
    dead_letter,
    operations,
    rows,
    template,
)
from tests.conftest import Place

MAX_BODY = 262_144
GARBAGE = b"<xml>no json</xml>"
TEXT = {"Content-Type": "text/plain"}
JSON = {"Content-Type": "application/json"}


def test_405_comes_before_413(owner: Caller) -> None:
    huge = b"x" * (MAX_BODY + 1)
    refused = owner("PUT", "/messages/template", content=huge, headers=JSON)
    assert_refusal(refused, 405, "method_not_allowed")
    assert refused.headers["allow"] == "POST"
    assert_refusal(owner("DELETE", "/queues/status"), 405, "method_not_allowed")
    assert_refusal(owner("PATCH", "/webhooks/whatsapp", content=huge), 405, "method_not_allowed")


def test_413_comes_before_401_403_415_and_400(
    stranger: Caller, caller: Callable[[Role], Caller], runtime: Runtime
) -> None:
    before = rows(runtime.database)

    def in_pieces() -> Iterator[bytes]:
        for _ in range(5):
            yield b"x" * 65_536

    for who in (stranger, caller(Role.VIEWER), caller(Role.OWNER)):
        for headers in (TEXT, JSON):
            refused = who("POST", "/messages/template", content=b"x" * (MAX_BODY + 1), headers=headers)
            assert_refusal(refused, 413, "body_too_large")
            pieces = who("POST", "/messages/template", content=in_pieces(), headers=headers)
            assert_refusal(pieces, 413, "body_too_large")
        path = "/dead-letters/dl_none/restore"
        assert_refusal(who("POST", path, content=b"x" * (MAX_BODY + 1), headers=JSON), 413, "body_too_large")
    assert rows(runtime.database) == before


def test_a_body_of_just_the_limit_is_read(owner: Caller) -> None:
    body = json.dumps(template()).encode()
    body += b" " * (MAX_BODY - len(body))
    assert owner("POST", "/messages/template", content=body, headers=JSON).status_code == 200
    assert_refusal(owner("POST", "/messages/template", content=body + b" ", headers=JSON), 413)


def test_401_then_403_then_what_is_wrong_with_the_body(
    stranger: Caller, caller: Callable[[Role], Caller]
) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for content, headers, for_the_owner in (
        (GARBAGE, TEXT, 415),
        (GARBAGE, JSON, 400),
        (GARBAGE, form, 415),
        (GARBAGE, {"Content-Type": "multipart/form-data; boundary=x"}, 415),
        (b"", TEXT, 400),
        (b"[]", JSON, 400),
        (b"{}", TEXT, 400),
    ):
        for path in ("/messages/template", "/dead-letters/dl_none/discard", "/connections"):
            call = {"content": content, "headers": headers}
            assert_refusal(stranger("POST", path, **call), 401, "unauthenticated")
            assert_refusal(caller(Role.VIEWER)("POST", path, **call), 403, "forbidden")
            assert_refusal(caller(Role.OWNER)("POST", path, **call), for_the_owner)


def test_401_and_403_come_before_a_malformed_query(
    stranger: Caller, caller: Callable[[Role], Caller]
) -> None:
    backwards = {"from": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
    for asked in ({"limit": "0"}, {"cursor": "nonsense"}, backwards):
        assert_refusal(stranger("GET", "/dead-letters", params=asked), 401, "unauthenticated")
        assert_refusal(caller(Role.VIEWER)("GET", "/dead-letters", params=asked), 403, "forbidden")
        assert_refusal(caller(Role.OWNER)("GET", "/dead-letters", params=asked), 400)


def test_403_comes_before_404(caller: Callable[[Role], Caller]) -> None:
    for path in ("/dead-letters/dl_none/restore", "/dead-letters/%00/restore"):
        assert_refusal(caller(Role.VIEWER).post(path), 403, "forbidden")
        assert_refusal(caller(Role.OWNER).post(path), 404, "not_found")


def test_400_comes_before_404(owner: Caller) -> None:
    assert_refusal(owner.post("/dead-letters/dl_none/discard", {"reason": ""}), 400)
    assert_refusal(owner.post("/messages/msg_none/settle", {"outcome": "sent"}), 400)
    assert_refusal(owner.post("/messages/template", template(phoneNumberId="1", nonsense=1)), 400)


def test_404_comes_before_409_and_422(api: httpx.Client, owner: Caller, other_place: Place) -> None:
    letter = dead_letter(owner)
    path = f"/dead-letters/{letter['id']}"
    assert owner.post(f"{path}/discard", {"reason": "Done"}).status_code == 200
    theirs = Caller(api, bearer(other_place.keys[Role.OWNER]))
    assert_refusal(theirs.post(f"{path}/discard", {"reason": "Again"}), 404, "not_found")
    wrong = {"payload": {"to": "nobody", "text": "x"}}
    assert_refusal(theirs.post(f"{path}/redrive", wrong), 404, "not_found")
    assert_refusal(owner.post("/messages/template", template("nobody", phoneNumberId="1")), 404, "not_found")


def test_409_comes_before_422(owner: Caller) -> None:
    letter = dead_letter(owner)
    path = f"/dead-letters/{letter['id']}"
    owner.post(f"{path}/discard", {"reason": "Done"})
    refused = owner.post(f"{path}/redrive", {"payload": {"to": "nobody", "text": "x"}})
    assert_refusal(refused, 409, "not_open")


def test_422_comes_before_429(owner: Caller) -> None:
    for _ in range(30):
        assert owner.post("/messages/template", template()).status_code == 200
    assert_refusal(owner.post("/messages/template", template("nobody")), 422, "invalid_recipient")
    unknown = template(template={"name": "nothing", "language": "en"})
    assert_refusal(owner.post("/messages/template", unknown), 422, "template_unknown")
    assert_refusal(owner.post("/messages/template", template()), 429, "throughput_exceeded")


def test_an_unknown_address_answers_404_in_json(stranger: Caller) -> None:
    for path in ("", "/nothing", "/messages/a/b/c", "/Messages", "/dead-letters/x/y"):
        for method in ("GET", "POST"):
            assert_refusal(stranger(method, f"{API}{path}"), 404, "not_found")


def test_a_json_body_is_taken_whatever_its_content_type_says(owner: Caller, server: Server) -> None:
    body = json.dumps(template()).encode()
    for kind in (
        "application/x-www-form-urlencoded",
        "text/plain; charset=latin-1",
        "application/vnd.api+json",
        "application/json; charset=utf-8",
        "nonsense",
        "",
    ):
        answer = owner("POST", "/messages/template", content=body, headers={"Content-Type": kind})
        assert answer.status_code == 200, (kind, answer.text)
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
    connection.putrequest("POST", f"{API}/messages/template")
    connection.putheader("Authorization", owner.headers["Authorization"])
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answered = connection.getresponse()
    connection.close()
    assert answered.status == 200


def test_where_a_body_may_be_left_out_none_is_needed(owner: Caller) -> None:
    for path in ("pause", "resume"):
        assert owner.post(f"/queues/messageRetry/{path}").status_code == 200
        empty = owner("POST", f"/queues/messageRetry/{path}", content=b"", headers=TEXT)
        assert empty.status_code == 200
    letter = dead_letter(owner)
    assert owner.post(f"/dead-letters/{letter['id']}/redrive").status_code == 202


NESTED = b'{"to":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
MALFORMED: dict[str, bytes] = {
    "not JSON": b'{"to": ',
    "two values": b"{} {}",
    "a list": b"[]",
    "null": b"null",
    "a text": b'"to"',
    "a number": b"7",
    "true": b"true",
    "NaN": b'{"to": NaN}',
    "NaN alone": b"NaN",
    "infinity": b'{"ttlSeconds": -Infinity}',
    "a number beyond every range": b'{"ttlSeconds": 1e400}',
    "an integer of 400 digits": b'{"ttlSeconds": ' + b"9" * 400 + b"}",
    "an integer of 5,000 digits": b'{"ttlSeconds": ' + b"9" * 5_000 + b"}",
    "nested too deep to read": NESTED,
    "nested too deep to keep": b'{"to":' + b"[" * 300 + b"]" * 300 + b"}",
    "objects nested too deep": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "half a character as a value": b'{"to": "\\ud83d"}',
    "half a character as a key": b'{"\\udc00": 1}',
    "NUL as a key": b'{"\\u0000": 1}',
    "bytes that are no UTF-8": b'{"to": "\xff\xfe"}',
    "half a character in bytes": b'{"to": "\xed\xa0\x80"}',
    "an unknown field": b'{"nonsense": 1}',
    "a field of another spelling": b'{"phone_number_id": "1"}',
    "only blanks": b"  \n ",
}


def test_a_malformed_body_is_400_on_every_route_and_changes_nothing(
    api: httpx.Client, owner: Caller, runtime: Runtime
) -> None:
    before = rows(runtime.database)
    for method, path, operation in operations(api):
        if "requestBody" not in operation or operation.get("x-permission") == access.PLATFORM_ADMIN:
            continue  # a workspace's key is refused before its body is read
        url = (
            path.replace("{message_id}", "msg_x")
            .replace("{letter_id}", "dl_x")
            .replace("{phone_number_id}", "1")
        )
        for name, content in MALFORMED.items():
            if name != "null" or operation["requestBody"].get("required", False):
                answer = owner(method, url, content=content, headers=JSON)
                assert answer.status_code == 400, (name, url, answer.text)
                assert_refusal(answer, 400)
    assert rows(runtime.database) == before


def test_odd_values_deep_in_a_template_are_refused_and_not_stored(owner: Caller, runtime: Runtime) -> None:
    before = rows(runtime.database)
    for text in ("a\\u0000b", "\\ud83d", "\\udfff x"):
        body = json.dumps(template()).replace("Mara", text).encode()
        assert_refusal(owner("POST", "/messages/template", content=body, headers=JSON), 400)
    for number in ("NaN", "Infinity", "1e999", "-1e999"):
        body = json.dumps(template()).replace('"Mara"', number).encode()
        assert_refusal(owner("POST", "/messages/template", content=body, headers=JSON), 400)
    for key in ("\\u0000", "\\ud83d"):
        body = json.dumps(template()).replace('"text": "Mara"', f'"{key}": "Mara"').encode()
        assert_refusal(owner("POST", "/messages/template", content=body, headers=JSON), 400)
    assert rows(runtime.database) == before


WRONG_FIELDS: list[tuple[str, Any, str]] = [
    ("/messages/template", template(to=""), "to"),
    ("/messages/template", template(to=4915112345678), "to"),
    ("/messages/template", template(to="+49\x00"), "to"),
    ("/messages/template", template(to="1" * 65), "to"),
    ("/messages/template", template(mode="later"), "mode"),
    ("/messages/template", template(ttlSeconds=0), "ttlSeconds"),
    ("/messages/template", template(ttlSeconds=-1), "ttlSeconds"),
    ("/messages/template", template(ttlSeconds=1e300), "ttlSeconds"),
    ("/messages/template", template(ttlSeconds=True), "ttlSeconds"),
    ("/messages/template", template(phoneNumberId=106540352242922), "phoneNumberId"),
    ("/messages/template", template(phoneNumberId="' OR 1=1 --"), "phoneNumberId"),
    ("/messages/template", {"to": "+4915112345678"}, "template"),
    ("/messages/template", template(text="both"), "text"),
    ("/messages/template", template(template={"name": "x"}), "template.language"),
    (
        "/messages/template",
        template(template={"name": "x", "language": {"code": "en"}}),
        "template.language",
    ),
    (
        "/messages/template",
        template(template={"name": "x", "language": "en", "nonsense": 1}),
        "template.nonsense",
    ),
    (
        "/messages/template",
        template(template={"name": "x", "language": "en", "components": {}}),
        "template.components",
    ),
    (
        "/messages/template",
        template(template={"name": "x", "language": "en", "components": [7]}),
        "template.components.0",
    ),
    ("/messages/text", {"to": "+4915112345678"}, "text"),
    ("/messages/text", {"to": "+4915112345678", "text": ""}, "text"),
    ("/messages/text", {"to": "+4915112345678", "text": "a\x00"}, "text"),
    ("/messages/x/settle", {"outcome": "perhaps", "reason": "x"}, "outcome"),
    ("/messages/x/settle", {"outcome": "sent", "reason": "  "}, "reason"),
    ("/dead-letters/x/discard", {}, "reason"),
    ("/dead-letters/x/discard", {"reason": "x" * 501}, "reason"),
    ("/queues/messageRetry/pause", {"phoneNumberId": "abc"}, "phoneNumberId"),
    ("/connections", {"wabaId": "x", "accessToken": "y"}, "wabaId"),
    ("/connections", {"wabaId": "1", "accessToken": ""}, "accessToken"),
    ("/connections", {"wabaId": "1", "accessToken": "two\nlines"}, "accessToken"),
]


def test_a_wrong_field_is_named(owner: Caller, runtime: Runtime) -> None:
    before = rows(runtime.database)
    for path, body, field in WRONG_FIELDS:
        fields = assert_refusal(owner.post(path, body), 400)["fields"]
        assert field in [found["field"] for found in fields], (path, body, fields)
    assert rows(runtime.database) == before


WRONG_QUERIES: list[tuple[dict[str, str], str]] = [
    ({"limit": "0"}, "limit"),
    ({"limit": "-1"}, "limit"),
    ({"limit": "201"}, "limit"),
    ({"limit": "9" * 400}, "limit"),
    ({"limit": "ten"}, "limit"),
    ({"limit": "1.5"}, "limit"),
    ({"limit": ""}, "limit"),
    ({"cursor": "nonsense"}, "cursor"),
    ({"cursor": ""}, "cursor"),
    ({"cursor": "\x00"}, "cursor"),
    ({"cursor": "99999999999999999999.dl_x"}, "cursor"),
    ({"from": "yesterday"}, "from"),
    ({"from": "1763888400"}, "from"),
    ({"from": "2026-11-23"}, "from"),
    ({"from": "2026-11-23T09:00:00"}, "from"),
    ({"from": "2026-11-23 09:00:00Z"}, "from"),
    ({"until": "2026-11-31T09:00:00Z"}, "until"),
    ({"from": "2026-11-23T09:00:00Z", "until": "2026-11-23T08:59:59Z"}, "until"),
    ({"phoneNumberId": "abc"}, "phoneNumberId"),
    ({"q": "\x00"}, "q"),
    ({"to": "\x00"}, "to"),
    ({"errorCode": "\x00"}, "errorCode"),
    ({"errorCode": "x" * 65}, "errorCode"),
]


def test_a_malformed_query_is_400_with_its_field(owner: Caller) -> None:
    for path in ("/messages", "/dead-letters"):
        for asked, field in WRONG_QUERIES:
            fields = assert_refusal(owner("GET", path, params=asked), 400)["fields"]
            assert field in [found["field"] for found in fields], (path, asked)


def test_a_filter_with_a_typing_error_is_400_and_never_everything(owner: Caller) -> None:
    for path in ("/messages", "/dead-letters", "/phones", "/admin/team/permissions"):
        refused = assert_refusal(owner.get(path, statuss="dead"), 400)
        assert refused["fields"] == [{"field": "statuss", "message": "is not known here"}]


def test_an_unknown_word_in_a_filter_is_400(owner: Caller) -> None:
    of_letters = [{"state": "gone"}, {"fingerprint": "\x00"}, {"templateName": "\x00"}]
    for path, tried in (
        ("/messages", [{"status": "gone"}, {"direction": "up"}]),
        ("/dead-letters", of_letters),
        ("/dead-letters/groups", of_letters),
    ):
        for asked in tried:
            assert assert_refusal(owner.get(path, **asked), 400)["fields"][0]["field"] in asked


def test_the_ends_of_time_are_moments_too(owner: Caller) -> None:
    for moment in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"):
        for path in ("/messages", "/dead-letters", "/dead-letters/groups"):
            for name in ("from", "until"):
                assert owner("GET", path, params={name: moment}).status_code == 200


def test_an_id_that_cannot_be_is_not_there(owner: Caller) -> None:
    for text in ("%00", "%ff%fe", "%ed%a0%80", "a" * 5000, "..%2f..", "'%20OR%201=1--"):
        for path in (f"/messages/{text}", f"/dead-letters/{text}"):
            assert_refusal(owner("GET", path), 404, "not_found")
        assert_refusal(owner.post(f"/dead-letters/{text}/restore"), 404, "not_found")
        assert_refusal(owner("PATCH", f"/dead-letters/{text}", {"note": "x"}), 404, "not_found")


def test_an_idempotency_key_is_printable_ascii(owner: Caller, runtime: Runtime) -> None:
    before = rows(runtime.database)
    for key in ("", "k" * 256, "kéy", "a\tb"):
        headers = {"Idempotency-Key": key.encode("latin-1")}
        assert_refusal(owner.post("/messages/template", template(), headers=headers), 400)
    assert rows(runtime.database) == before


def test_the_api_describes_itself_without_a_key(api: httpx.Client, server: Server) -> None:
    answer = api.get(f"{API}/openapi.json")
    assert answer.status_code == 200
    document = answer.json()
    assert document["info"]["version"] == "test"
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert f"{API}/openapi.json" in api.get(f"{API}/docs").text
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert "422" not in operation["responses"], f"{path}: malformed is 400 here"
            assert operation["responses"]["4XX"]
            assert operation["responses"]["503"]


def test_what_is_malformed_is_said_in_plain_words(owner: Caller) -> None:
    wrong = {"to": 5, "nonsense": 1, "ttlSeconds": 0}
    fields = assert_refusal(owner.post("/messages/text", wrong), 400)["fields"]
    assert {found["field"]: found["message"] for found in fields} == {
        "to": "must be a valid string",
        "text": "is required",
        "ttlSeconds": "must be greater than 0",
        "nonsense": "is not known here",
    }
    assert assert_refusal(owner.post("/messages/text", [1]), 400)["error"] == "body: must be an object"
