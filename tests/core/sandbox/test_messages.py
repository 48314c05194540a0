import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from core.sandbox.config import SandboxConfig
from core.sandbox.faults import MAGIC
from core.sandbox.server import running

PHONE = "106540352242922"
TO = "+49 151 1234567"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with running(SandboxConfig(statuses=False, answer_delay_s=(0, 0), seed=1)) as url:
        yield url


@pytest.fixture
def meta(address: str) -> Iterator[httpx.Client]:
    headers = {"Authorization": "Bearer EAAtoken"}
    with httpx.Client(base_url=address, headers=headers, timeout=5, trust_env=False) as client:
        client.post("/sandbox/reset").raise_for_status()
        yield client


def text_to(to: str = TO, **more: Any) -> dict[str, Any]:
    return {"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": "Hello"}, **more}


def template_to(
    to: str = TO,
    *,
    name: str = "order_update",
    language: str = "en_US",
    values: tuple[str, ...] = ("A", "B"),
    **more: Any,
) -> dict[str, Any]:
    parameters = [{"type": "text", "text": value} for value in values]
    components = [{"type": "body", "parameters": parameters}] if values else []
    template = {"name": name, "language": {"code": language}, "components": components}
    return {"messaging_product": "whatsapp", "to": to, "type": "template", "template": template, **more}


def send(
    meta: httpx.Client, body: Any, *, phone: str = PHONE, version: str = "v23.0", **more: Any
) -> httpx.Response:
    return meta.post(f"/{version}/{phone}/messages", json=body, **more)


def refusal(answer: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = answer.json()["error"]
    return error


def script(meta: httpx.Client, **rule: Any) -> str:
    answer = meta.post("/sandbox/faults", json=rule)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_a_send_is_accepted_with_a_wamid_and_the_digits_of_the_recipient(meta: httpx.Client) -> None:
    answer = send(meta, template_to())
    assert answer.status_code == 200
    body = answer.json()
    assert body["messaging_product"] == "whatsapp"
    assert body["contacts"] == [{"input": TO, "wa_id": "491511234567"}]
    assert body["messages"][0]["id"].startswith("wamid.")
    assert body["messages"][0]["message_status"] == "accepted"


def test_ids_are_never_repeated(meta: httpx.Client) -> None:
    wamids = {send(meta, text_to()).json()["messages"][0]["id"] for _ in range(20)}
    assert len(wamids) == 20


def test_text_is_the_type_when_none_is_given_and_any_version_is_served(meta: httpx.Client) -> None:
    body = text_to()
    del body["type"]
    assert send(meta, body, version="v25.0").status_code == 200


def test_a_business_scoped_id_is_answered_as_user_id(meta: httpx.Client) -> None:
    body = text_to(recipient="US.13491208655302741918")
    del body["to"]
    assert send(meta, body).json()["contacts"] == [
        {"input": "US.13491208655302741918", "user_id": "US.13491208655302741918"}
    ]


def test_a_read_receipt_is_no_message(meta: httpx.Client) -> None:
    receipt = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.x"}
    assert send(meta, receipt).json() == {"success": True}
    assert refusal(send(meta, {"messaging_product": "whatsapp", "status": "read"}))["code"] == 100
    counts = meta.get("/sandbox/counts").json()
    assert (counts["receipts"], counts["accepted"]) == (1, 0)


@pytest.mark.parametrize(
    ("authorization", "subcode"),
    [
        (None, None),
        ("Basic EAAtoken", None),
        ("Bearer expired-1", 463),
        ("Bearer revoked-1", 467),
    ],
)
def test_a_missing_or_dead_token_is_190(address: str, authorization: str | None, subcode: int | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = httpx.post(f"{address}/v23.0/{PHONE}/messages", json=text_to(), headers=headers, trust_env=False)
    assert answer.status_code == 401
    assert refusal(answer)["code"] == 190
    assert refusal(answer)["type"] == "OAuthException"
    assert refusal(answer).get("error_subcode") == subcode
    assert answer.headers["x-fb-trace-id"] == refusal(answer)["fbtrace_id"]


def test_an_unknown_phone_is_400_with_code_100_subcode_33(meta: httpx.Client) -> None:
    answer = send(meta, text_to(), phone="999")
    assert answer.status_code == 400
    assert (refusal(answer)["code"], refusal(answer)["error_subcode"]) == (100, 33)


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ({"to": TO}, 100, "messaging_product is required"),
        (["no object"], 100, "messaging_product is required"),
        (text_to(messaging_product="sms"), 100, "one of {WHATSAPP}"),
        (text_to(to=""), 100, "The parameter to is required"),
        (text_to(to="nobody"), 131009, "not a valid WhatsApp phone number"),
        (text_to(type="smoke"), 100, "Param type must be one of"),
        (text_to(text={}), 100, "text['body'] is required"),
        (text_to(text={"body": "x" * 4097}), 100, "at most 4096 characters"),
        (text_to(text={"body": "x", "colour": 1}), 100, 'Unexpected key "colour" on param "text"'),
        (text_to(surprise=1), 100, 'Unexpected key "surprise" on param "message"'),
        (text_to(biz_opaque_callback_data="x" * 513), 100, "at most 512 characters"),
        (text_to(to="+493055570142"), 131021, "Recipient cannot be sender"),
        (text_to(type="image", image={}) | {"text": None}, 100, 'Unexpected key "text"'),
        (
            template_to(values=("A",)),
            132000,
            "number of localizable_params (1) does not match the expected number of params (2)",
        ),
        (template_to(values=()), 132000, "number of localizable_params (0)"),
        (
            template_to(name="winter_sale", values=("Sunday",)),
            132000,
            "header: number of localizable_params (0)",
        ),
        (template_to(name="nothing"), 132001, "template name (nothing) does not exist in en_US"),
        (template_to(language="fr"), 132001, "does not exist in fr"),
        (template_to(name="checkup_reminder", language="en_GB"), 132001, "does not exist"),
        (template_to(name="spring_sale"), 132015, "Template is paused"),
        (template_to(name="loyalty_offer", values=("A",)), 132001, "does not exist"),
        (template_to(name="new_catalogue"), 132001, "does not exist"),
        (template_to(values=("A", "two\nlines")), 132018, "new-line/tab"),
        (template_to(values=("A", "")), 131008, "missing text value"),
        (template_to(values=("A", "x" * 1000)), 132005, "exceeds 1024"),
        (
            template_to(name="one_time_code", values=("483920",)),
            131008,
            "Button at index 0 of type Url requires a parameter",
        ),
    ],
)
def test_a_wrong_body_is_refused_in_metas_words(meta: httpx.Client, body: Any, code: int, said: str) -> None:
    answer = send(meta, body)
    assert 400 <= answer.status_code < 500
    error = refusal(answer)
    assert error["code"] == code
    assert said in error["message"] + error.get("error_data", {}).get("details", "")
    assert error["fbtrace_id"]
    assert meta.get("/sandbox/counts").json()["accepted"] == 0


def test_an_unknown_field_of_a_parameter_is_code_100(meta: httpx.Client) -> None:
    body = template_to()
    body["template"]["components"][0]["parameters"][0]["texts"] = "A"
    error = refusal(send(meta, body))
    assert error["code"] == 100
    assert (
        "Unexpected key \"texts\" on param \"template['components'][0]['parameters'][0]\"" in error["message"]
    )


def test_every_approved_template_can_be_sent_with_its_parameters(meta: httpx.Client) -> None:
    code = [
        {"type": "body", "parameters": [{"type": "text", "text": "483920"}]},
        {
            "type": "button",
            "sub_type": "url",
            "index": "0",
            "parameters": [{"type": "text", "text": "483920"}],
        },
    ]
    sale = [{"type": kind, "parameters": [{"type": "text", "text": "30 %"}]} for kind in ("header", "body")]
    for name, language, components in [
        ("order_update", "en_US", None),
        ("delivery_today", "en", None),
        ("appointment_reminder", "en_US", None),
        ("appointment_reminder", "de", None),
        ("password_reset", "en_US", code),
        ("one_time_code", "en_US", code),
        ("winter_sale", "en_US", sale),
        ("feedback_request", "en", []),
        ("hello_world", "en_US", []),
    ]:
        values = ("A", "B", "C") if name == "delivery_today" else ("A", "B")
        body = template_to(name=name, language=language, values=values)
        if components is not None:
            body["template"]["components"] = components
        answer = send(meta, body)
        assert answer.status_code == 200, (name, answer.text)


def test_counts_are_exact_beyond_the_ring_of_records(meta: httpx.Client) -> None:
    for number in range(2_050):
        send(meta, text_to(biz_opaque_callback_data=f"msg_{number % 1_025}"))
    counts = meta.get("/sandbox/counts").json()
    assert counts["byCallback"] == {f"msg_{number}": 2 for number in range(1_025)}
    assert (counts["accepted"], counts["duplicates"], counts["callbacks"]) == (2_050, 1_025, 1_025)
    assert counts["byRecipient"] == {"491511234567": 2_050}
    assert 1 <= counts["busiestSecond"][PHONE] <= 2_050
    assert len(meta.get("/sandbox/received", params={"limit": 2000}).json()["received"]) == 2_000


def test_refused_tries_are_counted_apart_from_acceptances(meta: httpx.Client) -> None:
    for _ in range(2):
        send(meta, text_to("+49151 0000001", biz_opaque_callback_data="msg_a"))
    counts = meta.get("/sandbox/counts").json()
    assert counts["byCallback"] == {"msg_a": 1}
    assert counts["triesByCallback"] == {"msg_a": 2}


def test_received_lists_bodies_newest_first_and_by_recipient(meta: httpx.Client) -> None:
    before = time.monotonic()
    wamid = send(meta, template_to(biz_opaque_callback_data="msg_1")).json()["messages"][0]["id"]
    send(meta, text_to("+447700900123"))
    send(meta, template_to(name="nothing"))
    newest = meta.get("/sandbox/received").json()["received"]
    assert [one["outcome"] for one in newest] == ["refused", "accepted", "accepted"]
    assert newest[0]["code"] == 132001
    first = newest[2]
    assert (first["wamid"], first["callback"], first["template"]) == (wamid, "msg_1", "order_update")
    assert first["body"] == template_to(biz_opaque_callback_data="msg_1")
    assert before <= first["arrivedMonotonic"] <= time.monotonic()
    only = meta.get("/sandbox/received", params={"to": "+44 7700 900123", "limit": 5}).json()["received"]
    assert [one["to"] for one in only] == ["+447700900123"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (131016, 500),
        (131000, 500),
        (130429, 429),
        (131056, 400),
        (131026, 400),
        (80007, 429),
        (368, 403),
        (2, 500),
        (131042, 402),
        (987654, 400),
    ],
)
def test_a_scripted_code_answers_with_its_status_and_body(meta: httpx.Client, code: int, status: int) -> None:
    script(meta, kind="error", code=code, match={"to": "4567"})
    answer = send(meta, text_to())
    assert answer.status_code == status
    assert refusal(answer)["code"] == code
    assert refusal(answer)["message"]
    assert refusal(answer).get("is_transient", False) is (code == 2)
    assert ("x-business-use-case-usage" in answer.headers) is (code == 80007)
    assert send(meta, text_to("+447700900123")).status_code == 200


def test_details_and_retry_after_can_be_scripted(meta: httpx.Client) -> None:
    script(meta, kind="error", code=130429, details="Slow down.", retryAfterS=7, httpStatus=400, subcode=5)
    answer = send(meta, text_to())
    assert (answer.status_code, answer.headers["retry-after"]) == (400, "7")
    assert refusal(answer)["error_data"]["details"] == "Slow down."
    assert refusal(answer)["error_subcode"] == 5


def test_a_rule_with_times_fails_so_often_for_each_recipient(meta: httpx.Client) -> None:
    script(meta, kind="error", code=131000, times=2)
    for to in ("+447700900001", "+447700900002"):
        assert [send(meta, text_to(to)).status_code for _ in range(4)] == [500, 500, 200, 200]


def test_a_rule_counted_per_message_strikes_every_new_message_once(meta: httpx.Client) -> None:
    script(meta, kind="error", code=131000, times=1, per="message")
    for callback in ("msg_a", "msg_b"):
        bodies = [text_to(biz_opaque_callback_data=callback)] * 2
        assert [send(meta, body).status_code for body in bodies] == [500, 200]


def test_the_first_matching_enabled_rule_wins(meta: httpx.Client) -> None:
    first = script(meta, kind="error", code=131000, match={"template": "order_update"})
    script(meta, kind="error", code=131016)
    assert refusal(send(meta, template_to()))["code"] == 131000
    assert refusal(send(meta, text_to()))["code"] == 131016
    meta.patch(f"/sandbox/faults/{first}", json={"enabled": False}).raise_for_status()
    assert refusal(send(meta, template_to()))["code"] == 131016


def test_a_rule_can_be_for_one_phone_or_one_whole_number(meta: httpx.Client) -> None:
    script(meta, kind="error", match={"phoneNumberId": "106540352242923"})
    script(meta, kind="error", code=131026, match={"to": "+447700900123"})
    assert send(meta, text_to()).status_code == 200
    assert send(meta, text_to(), phone="106540352242923").status_code == 500
    assert send(meta, text_to("447700900123")).status_code == 400
    assert send(meta, text_to("+1447700900123")).status_code == 200


@pytest.mark.parametrize(("kind", "accepted"), [("reset", 1), ("reset_before", 0)])
def test_a_reset_is_a_real_one_without_a_byte_of_an_answer(
    meta: httpx.Client, kind: str, accepted: int
) -> None:
    script(meta, kind=kind, times=1)
    body = (
        b'{"messaging_product":"whatsapp","to":"+49151","text":{"body":"x"},"biz_opaque_callback_data":"m1"}'
    )
    with socket.create_connection((meta.base_url.host, meta.base_url.port or 0), timeout=5) as raw:
        raw.sendall(
            b"POST /v23.0/%b/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (PHONE.encode(), len(body), body)
        )
        with pytest.raises(ConnectionResetError):
            raw.recv(1)
    counts = meta.get("/sandbox/counts").json()
    assert counts["byCallback"] == ({"m1": 1} if accepted else {})
    assert counts["triesByCallback"] == {"m1": 1}
    assert counts["resets"] == 1


def test_httpx_sees_a_reset_as_a_failed_read(meta: httpx.Client) -> None:
    script(meta, kind="reset", times=1)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        send(meta, text_to())
    assert send(meta, text_to()).status_code == 200


def test_a_timeout_accepts_and_never_answers(meta: httpx.Client) -> None:
    script(meta, kind="timeout", times=1)
    with pytest.raises(httpx.ReadTimeout):
        send(meta, text_to(biz_opaque_callback_data="m1"), timeout=0.2)
    assert meta.get("/sandbox/counts").json()["byCallback"] == {"m1": 1}


def test_a_timeout_ends_in_a_reset_after_its_seconds(meta: httpx.Client) -> None:
    script(meta, kind="timeout", seconds=0.1)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        send(meta, text_to())


def test_slow_answers_late_but_accepts_at_once(meta: httpx.Client) -> None:
    script(meta, kind="slow", seconds=0.3)
    start = time.monotonic()
    assert send(meta, text_to()).status_code == 200
    assert time.monotonic() - start >= 0.3


def test_malformed_accepts_and_answers_broken_json(meta: httpx.Client) -> None:
    script(meta, kind="malformed")
    answer = send(meta, text_to())
    assert answer.status_code == 200
    with pytest.raises(ValueError):
        answer.json()
    assert meta.get("/sandbox/counts").json()["accepted"] == 1


@pytest.mark.parametrize("accepted", [True, False])
def test_proxy_errors_are_not_metas_and_accept_only_if_told(meta: httpx.Client, accepted: bool) -> None:
    script(meta, kind="html_502", accepted=accepted, match={"to": "1"})
    script(meta, kind="empty_500", accepted=accepted, match={"to": "2"})
    page, empty = send(meta, text_to("+44770090001")), send(meta, text_to("+44770090002"))
    assert (page.status_code, page.headers["content-type"].split(";")[0]) == (502, "text/html")
    assert page.text.startswith("<!DOCTYPE html>")
    assert (empty.status_code, empty.content) == (500, b"")
    assert meta.get("/sandbox/counts").json()["accepted"] == (2 if accepted else 0)


@pytest.mark.parametrize(
    ("ending", "outcomes"),
    [
        ("0000001", [131016, 200, 200]),
        ("0000002", [131016, 131016, 131016]),
        ("0000003", [131026, 131026]),
        ("0000004", [130472, 130472]),
        ("0000005", ["reset", 200]),
        ("0000006", ["timeout", 200]),
        ("0000007", [200, 200]),
        ("0000008", [131056, 131056, 200]),
        ("0000009", [190, 190]),
        ("0000010", [200, 200]),
    ],
)
def test_the_magic_numbers_meet_their_fate(
    meta: httpx.Client, ending: str, outcomes: list[int | str]
) -> None:
    seen: list[int | str] = []
    for _ in outcomes:
        try:
            answer = send(meta, text_to(f"+49151{ending}"), timeout=0.3)
        except httpx.ReadTimeout:
            seen.append("timeout")
        except (httpx.ReadError, httpx.RemoteProtocolError):
            seen.append("reset")
        else:
            seen.append(200 if answer.status_code == 200 else refusal(answer)["code"])
    assert seen == outcomes


def test_every_magic_number_is_tried_above() -> None:
    assert [fault.match.to for fault in MAGIC] == [f"000000{digit}" for digit in range(1, 10)]


def test_a_phone_that_is_not_connected_sends_nothing(meta: httpx.Client) -> None:
    meta.patch(f"/sandbox/phones/{PHONE}", json={"status": "DISCONNECTED"}).raise_for_status()
    assert refusal(send(meta, text_to()))["code"] == 133010


def test_the_demo_fails_about_one_message_in_eight_once_and_few_for_good() -> None:
    config = SandboxConfig(statuses=False, answer_delay_s=(0, 0), seed=4, demo=True)
    headers = {"Authorization": "Bearer t"}
    with running(config) as url, httpx.Client(base_url=url, headers=headers, trust_env=False) as meta:
        first: dict[int | str, int] = {}
        again: list[int] = []
        for number in range(1_500):
            body = text_to(f"+4915112{number:05}", biz_opaque_callback_data=f"m{number}")
            try:
                answer = send(meta, body)
                outcome = 200 if answer.status_code == 200 else refusal(answer)["code"]
            except (httpx.ReadError, httpx.RemoteProtocolError):
                outcome = "reset"
            first[outcome] = first.get(outcome, 0) + 1
            if outcome in (131016, 131000, 130429):
                again.append(send(meta, body).status_code)
    assert set(first) == {200, 131016, 131000, 130429, 131026, "reset"}
    assert 0.09 < len(again) / 1_500 < 0.15
    assert 0.015 < first[131026] / 1_500 < 0.045
    assert again.count(200) / len(again) > 0.8
