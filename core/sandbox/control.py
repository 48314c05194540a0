"""/sandbox/…: what a test or a demo can do to this Meta and see of it. camelCase; 400 with a sentence."""

import re
import secrets
import time
from dataclasses import replace
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from core.sandbox.answers import answer, sandbox_of
from core.sandbox.errors import Json, MetaError
from core.sandbox.faults import MAGIC, Fault, Kind, Match
from core.sandbox.state import Sandbox, inbound_text
from core.sandbox.webhooks import handshake
from core.sandbox.world import Phone, Waba

STATUSES = ("sent", "delivered", "read", "played", "failed")
TEMPLATE_STATUSES = (
    "APPROVED",
    "PENDING",
    "REJECTED",
    "PAUSED",
    "DISABLED",
    "FLAGGED",
    "IN_APPEAL",
    "REINSTATED",
    "ARCHIVED",
    "UNARCHIVED",
    "LOCKED",
    "LIMIT_EXCEEDED",
    "PENDING_DELETION",
)
HEALTH = ("AVAILABLE", "LIMITED", "BLOCKED")
NO_MATCH = Match()


class BadInput(Exception):
    """A control call that cannot be done; the sentence says why."""


async def read_state(request: Request) -> Response:
    sandbox = sandbox_of(request)
    outbox, journal = sandbox.outbox, sandbox.journal
    return answer(
        {
            **journal.totals(),
            "outcomes": dict(journal.outcomes),
            "webhooks": {
                "url": outbox.url,
                "sent": outbox.sent,
                "updatesSent": outbox.updates_sent,
                "failed": outbox.failed,
                "dropped": outbox.dropped,
                "pending": outbox.pending,
            },
            "phones": [_phone_json(sandbox, phone) for phone in sandbox.world.phones.values()],
            "faults": [
                _fault_json(fault)
                for fault in (*sandbox.script.made.values(), *sandbox.script.presets.values())
            ],
            "magic": [_fault_json(fault) for fault in MAGIC],
        }
    )


async def read_received(request: Request) -> Response:
    """The newest requests first; `limit` 1 to 2,000 (100), `to` digits of one recipient."""
    limit = request.query_params.get("limit", "100")
    if not limit.isdigit() or not 1 <= int(limit) <= 2_000:
        raise BadInput("limit must be a whole number from 1 to 2000.")
    to = request.query_params.get("to")
    journal = sandbox_of(request).journal
    return answer({"received": journal.page(limit=int(limit), to=re.sub(r"\D", "", to) if to else None)})


async def read_counts(request: Request) -> Response:
    """Exact since the last reset: acceptances by callback id and by recipient, tries by callback id."""
    journal = sandbox_of(request).journal
    return answer(
        {
            **journal.totals(),
            "byCallback": dict(journal.by_callback),
            "byRecipient": dict(journal.by_recipient),
            "triesByCallback": dict(journal.tries_by_callback),
            "busiestSecond": dict(journal.busiest_second),
        }
    )


async def create_fault(request: Request) -> Response:
    script = sandbox_of(request).script
    body = await _body(request)
    if "kind" not in body:
        raise BadInput(f"kind is missing; it is one of {', '.join(Kind)}.")
    fault = _changed(Fault(id=script.next_id(), title="", kind=Kind.ERROR), body)
    if not fault.title:
        fault = replace(fault, title=_plain_title(fault))
    script.put(fault)
    return answer(_fault_json(fault), status=201)


async def change_fault(request: Request) -> Response:
    script = sandbox_of(request).script
    fault = _changed(_find_fault(request), await _body(request))
    script.put(fault)
    return answer(_fault_json(fault))


async def delete_fault(request: Request) -> Response:
    sandbox_of(request).script.remove(_find_fault(request).id)
    return answer({"success": True})


async def send_inbound(request: Request) -> Response:
    """A contact writes: `from` and `text`, or a whole `message` in place of the text; besides them
    `phoneNumberId` (the first phone), `name` and `timestamp` (now)."""
    sandbox = sandbox_of(request)
    body = await _body(request)
    phone = _find_phone(sandbox, body.get("phoneNumberId"))
    sender = re.sub(r"[+\s().-]", "", _text(body, "from"))
    if not sender.isdigit():
        raise BadInput("from must be a phone number.")
    message = inbound_text(sender=sender, text="", at=_number(body, "timestamp"))
    if isinstance(body.get("message"), dict):
        del message["text"]
        message |= body["message"]
    else:
        message["text"] = {"body": _text(body, "text")}
    sandbox.tell_inbound(phone, sender=sender, name=str(body.get("name") or sender), message=message)
    return answer({"wamid": message["id"], "phoneNumberId": phone.id})


async def push_status(request: Request) -> Response:
    """One status at once, for an accepted message named by `wamid` or `callback`; besides it
    `timestamp` (now), and `errors` or a `code` that becomes Meta's error."""
    sandbox = sandbox_of(request)
    body = await _body(request)
    name = str(body.get("wamid") or body.get("callback") or "")
    if not name:
        raise BadInput("Name the message by its wamid or by its callback (biz_opaque_callback_data).")
    received = sandbox.journal.find_accepted(name)
    if received is None:
        raise BadInput(f"No accepted message {name} among the newest 2000 requests.")
    status = _choice(body, "status", STATUSES)
    errors = body.get("errors")
    if errors is None and status == "failed":
        errors = [MetaError(int(_number(body, "code") or 131026)).webhook()]
    if errors is not None and not isinstance(errors, list):
        raise BadInput("errors must be a list of Meta's error objects.")
    at = _number(body, "timestamp")
    return answer(
        {"status": sandbox.push_status(received, status, at=time.time() if at is None else at, errors=errors)}
    )


async def push_change(request: Request) -> Response:
    """Any webhook change: `field`, `value`, and `wabaId` (the first WABA)."""
    sandbox = sandbox_of(request)
    body = await _body(request)
    waba = _find_waba(sandbox, body.get("wabaId"))
    if not isinstance(body.get("value"), dict):
        raise BadInput("value must be an object.")
    sandbox.tell_change(waba.id, field=_text(body, "field"), value=body["value"])
    return answer({"success": True})


async def set_template_status(request: Request) -> Response:
    """All languages of the template, or the one of `language`; in the first WABA, or in `wabaId`."""
    sandbox = sandbox_of(request)
    body = await _body(request)
    name, language = request.path_params["name"], body.get("language")
    status = _choice(body, "status", TEMPLATE_STATUSES)
    waba = _find_waba(sandbox, body.get("wabaId"))
    chosen = [
        t for t in sandbox.world.templates_of(waba.id) if t.name == name and language in (None, t.language)
    ]
    if not chosen:
        raise BadInput(f"There is no template {name} in {waba.name}.")
    reason = str(body.get("reason") or ("INVALID_FORMAT" if status == "REJECTED" else "NONE"))
    for template in chosen:
        sandbox.set_template_status(template, status, reason)
    return answer({"changed": len(chosen), "status": status})


async def change_phone(request: Request) -> Response:
    """A phone's status, quality, throughput, messagingLimit or health (AVAILABLE, LIMITED, BLOCKED)."""
    sandbox = sandbox_of(request)
    phone = _find_phone(sandbox, request.path_params["phone"])
    body = await _body(request)
    _known_keys(body, ("status", "quality", "throughput", "messagingLimit", "health"))
    words = {key: _text(body, key) for key in body}
    if "health" in words:
        _choice(body, "health", HEALTH)
    phone.status = words.get("status", phone.status)
    phone.quality = words.get("quality", phone.quality)
    phone.throughput = words.get("throughput", phone.throughput)
    phone.messaging_limit = words.get("messagingLimit", phone.messaging_limit)
    phone.health = words.get("health", phone.health)
    return answer(_phone_json(sandbox, phone))


async def set_webhook(request: Request) -> Response:
    """Subscribes a webhook as Meta's dashboard does: the handshake first, and only then its `url` is used."""
    sandbox = sandbox_of(request)
    url = _text(await _body(request), "url")
    if not url.startswith(("http://", "https://")):
        raise BadInput("url must begin with http:// or https://.")
    challenge = str(secrets.randbelow(10**10))
    if not await handshake(url, verify_token=sandbox.config.verify_token, challenge=challenge):
        raise BadInput(
            "The receiver did not answer the handshake with the challenge; is the verify token the same?"
        )
    sandbox.outbox.url = url
    return answer({"success": True})


async def reset(request: Request) -> Response:
    sandbox_of(request).reset()
    return answer({"success": True})


def _changed(fault: Fault, body: Json) -> Fault:
    """The fault with the given settings; every one is checked."""
    _known_keys(body, tuple(FAULT_KEYS))
    changes: dict[str, Any] = {}
    for key, value in body.items():
        name, kinds = FAULT_KEYS[key]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise BadInput(f"{key} cannot be {value!r}.")
        changes[name] = value
    if "kind" in changes:
        changes["kind"] = Kind(_choice(body, "kind", tuple(Kind)))
    if "per" in changes:
        _choice(body, "per", ("recipient", "message"))
    if "match" in changes:
        changes["match"] = _match(body["match"])
    if not 0 <= changes.get("share", 1) <= 1:
        raise BadInput("share must be from 0 to 1.")
    times = changes.get("times")
    if times is not None and times < 1:
        raise BadInput("times must be at least 1, or null for always.")
    if not 0 <= changes.get("seconds", 0) <= 3_600:
        raise BadInput("seconds must be from 0 to 3600.")
    return replace(fault, **changes)


FAULT_KEYS: dict[str, tuple[str, tuple[type, ...]]] = {
    "title": ("title", (str,)),
    "kind": ("kind", (str,)),
    "match": ("match", (dict,)),
    "share": ("share", (int, float)),
    "times": ("times", (int, type(None))),
    "per": ("per", (str,)),
    "enabled": ("enabled", (bool,)),
    "code": ("code", (int,)),
    "seconds": ("seconds", (int, float)),
    "details": ("details", (str, type(None))),
    "subcode": ("subcode", (int, type(None))),
    "httpStatus": ("http_status", (int, type(None))),
    "retryAfterS": ("retry_after_s", (int, type(None))),
    "accepted": ("accepted", (bool,)),
}


def _match(body: Json) -> Match:
    _known_keys(body, ("to", "phoneNumberId", "template"))
    for key, value in body.items():
        if value is not None and not isinstance(value, str):
            raise BadInput(f"match.{key} must be text.")
    to = body.get("to")
    if to is not None and not re.search(r"\d", to):
        raise BadInput("match.to must hold digits: a whole number with +, or the end of one.")
    return Match(to=to, phone_number_id=body.get("phoneNumberId"), template=body.get("template"))


def _plain_title(fault: Fault) -> str:
    what = (
        f"error {fault.code}"
        if fault.kind in (Kind.ERROR, Kind.FAILED_STATUS)
        else fault.kind.replace("_", " ")
    )
    whom = f"to …{fault.match.to}" if fault.match.to else "to everyone"
    return f"{what.capitalize()} {whom}"


def _fault_json(fault: Fault) -> Json:
    match = {
        "to": fault.match.to,
        "phoneNumberId": fault.match.phone_number_id,
        "template": fault.match.template,
    }
    settings = {key: getattr(fault, name) for key, (name, _) in FAULT_KEYS.items()}
    return {"id": fault.id, **settings, "match": match}


def _phone_json(sandbox: Sandbox, phone: Phone) -> Json:
    return {
        "phoneNumberId": phone.id,
        "wabaId": phone.waba_id,
        "displayPhoneNumber": phone.display,
        "verifiedName": phone.verified_name,
        "status": phone.status,
        "quality": phone.quality,
        "throughput": phone.throughput,
        "messagingLimit": phone.messaging_limit,
        "health": phone.health,
        "busiestSecond": sandbox.journal.busiest_second[phone.id],
    }


def _find_fault(request: Request) -> Fault:
    fault_id = request.path_params["fault"]
    fault = sandbox_of(request).script.find(fault_id)
    if fault is None:
        raise BadInput(f"There is no fault {fault_id} that can be changed.")
    return fault


def _find_phone(sandbox: Sandbox, phone_number_id: object) -> Phone:
    phones = sandbox.world.phones
    if phone_number_id is None:
        return next(iter(phones.values()))
    phone = phones.get(str(phone_number_id))
    if phone is None:
        raise BadInput(f"There is no phone {phone_number_id}; see /sandbox/state.")
    return phone


def _find_waba(sandbox: Sandbox, waba_id: object) -> Waba:
    wabas = sandbox.world.wabas
    if waba_id is None:
        return next(iter(wabas.values()))
    waba = wabas.get(str(waba_id))
    if waba is None:
        raise BadInput(f"There is no WABA {waba_id}.")
    return waba


async def _body(request: Request) -> Json:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise BadInput("The body must be a JSON object.")
    return body


def _known_keys(body: Json, known: tuple[str, ...]) -> None:
    for key in body:
        if key not in known:
            raise BadInput(f"{key} is not known here; known are {', '.join(known)}.")


def _text(body: Json, key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value:
        raise BadInput(f"{key} is missing or not text.")
    return value


def _number(body: Json, key: str) -> float | None:
    """A number, also written as text (Meta's timestamps are)."""
    value = body.get(key)
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise BadInput(f"{key} must be a number.") from None


def _choice(body: Json, key: str, choices: tuple[str, ...]) -> str:
    value = body.get(key)
    if value not in choices:
        raise BadInput(f"{key} must be one of {', '.join(choices)}.")
    return str(value)
