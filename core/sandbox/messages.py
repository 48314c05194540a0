"""POST /{phone}/messages: the one call that matters, with the faults that can befall it."""

import asyncio
import time

import orjson
from starlette.requests import Request
from starlette.responses import Response

from core.sandbox.access import require_access
from core.sandbox.answers import HTML_502, NoAnswer, answer, refuse, sandbox_of
from core.sandbox.errors import Json, MetaError
from core.sandbox.faults import Asked, Fault, Kind
from core.sandbox.journal import Received
from core.sandbox.shapes import Send, read_product, read_send, require_receipt
from core.sandbox.state import Sandbox
from core.sandbox.world import Phone

HIDES_ANSWER = frozenset({Kind.RESET, Kind.TIMEOUT, Kind.MALFORMED})
HTTP_FAULTS = frozenset({Kind.HTML_502, Kind.EMPTY_500})


async def send_message(request: Request) -> Response:
    """Takes a message or a read receipt, or refuses it as Meta would; faults strike well-formed ones."""
    sandbox = sandbox_of(request)
    arrived, arrived_at = time.monotonic(), time.time()
    raw = await request.body()
    require_access(request)
    phone = sandbox.world.phone(request.path_params["node"])
    body = read_product(_parse(raw))
    if body.get("status") == "read":
        require_receipt(body)
        sandbox.journal.receipts += 1
        return answer({"success": True})
    sandbox.journal.arrive(phone.id, at=arrived)
    received = Received(phone.id, body, arrived, arrived_at, version=request.path_params["version"])
    try:
        received.send = _read(sandbox, phone, body)
    except MetaError as refusal:
        return await _refused(sandbox, received, refusal)
    fault = sandbox.script.strike(
        Asked(
            recipient=received.send.recipient,
            phone_number_id=phone.id,
            template=received.send.template,
            message_key=received.send.callback or f"#{sandbox.journal.received}",
        )
    )
    if fault is None:
        return await _accepted(sandbox, received)
    return await _struck(sandbox, received, fault)


def _parse(raw: bytes) -> object:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


def _read(sandbox: Sandbox, phone: Phone, body: Json) -> Send:
    if not phone.can_send:
        raise MetaError(133010)
    send = read_send(
        body,
        find_template=lambda name, language: sandbox.world.template(
            phone.waba_id, name=name, language=language
        ),
    )
    if send.recipient == "".join(filter(str.isdigit, phone.display)):
        raise MetaError(131021)
    return send


async def _struck(sandbox: Sandbox, received: Received, fault: Fault) -> Response:
    if fault.kind is Kind.ERROR:
        return await _refused(sandbox, received, fault.error(), retry_after_s=fault.retry_after_s)
    if fault.kind is Kind.RESET_BEFORE:
        received.outcome = fault.kind.value
        sandbox.journal.keep(received)
        return NoAnswer()
    if fault.kind in HTTP_FAULTS and not fault.accepted:
        received.outcome = fault.kind.value
        sandbox.journal.keep(received)
        return await _proxy_error(sandbox, fault)
    if fault.kind in HIDES_ANSWER | HTTP_FAULTS:
        _take(sandbox, received, outcome=fault.kind.value)
        if fault.kind in HTTP_FAULTS:
            return await _proxy_error(sandbox, fault)
        if fault.kind is Kind.MALFORMED:
            return Response(
                b'{"messaging_product":"whatsapp","contacts":[{"inp', media_type="application/json"
            )
        return NoAnswer(hold_s=fault.seconds if fault.kind is Kind.TIMEOUT else 0.0)
    return await _accepted(sandbox, received, fault)


async def _refused(
    sandbox: Sandbox, received: Received, refusal: MetaError, *, retry_after_s: int | None = None
) -> Response:
    received.code = refusal.code
    sandbox.journal.keep(received)
    await _take_time(sandbox)
    waba_id = sandbox.world.phone(received.phone_number_id).waba_id
    return refuse(refusal, waba_id=waba_id, retry_after_s=retry_after_s)


async def _accepted(sandbox: Sandbox, received: Received, fault: Fault | None = None) -> Response:
    _take(sandbox, received, outcome="accepted", fault=fault)
    assert received.send is not None
    if fault is not None and fault.kind is Kind.SLOW:
        await asyncio.sleep(fault.seconds)
    else:
        await _take_time(sandbox)
    key = "user_id" if received.send.scoped else "wa_id"
    return answer(
        {
            "messaging_product": "whatsapp",
            "contacts": [{"input": received.send.to, key: received.send.recipient}],
            "messages": [{"id": received.wamid, "message_status": "accepted"}],
        }
    )


def _take(sandbox: Sandbox, received: Received, *, outcome: str, fault: Fault | None = None) -> None:
    """Accepts the message on the spot: a client that goes away now changes nothing."""
    received.outcome = outcome
    sandbox.accept(received)
    sandbox.journal.keep(received)
    if fault is not None and fault.kind is Kind.FAILED_STATUS:
        sandbox.plan_failure(received, fault.error())
    elif fault is None or fault.kind is not Kind.SILENT:
        sandbox.plan_journey(received)


async def _proxy_error(sandbox: Sandbox, fault: Fault) -> Response:
    await _take_time(sandbox)
    if fault.kind is Kind.HTML_502:
        return Response(HTML_502, status_code=502, media_type="text/html")
    return Response(b"", status_code=500)


async def _take_time(sandbox: Sandbox) -> None:
    low_s, high_s = sandbox.config.answer_delay_s
    if high_s > 0:
        await asyncio.sleep(sandbox.rng.uniform(low_s, high_s))
