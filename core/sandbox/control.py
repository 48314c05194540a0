"""/sandbox/…: what a test or a demo can do to this Meta and see of it. camelCase; 400 with a sentence."""

import re
import secrets
import time
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from core.sandbox.accounts import account_json, phone_json
from core.sandbox.answers import answer, sandbox_of
from core.sandbox.bodies import BadInput, choice, find_phone, find_waba, known_keys, number, read_body, text
from core.sandbox.errors import Json, MetaError
from core.sandbox.faults import MAGIC, Fault, Kind, Match
from core.sandbox.samples import sample
from core.sandbox.state import inbound_text
from core.sandbox.templates import template_json
from core.sandbox.webhooks import Disorder, handshake

STATUSES = ("sent", "delivered", "read", "played", "failed")
NO_MATCH = Match()


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
            "phones": [phone_json(sandbox, phone) for phone in sandbox.world.phones.values()],
            "accounts": [account_json(sandbox, waba) for waba in sandbox.world.wabas.values()],
            "templates": [template_json(each) for each in sandbox.world.templates.values()],
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
    body = await read_body(request)
    if "kind" not in body:
        raise BadInput(f"kind is missing; it is one of {', '.join(Kind)}.")
    fault = _changed(Fault(id=script.next_id(), title="", kind=Kind.ERROR), body)
    if not fault.title:
        fault = replace(fault, title=_plain_title(fault))
    script.put(fault)
    return answer(_fault_json(fault), status=201)


async def change_fault(request: Request) -> Response:
    script = sandbox_of(request).script
    fault = _changed(_find_fault(request), await read_body(request))
    script.put(fault)
    return answer(_fault_json(fault))


async def delete_fault(request: Request) -> Response:
    sandbox_of(request).script.remove(_find_fault(request).id)
    return answer({"success": True})


async def send_inbound(request: Request) -> Response:
    """A contact writes: `from` and `text`, or a whole `message` in place of the text; besides them
    `phoneNumberId` (the first phone), `name` and `timestamp` (now)."""
    sandbox = sandbox_of(request)
    body = await read_body(request)
    phone = find_phone(sandbox, body.get("phoneNumberId"))
    sender = re.sub(r"[+\s().-]", "", text(body, "from"))
    if not sender.isdigit():
        raise BadInput("from must be a phone number.")
    message = inbound_text(sender=sender, text="", at=number(body, "timestamp"))
    if isinstance(body.get("message"), dict):
        del message["text"]
        message |= body["message"]
    else:
        message["text"] = {"body": text(body, "text")}
    sandbox.tell_inbound(phone, sender=sender, name=str(body.get("name") or sender), message=message)
    return answer({"wamid": message["id"], "phoneNumberId": phone.id})


async def push_status(request: Request) -> Response:
    """One status at once, for an accepted message named by `wamid` or `callback`; besides it
    `timestamp` (now), and `errors` or a `code` that becomes Meta's error."""
    sandbox = sandbox_of(request)
    body = await read_body(request)
    name = str(body.get("wamid") or body.get("callback") or "")
    if not name:
        raise BadInput("Name the message by its wamid or by its callback (biz_opaque_callback_data).")
    received = sandbox.journal.find_accepted(name)
    if received is None:
        raise BadInput(f"No accepted message {name} among the newest 2000 requests.")
    status = choice(body, "status", STATUSES)
    errors = body.get("errors")
    if errors is None and status == "failed":
        errors = [MetaError(int(number(body, "code") or 131026)).webhook()]
    if errors is not None and not isinstance(errors, list):
        raise BadInput("errors must be a list of Meta's error objects.")
    at = number(body, "timestamp")
    return answer(
        {"status": sandbox.push_status(received, status, at=time.time() if at is None else at, errors=errors)}
    )


async def push_change(request: Request) -> Response:
    """Any webhook change: `field`, `value` (a sample, if the field is known), and `wabaId` (the first
    WABA)."""
    sandbox = sandbox_of(request)
    body = await read_body(request)
    waba = find_waba(sandbox, body.get("wabaId"))
    field = text(body, "field")
    world = sandbox.world
    value = body.get("value") or sample(
        field,
        waba=waba,
        phone=world.phones_of(waba.id)[0],
        template=next(iter(world.templates_of(waba.id)), None),
    )
    if not isinstance(value, dict):
        raise BadInput("value must be an object; only fields that are known here have a sample.")
    sandbox.tell_change(waba.id, field=field, value=value)
    return answer({"success": True})


async def disturb_webhooks(request: Request) -> Response:
    """From now on webhooks come in disorder: `duplicates` (share that is sent twice, 0 to 1), `shuffle`, and
    `lateSeconds` (at most 600). What is left out is orderly again."""
    body = await read_body(request)
    known_keys(body, ("duplicates", "shuffle", "lateSeconds"))
    duplicates, late_s = number(body, "duplicates") or 0.0, number(body, "lateSeconds") or 0.0
    if not 0 <= duplicates <= 1:
        raise BadInput("duplicates must be from 0 to 1.")
    if not 0 <= late_s <= 600:
        raise BadInput("lateSeconds must be from 0 to 600.")
    if not isinstance(body.get("shuffle", False), bool):
        raise BadInput("shuffle must be true or false.")
    sandbox_of(request).outbox.disorder = Disorder(duplicates, body.get("shuffle", False), late_s)
    return answer({"success": True})


async def set_webhook(request: Request) -> Response:
    """Subscribes a webhook as Meta's dashboard does: the handshake first, and only then its `url` is used."""
    sandbox = sandbox_of(request)
    url = text(await read_body(request), "url")
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
    known_keys(body, tuple(FAULT_KEYS))
    changes: dict[str, Any] = {}
    for key, value in body.items():
        name, kinds = FAULT_KEYS[key]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise BadInput(f"{key} cannot be {value!r}.")
        changes[name] = value
    if "kind" in changes:
        changes["kind"] = Kind(choice(body, "kind", tuple(Kind)))
    if "per" in changes:
        choice(body, "per", ("recipient", "message"))
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
    known_keys(body, ("to", "phoneNumberId", "template"))
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


def _find_fault(request: Request) -> Fault:
    fault_id = request.path_params["fault"]
    fault = sandbox_of(request).script.find(fault_id)
    if fault is None:
        raise BadInput(f"There is no fault {fault_id} that can be changed.")
    return fault
