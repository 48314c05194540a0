"""Calls to our own webhook address from outside, as Meta makes them."""

import time
from dataclasses import dataclass

import httpx

from core.ports.unit_guard import refuse_inside_unit

TIMEOUT_S = 10.0
TEXT_MAX = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """``text`` is the beginning of what was answered."""

    status: int
    text: str
    seconds: float


class NoAnswer(Exception):
    """Nothing answers at that address, or nothing that speaks HTTP."""


def ask(url: str, *, params: dict[str, str]) -> Answer:
    """The answer to a GET. Raises NoAnswer."""
    return _call(httpx.Request("GET", url, params=params))


def deliver(url: str, *, body: bytes, signature: str) -> Answer:
    """The answer to a POST of that signed body. Raises NoAnswer."""
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": signature}
    return _call(httpx.Request("POST", url, content=body, headers=headers))


def _call(request: httpx.Request) -> Answer:
    """A redirect is an answer: Meta follows none either. The address of an error would hold the token."""
    refuse_inside_unit()
    began = time.monotonic()
    try:
        with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client:
            response = client.send(request, follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NoAnswer(type(error).__name__) from None
    return Answer(response.status_code, response.text[:TEXT_MAX], time.monotonic() - began)
