"""/sandbox/phones and /sandbox/accounts: what Meta says of numbers and accounts, changed by hand.

Everything that changes is told by the webhook that Meta would send for it.
"""

from starlette.requests import Request
from starlette.responses import Response

from core.sandbox.answers import answer, sandbox_of
from core.sandbox.bodies import choice, find_phone, find_waba, known_keys, read_body, text
from core.sandbox.errors import Json
from core.sandbox.state import Sandbox
from core.sandbox.world import Phone, Waba, unix_now

HEALTH = ("AVAILABLE", "LIMITED", "BLOCKED")
# Meta's word for "no ban and no restriction" stands in no field: it tells by an event that undoes.
NO_RESTRICTION = "NONE"
RESTRICTIONS = (
    NO_RESTRICTION,
    "DISABLE",
    "RESTRICTED_BIZ_INITIATED_MESSAGING",
    "RESTRICTED_CUSTOMER_INITIATED_MESSAGING",
    "RESTRICTED_ADD_PHONE_NUMBER_ACTION",
)
_TIER_SIZES = ("TIER_50", "TIER_250", "TIER_1K", "TIER_2K", "TIER_10K", "TIER_100K", "TIER_UNLIMITED")
_PHONE_KEYS = (
    "status",
    "quality",
    "throughput",
    "messagingLimit",
    "health",
    "verifiedName",
    "nameStatus",
    "newNameStatus",
)


async def change_phone(request: Request) -> Response:
    """A phone's status, quality, throughput, messagingLimit, verifiedName, nameStatus, newNameStatus (the
    verdict on a name asked for) or health (AVAILABLE, LIMITED, BLOCKED). With quality RED it is FLAGGED."""
    sandbox = sandbox_of(request)
    phone = find_phone(sandbox, request.path_params["phone"])
    body = await read_body(request)
    known_keys(body, _PHONE_KEYS)
    words = {key: text(body, key) for key in body}
    if "health" in words:
        choice(body, "health", HEALTH)
    if "quality" in words and "status" not in words and phone.can_send:
        words["status"] = "FLAGGED" if words["quality"] == "RED" else "CONNECTED"
    _tell_phone(sandbox, phone, words)
    phone.status = words.get("status", phone.status)
    phone.quality = words.get("quality", phone.quality)
    phone.throughput = words.get("throughput", phone.throughput)
    phone.messaging_limit = words.get("messagingLimit", phone.messaging_limit)
    phone.verified_name = words.get("verifiedName", phone.verified_name)
    phone.name_status = words.get("nameStatus", phone.name_status)
    phone.new_name_status = words.get("newNameStatus", phone.new_name_status)
    phone.health = words.get("health", phone.health)
    return answer(phone_json(sandbox, phone))


async def change_account(request: Request) -> Response:
    """An account's review, the verification of its business, or its restriction (NONE lifts it)."""
    sandbox = sandbox_of(request)
    waba = find_waba(sandbox, request.path_params["waba"])
    body = await read_body(request)
    known_keys(body, ("review", "verification", "restriction"))
    words = {key: text(body, key) for key in body}
    if "restriction" in words:
        choice(body, "restriction", RESTRICTIONS)
        _restrict(sandbox, waba, words["restriction"])
    if "review" in words and words["review"] != waba.review:
        waba.review = words["review"]
        sandbox.tell_change(waba.id, field="account_review_update", value={"decision": waba.review})
    if "verification" in words:
        _verify(sandbox, waba, words["verification"])
    return answer(account_json(sandbox, waba))


def phone_json(sandbox: Sandbox, phone: Phone) -> Json:
    return {
        "phoneNumberId": phone.id,
        "wabaId": phone.waba_id,
        "displayPhoneNumber": phone.display,
        "verifiedName": phone.verified_name,
        "status": phone.status,
        "quality": phone.quality,
        "throughput": phone.throughput,
        "messagingLimit": phone.messaging_limit,
        "nameStatus": phone.name_status,
        "newNameStatus": phone.new_name_status,
        "health": phone.health,
        "busiestSecond": sandbox.journal.busiest_second[phone.id],
    }


def account_json(sandbox: Sandbox, waba: Waba) -> Json:
    return {
        "wabaId": waba.id,
        "name": waba.name,
        "review": waba.review,
        "restriction": waba.restriction,
        "verification": sandbox.world.businesses[waba.business_id].verification_status,
    }


def _tell_phone(sandbox: Sandbox, phone: Phone, words: dict[str, str]) -> None:
    named = {"display_phone_number": "".join(filter(str.isdigit, phone.display))}
    for change in _quality_changes(phone, words):
        sandbox.tell_change(phone.waba_id, field="phone_number_quality_update", value=named | change)
    decision = words.get("newNameStatus", phone.new_name_status)
    if decision not in (phone.new_name_status, "NONE"):
        verdict = {
            "decision": {"DECLINED": "REJECTED", "PENDING_REVIEW": "PENDING"}.get(decision, decision),
            "requested_verified_name": words.get("verifiedName", phone.verified_name),
            "rejection_reason": "NAME_FORMAT_UNACCEPTABLE" if decision == "DECLINED" else "NONE",
        }
        sandbox.tell_change(phone.waba_id, field="phone_number_name_update", value=named | verdict)


def _quality_changes(phone: Phone, words: dict[str, str]) -> list[Json]:
    changes: list[Json] = []
    if words.get("throughput", phone.throughput) == "HIGH" != phone.throughput:
        changes.append({"event": "THROUGHPUT_UPGRADE"})
    is_flagged = words.get("status", phone.status) == "FLAGGED"
    if is_flagged != (phone.status == "FLAGGED"):
        changes.append({"event": "FLAGGED" if is_flagged else "UNFLAGGED"})
    limit = words.get("messagingLimit", phone.messaging_limit)
    if limit != phone.messaging_limit:
        event = "UPGRADE" if _size(limit) > _size(phone.messaging_limit) else "DOWNGRADE"
        changes.append({"event": event, "old_limit": phone.messaging_limit, "current_limit": limit})
    return changes


def _size(tier: str) -> int:
    return _TIER_SIZES.index(tier) if tier in _TIER_SIZES else -1


def _restrict(sandbox: Sandbox, waba: Waba, restriction: str) -> None:
    before, waba.restriction = waba.restriction, restriction
    if restriction == before:
        return
    if restriction in ("DISABLE", NO_RESTRICTION):
        state = "DISABLE" if restriction == "DISABLE" else "REINSTATE"
        value: Json = {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": state}}
    else:
        value = {
            "event": "ACCOUNT_RESTRICTION",
            "restriction_info": [{"restriction_type": restriction, "expiration": unix_now() + 3 * 86_400}],
        }
    sandbox.tell_change(waba.id, field="account_update", value=value)


def _verify(sandbox: Sandbox, waba: Waba, state: str) -> None:
    business = sandbox.world.businesses[waba.business_id]
    before, business.verification_status = business.verification_status, state
    if state != before:
        certification = {"client_business_id": business.id, "status": state.upper(), "rejection_reasons": []}
        value = {
            "event": "PARTNER_CLIENT_CERTIFICATION_STATUS_UPDATE",
            "partner_client_certification_info": certification,
        }
        sandbox.tell_change(waba.id, field="account_update", value=value)
