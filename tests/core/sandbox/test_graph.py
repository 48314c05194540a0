import hashlib
import hmac
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from core.sandbox.config import SandboxConfig
from core.sandbox.server import running

WABA = "100200300400500"
OTHER_WABA = "100200300400600"
BUSINESS = "900800700600500"
PHONE = "106540352242922"
SECRET = "the-app-secret"
APP = {"client_id": "42", "client_secret": SECRET}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with running(
        SandboxConfig(statuses=False, answer_delay_s=(0, 0), phones=5, app_id="42", app_secret=SECRET)
    ) as url:
        yield url


@pytest.fixture
def meta(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=address, headers={"Authorization": "Bearer t"}, timeout=5, trust_env=False
    ) as client:
        client.post("/sandbox/reset").raise_for_status()
        yield client


def get(meta: httpx.Client, path: str, **query: Any) -> dict[str, Any]:
    answer = meta.get(path, params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def refused(meta: httpx.Client, path: str, **query: Any) -> tuple[int, int, int | None]:
    """HTTP status, code, subcode."""
    answer = meta.get(path, params=query)
    error = answer.json()["error"]
    return answer.status_code, error["code"], error.get("error_subcode")


def test_a_phone_shows_the_asked_fields(meta: httpx.Client) -> None:
    fields = (
        "display_phone_number,verified_name,quality_rating,status,throughput{level},"
        "whatsapp_business_manager_messaging_limit,code_verification_status,name_status"
    )
    assert get(meta, f"/v23.0/{PHONE}", fields=fields) == {
        "id": PHONE,
        "display_phone_number": "+49 30 5557 0142",
        "verified_name": "Northwind Logistics",
        "quality_rating": "GREEN",
        "status": "CONNECTED",
        "throughput": {"level": "STANDARD"},
        "whatsapp_business_manager_messaging_limit": "TIER_2K",
        "code_verification_status": "VERIFIED",
        "name_status": "APPROVED",
    }
    assert get(meta, f"/v23.0/{PHONE}")["verified_name"] == "Northwind Logistics"


def test_an_unknown_field_fails_the_whole_call(meta: httpx.Client) -> None:
    for node in (PHONE, WABA, BUSINESS):
        answer = meta.get(f"/v23.0/{node}", params={"fields": "id,shoe_size"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, 100)
        assert "(shoe_size)" in answer.json()["error"]["message"]


def test_unknown_nodes_and_paths(meta: httpx.Client) -> None:
    assert refused(meta, "/v23.0/123") == (400, 100, 33)
    assert refused(meta, "/v23.0/123/phone_numbers") == (400, 100, 33)
    assert refused(meta, "/v23.0/123/message_templates") == (400, 100, 33)
    assert refused(meta, f"/v23.0/{PHONE}/nothing/here")[1] == 2500


def test_nodes_want_a_living_token(address: str) -> None:
    for path in (PHONE, WABA, f"{WABA}/phone_numbers", f"{WABA}/message_templates", BUSINESS, "debug_token"):
        for headers in ({}, {"Authorization": "Bearer expired-x"}):
            answer = httpx.get(f"{address}/v23.0/{path}", headers=headers, trust_env=False)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, 190)


def test_a_waba_and_a_business_show_their_fields(meta: httpx.Client) -> None:
    waba = get(meta, f"/v23.0/{WABA}", fields="name,currency,timezone_id,account_review_status,health_status")
    assert (waba["id"], waba["name"], waba["account_review_status"]) == (WABA, "Waypost Demo", "APPROVED")
    assert waba["health_status"]["can_send_message"] == "AVAILABLE"
    business = get(meta, f"/v23.0/{BUSINESS}", fields="verification_status,name")
    assert business["verification_status"] == "verified"
    owned = get(meta, f"/v23.0/{BUSINESS}/owned_whatsapp_business_accounts")["data"]
    assert [one["id"] for one in owned] == [WABA, OTHER_WABA]


def test_phones_are_listed_per_waba_with_made_up_ones_after_the_known(meta: httpx.Client) -> None:
    phones = get(meta, f"/v23.0/{WABA}/phone_numbers", fields="display_phone_number,status")["data"]
    assert [phone["id"] for phone in phones] == [str(int(PHONE) + number) for number in range(5)]
    assert len({phone["display_phone_number"] for phone in phones}) == 5
    assert {phone["status"] for phone in phones} == {"CONNECTED"}
    assert len(get(meta, f"/v23.0/{OTHER_WABA}/phone_numbers")["data"]) == 1


def test_a_fault_for_everything_of_a_phone_blocks_its_health(meta: httpx.Client) -> None:
    def health(phone: str) -> str:
        word: str = get(meta, f"/v23.0/{phone}", fields="health_status")["health_status"]["can_send_message"]
        return word

    rule = {"kind": "error", "code": 131042, "match": {"phoneNumberId": PHONE}}
    fault = meta.post("/sandbox/faults", json=rule).json()["id"]
    assert health(PHONE) == "BLOCKED"
    assert health(str(int(PHONE) + 1)) == "AVAILABLE"
    entities = get(meta, f"/v23.0/{PHONE}", fields="health_status")["health_status"]["entities"]
    assert entities[0]["errors"][0]["error_code"] == 131042
    meta.patch(f"/sandbox/faults/{fault}", json={"enabled": False})
    assert health(PHONE) == "AVAILABLE"
    meta.patch(f"/sandbox/phones/{PHONE}", json={"health": "LIMITED"})
    assert health(PHONE) == "LIMITED"


def test_templates_come_in_pages_until_there_is_no_next(meta: httpx.Client) -> None:
    whole = get(meta, f"/v23.0/{WABA}/message_templates", limit=100)
    assert "next" not in whole["paging"]
    names = [(one["name"], one["language"]) for one in whole["data"]]
    assert ("appointment_reminder", "de") in names
    assert "checkup_reminder" not in dict(names)
    seen: list[tuple[str, str]] = []
    page = get(meta, f"/v23.0/{WABA}/message_templates", limit=4)
    while True:
        assert len(page["data"]) <= 4
        seen += [(one["name"], one["language"]) for one in page["data"]]
        if "next" not in page["paging"]:
            break
        assert "access_token" not in page["paging"]["next"]
        page = meta.get(page["paging"]["next"]).json()
    assert seen == names
    third = get(
        meta,
        f"/v23.0/{WABA}/message_templates",
        limit=4,
        after=get(meta, f"/v23.0/{WABA}/message_templates", limit=8)["paging"]["cursors"]["after"],
    )
    assert [(one["name"], one["language"]) for one in third["data"]] == names[8:12]
    back = get(meta, f"/v23.0/{WABA}/message_templates", limit=4, before=third["paging"]["cursors"]["before"])
    assert [(one["name"], one["language"]) for one in back["data"]] == names[4:8]


def test_a_broken_cursor_or_limit_is_code_100(meta: httpx.Client) -> None:
    path = f"/v23.0/{WABA}/message_templates"
    assert refused(meta, path, after="?") == (400, 100, None)
    assert refused(meta, path, after="eA") == (400, 100, None)
    assert refused(meta, path, limit=0) == (400, 100, None)


def test_templates_are_filtered(meta: httpx.Client) -> None:
    def names(**query: Any) -> list[str]:
        return [one["name"] for one in get(meta, f"/v23.0/{WABA}/message_templates", **query)["data"]]

    assert names(name="appointment_reminder") == ["appointment_reminder"] * 2
    assert names(name="appointment_reminder", language="de") == ["appointment_reminder"]
    assert names(status="PAUSED") == ["spring_sale"]
    assert names(status='["REJECTED","PENDING"]') == ["loyalty_offer", "new_catalogue"]
    assert names(category="AUTHENTICATION") == ["password_reset", "one_time_code"]
    assert names(name_or_content="VERIFICATION code") == ["password_reset", "one_time_code"]
    assert names(name="nothing") == []


def test_a_template_shows_components_with_examples_and_asked_fields(meta: httpx.Client) -> None:
    template = get(meta, f"/v23.0/{WABA}/message_templates", name="order_update")["data"][0]
    assert template["components"][0]["example"] == {"body_text": [["Mara", "NW-20418"]]}
    short = get(meta, f"/v23.0/{template['id']}", fields="name,quality_score,rejected_reason")
    assert short == {
        "id": template["id"],
        "name": "order_update",
        "rejected_reason": "NONE",
        "quality_score": short["quality_score"],
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "Upper Case"}, "name"),
        ({"category": "SPAM"}, "category"),
        ({"components": []}, "BODY"),
        ({"components": [{"type": "SHOE"}]}, "components"),
        ({"language": None}, "language"),
    ],
)
def test_a_malformed_template_is_refused(meta: httpx.Client, change: dict[str, Any], said: str) -> None:
    body = {
        "name": "n",
        "language": "en",
        "category": "UTILITY",
        "components": [{"type": "BODY", "text": "x"}],
    }
    answer = meta.post(f"/v23.0/{WABA}/message_templates", json=body | change)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 100)
    assert said in answer.json()["error"]["message"]


def test_a_template_is_made_once_per_language_then_edited_and_deleted(meta: httpx.Client) -> None:
    body = {
        "name": "pending_news",
        "language": "en",
        "category": "marketing",
        "components": [{"type": "body", "text": "x"}],
    }
    path = f"/v23.0/{WABA}/message_templates"
    made = meta.post(path, json=body).json()
    assert (made["status"], made["category"]) == ("PENDING", "MARKETING")
    again = meta.post(path, json=body).json()["error"]
    assert (again["code"], again["error_subcode"]) == (100, 2388024)
    edit = meta.post(f"/v23.0/{made['id']}", json={"components": [{"type": "BODY", "text": "y"}]})
    assert edit.json()["error"]["error_subcode"] == 2388039
    german = meta.post(path, json=body | {"language": "de"}).json()["id"]
    assert meta.delete(path, params={"name": "pending_news", "hsm_id": german}).json() == {"success": True}
    assert [one["language"] for one in get(meta, path, name="pending_news")["data"]] == ["en"]
    assert meta.delete(path, params={"name": "pending_news"}).json() == {"success": True}
    assert get(meta, path, name="pending_news")["data"] == []
    assert meta.delete(path, params={"name": "pending_news"}).status_code == 404
    gone = meta.post(path, json=body).json()["error"]
    assert (gone["code"], gone["error_subcode"]) == (100, 2388023)


def test_an_approved_template_can_be_edited_and_is_reviewed_again(meta: httpx.Client) -> None:
    template = get(meta, f"/v23.0/{WABA}/message_templates", name="order_update")["data"][0]["id"]
    parts = [{"type": "BODY", "text": "Changed {{1}} now"}]
    assert meta.post(f"/v23.0/{template}", json={"components": parts}).json() == {"success": True}
    assert get(meta, f"/v23.0/{template}", fields="status,components") == {
        "id": template,
        "status": "PENDING",
        "components": parts,
    }


def test_meta_limits_new_templates_an_hour_and_edits_a_day(meta: httpx.Client) -> None:
    path = f"/v23.0/{WABA}/message_templates"
    body: dict[str, Any] = {
        "language": "en",
        "category": "UTILITY",
        "components": [{"type": "BODY", "text": "x"}],
    }
    for number in range(100):
        meta.post(path, json=body | {"name": f"pending_{number}"}).raise_for_status()
    assert meta.post(path, json=body | {"name": "pending_more"}).json()["error"]["code"] == 80008
    node = get(meta, path, name="order_update")["data"][0]["id"]
    for text, fits in (("Changed {{1}} now", True), ("Changed {{1}} again", False)):
        answer = meta.post(f"/v23.0/{node}", json={"components": [{"type": "BODY", "text": text}]})
        assert (answer.status_code == 200) is fits, answer.text
        status = {"status": "APPROVED", "wabaId": WABA}
        meta.post("/sandbox/templates/order_update/status", json=status).raise_for_status()
    late = {"category": "MARKETING", "components": body["components"]}
    assert "category" in meta.post(f"/v23.0/{node}", json=late).json()["error"]["error_user_msg"]


@pytest.mark.parametrize(
    ("part", "subcode"),
    [
        ({"type": "BODY", "text": "{{1}} is here"}, 2388299),
        ({"type": "BODY", "text": "b" * 1025}, 2388072),
        ({"type": "FOOTER", "text": "f" * 61}, 2388073),
    ],
)
def test_meta_refuses_words_that_are_no_template(
    meta: httpx.Client, part: dict[str, Any], subcode: int
) -> None:
    parts = [part] if part["type"] == "BODY" else [{"type": "BODY", "text": "x"}, part]
    body = {"name": "n", "language": "en", "category": "UTILITY", "components": parts}
    answer = meta.post(f"/v23.0/{WABA}/message_templates", json=body)
    assert answer.json()["error"]["error_subcode"] == subcode


def test_the_subscription_of_a_waba_comes_and_goes(meta: httpx.Client) -> None:
    path = f"/v23.0/{WABA}/subscribed_apps"
    assert get(meta, path)["data"][0]["whatsapp_business_api_data"]["id"] == "42"
    assert meta.delete(path).json() == {"success": True}
    assert get(meta, path) == {"data": []}
    assert meta.post(path).json() == {"success": True}
    assert len(get(meta, path)["data"]) == 1


@pytest.mark.parametrize(("token", "days"), [("EAAx", 60), ("soon-1", 5), ("stuck-1", 5), ("never-1", None)])
def test_debug_token_describes_a_living_token(meta: httpx.Client, token: str, days: int | None) -> None:
    told = get(meta, "/debug_token", input_token=token)["data"]
    assert told["is_valid"] is True
    assert (told["type"], told["app_id"]) == ("SYSTEM_USER", "42")
    assert told["scopes"] == ["whatsapp_business_management", "whatsapp_business_messaging"]
    assert WABA in told["granular_scopes"][0]["target_ids"]
    expected = 0 if days is None else time.time() + days * 86_400
    assert told["expires_at"] == pytest.approx(expected, abs=5)


def test_debug_token_describes_a_dead_token(meta: httpx.Client) -> None:
    told = get(meta, "/v23.0/debug_token", input_token="expired-1")["data"]
    assert told["is_valid"] is False
    assert (told["error"]["code"], told["error"]["subcode"]) == (190, 463)
    assert told["expires_at"] < time.time()
    assert refused(meta, "/debug_token")[1] == 100


def test_a_token_is_exchanged_proved_and_the_old_one_revoked(meta: httpx.Client) -> None:
    exchange = {**APP, "grant_type": "fb_exchange_token", "set_token_expires_in_60_days": "true"}
    answer = get(meta, "/v23.0/oauth/access_token", **exchange, fb_exchange_token="soon-old")
    fresh = answer["access_token"]
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 5_183_944)
    assert get(meta, "/debug_token", input_token=fresh)["data"]["expires_at"] > time.time() + 59 * 86_400

    def status_with(token: str) -> int:
        return meta.get(f"/v23.0/{PHONE}", headers={"Authorization": f"Bearer {token}"}).status_code

    assert (status_with("soon-old"), status_with(fresh)) == (200, 200)
    assert get(meta, "/oauth/revoke", **APP, revoke_token="soon-old", access_token=fresh) == {"success": True}
    assert (status_with("soon-old"), status_with(fresh)) == (401, 200)
    assert get(meta, "/debug_token", input_token="soon-old")["data"]["error"]["subcode"] == 467


def test_what_cannot_be_exchanged(meta: httpx.Client) -> None:
    path, exchange = "/oauth/access_token", {**APP, "grant_type": "fb_exchange_token"}
    assert refused(meta, path, **exchange, fb_exchange_token="expired-1") == (401, 190, 463)
    assert refused(meta, path, **exchange, fb_exchange_token="stuck-1")[:2] == (500, 2)
    assert refused(meta, path, **exchange)[1] == 190
    assert refused(meta, path, **{**exchange, "client_secret": "wrong"}, fb_exchange_token="x")[:2] == (
        400,
        1,
    )
    assert refused(meta, path, **{**exchange, "client_id": "7"}, fb_exchange_token="x")[1] == 101
    assert refused(meta, path, **APP, grant_type="guess")[1] == 100


def test_the_apps_own_token(meta: httpx.Client) -> None:
    token = get(meta, "/oauth/access_token", **APP, grant_type="client_credentials")["access_token"]
    assert token == f"42|{SECRET}"
    told = meta.get(
        "/debug_token", params={"input_token": "EAAx", "access_token": token}, headers={"Authorization": ""}
    )
    assert told.json()["data"]["is_valid"] is True


def test_a_wrong_proof_of_the_secret_is_refused(meta: httpx.Client) -> None:
    proof = hmac.new(SECRET.encode(), b"t", hashlib.sha256).hexdigest()
    assert get(meta, f"/v23.0/{PHONE}", appsecret_proof=proof)["id"] == PHONE
    assert refused(meta, f"/v23.0/{PHONE}", appsecret_proof="0" * 64) == (400, 100, None)
