"""What control calls carry: read, checked, refused with a sentence."""

import orjson
from starlette.requests import Request

from core.sandbox.errors import Json
from core.sandbox.state import Sandbox
from core.sandbox.world import Phone, Waba


class BadInput(Exception):
    """A control call that cannot be done; the sentence says why."""


async def read_body(request: Request) -> Json:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise BadInput("The body must be a JSON object.")
    return body


def known_keys(body: Json, known: tuple[str, ...]) -> None:
    for key in body:
        if key not in known:
            raise BadInput(f"{key} is not known here; known are {', '.join(known)}.")


def text(body: Json, key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value:
        raise BadInput(f"{key} is missing or not text.")
    return value


def number(body: Json, key: str) -> float | None:
    """A number, also written as text (Meta's timestamps are)."""
    value = body.get(key)
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise BadInput(f"{key} must be a number.") from None


def choice(body: Json, key: str, choices: tuple[str, ...]) -> str:
    value = body.get(key)
    if value not in choices:
        raise BadInput(f"{key} must be one of {', '.join(choices)}.")
    return str(value)


def find_phone(sandbox: Sandbox, phone_number_id: object) -> Phone:
    phones = sandbox.world.phones
    if phone_number_id is None:
        return next(iter(phones.values()))
    phone = phones.get(str(phone_number_id))
    if phone is None:
        raise BadInput(f"There is no phone {phone_number_id}; see /sandbox/state.")
    return phone


def find_waba(sandbox: Sandbox, waba_id: object) -> Waba:
    wabas = sandbox.world.wabas
    if waba_id is None:
        return next(iter(wabas.values()))
    waba = wabas.get(str(waba_id))
    if waba is None:
        raise BadInput(f"There is no WABA {waba_id}.")
    return waba
