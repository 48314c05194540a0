"""What a call to Meta came to: every way that it can go becomes one of a few words here, and only here."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import aiohttp
import httpx

from core.ports.graph_tokens import SECRET_PARAMETERS
from core.storable import storable

ERROR_TEXT_MAX = 500
SECRET_MIN = 8  # what is shorter is no secret of Meta's, and a part of words


class ReplyKind(StrEnum):
    """What is known of a send after the call.

    ``accepted`` Meta took it · ``refused`` Meta or the network said no, nothing was taken ·
    ``unknown`` nobody can tell.
    """

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one send. ``meta_code`` is Meta's ``error.code``; ``word`` names what is no code of
    Meta's: network_timeout, connection_failed, http_NNN, bad_response. ``retry_after_s``: 0 if not said.
    ``subcode``: Meta's ``error_subcode``, which only some calls need."""

    kind: ReplyKind
    wamid: str | None = None
    meta_code: int | None = None
    word: str | None = None
    detail: str = ""
    http_status: int | None = None
    is_transient: bool = False
    trace_id: str | None = None
    retry_after_s: float = 0.0
    subcode: int | None = None


class GraphError(Exception):
    """A call other than a send failed. ``reply`` says how."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.detail or reply.word or "Meta refused the call")
        self.reply = reply


def read_send(status: int, headers: Mapping[str, str], content: bytes) -> Reply:
    answer = as_json(content)
    if status == 200:
        messages = answer.get("messages") if isinstance(answer, dict) else None
        first = messages[0] if isinstance(messages, list) and messages else None
        wamid = first.get("id") if isinstance(first, dict) else None
        if isinstance(wamid, str) and wamid:
            return Reply(ReplyKind.ACCEPTED, wamid=wamid, http_status=200)
        return Reply(
            ReplyKind.UNKNOWN,
            word="bad_response",
            detail="Meta answered 200 with a body that names no message.",
            http_status=200,
        )
    return read_error(status, headers, answer)


def read_error(status: int, headers: Mapping[str, str], answer: Any) -> Reply:
    error = answer.get("error") if isinstance(answer, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    if not isinstance(error, dict) or not isinstance(code, int) or isinstance(code, bool):
        # A gateway's page, not Meta's words: after a 5xx Meta may have taken the message all the same.
        kind = ReplyKind.UNKNOWN if status >= 500 else ReplyKind.REFUSED
        return Reply(
            kind,
            word=f"http_{status}" if status >= 400 else "bad_response",
            detail=f"Meta answered HTTP {status} without an error of its own.",
            http_status=status,
            retry_after_s=_retry_after(headers),
        )
    details = error.get("error_data")
    detail = details.get("details") if isinstance(details, dict) else None
    subcode = error.get("error_subcode")
    return Reply(
        ReplyKind.REFUSED,
        meta_code=code,
        detail=str(detail or error.get("error_user_msg") or error.get("message") or "")[:ERROR_TEXT_MAX],
        http_status=status,
        is_transient=error.get("is_transient") is True,
        trace_id=str(error["fbtrace_id"])[:100] if error.get("fbtrace_id") else None,
        retry_after_s=_retry_after(headers),
        subcode=subcode if isinstance(subcode, int) else None,
    )


def no_answer(error: httpx.HTTPError | aiohttp.ClientError | TimeoutError) -> Reply:
    """Refused only where it is certain that nothing left us; anything else may have been taken.

    httpx's transport reports every broken connection, also one that broke after the body was written, as a
    connect timeout: what it was caused by tells them apart.
    """
    cause = error.__cause__ if isinstance(error, httpx.HTTPError) else error
    nothing_left = isinstance(
        cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.NonHttpUrlClientError
    )
    if nothing_left:
        return Reply(ReplyKind.REFUSED, word="connection_failed", detail="Could not connect to Meta.")
    if isinstance(cause, aiohttp.ClientResponseError):
        return Reply(ReplyKind.UNKNOWN, word="bad_response", detail="What answered does not speak HTTP.")
    if isinstance(cause, TimeoutError):
        return Reply(ReplyKind.UNKNOWN, word="network_timeout", detail="Meta did not answer in time.")
    return Reply(
        ReplyKind.UNKNOWN,
        word="connection_failed",
        detail="The connection broke after the message was written to it.",
    )


def as_json(content: bytes) -> Any:
    """None for what is no JSON."""
    try:
        return storable(json.loads(content))
    except (ValueError, RecursionError):
        return None


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds to wait by ``Retry-After``, or by Meta's usage header, which speaks in minutes; 0 if unsaid."""
    return max(_number(headers.get("retry-after")), _regain_s(headers.get("x-business-use-case-usage")))


def _regain_s(usage: str | None) -> float:
    if not usage:
        return 0.0
    try:
        entries = [entry for entries in json.loads(usage).values() for entry in entries]
        return max((60.0 * _number(e.get("estimated_time_to_regain_access")) for e in entries), default=0.0)
    except (ValueError, AttributeError, TypeError, RecursionError):
        return 0.0


def _number(text: Any) -> float:
    try:
        number = float(text)
    except (TypeError, ValueError):
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0


def secrets_in(params: Mapping[str, str]) -> Iterator[str]:
    return (value for name, value in params.items() if name in SECRET_PARAMETERS)


def without(reply: Reply, *secrets: str) -> Reply:
    """Meta repeats a token that it cannot read in its sentence about it; that sentence is kept and shown."""
    detail = reply.detail
    for secret in secrets:
        if len(secret) >= SECRET_MIN:
            detail = detail.replace(secret, "…")
    return reply if detail == reply.detail else replace(reply, detail=detail)
