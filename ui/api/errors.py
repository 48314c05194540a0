"""Every refusal in the one shape of the API: ``{"error", "code", …}``."""

import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from core.errors import DomainError
from ui.api.shapes import throughput_headers

_SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
    415: "Send JSON, with Content-Type: application/json.",
}
_CODES = {404: "not_found", 405: "method_not_allowed", 415: "unsupported_media_type"}

# Of pydantic's kinds of error, those whose own words speak of Python.
_WORDS = {
    "missing": "is required",
    "extra_forbidden": "is not known here",
    "model_attributes_type": "must be an object",
    "model_type": "must be an object",
    "dict_type": "must be an object",
}


def refusal(status: int, sentence: str, code: str, **facts: Any) -> JSONResponse:
    return JSONResponse({"error": sentence, "code": code, **facts}, status)


def domain_response(error: DomainError) -> JSONResponse:
    facts = dict(error.facts)
    headers: dict[str, str] = {}
    retry_after_s = facts.pop("retry_after_s", None)
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    throughput = facts.pop("throughput", None)
    if throughput is not None:
        headers |= throughput_headers(throughput)
    if throughput is not None and error.code == "throughput_exceeded":
        facts |= {
            "limit": throughput.limit,
            "remaining": throughput.remaining,
            "resetAt": headers["X-RateLimit-Reset"],
        }
    body = {"error": error.sentence, "code": error.code, **facts}
    return JSONResponse(body, error.status, headers=headers)


def install(app: FastAPI) -> None:
    """Answers for refusals of core, of FastAPI's validation and of routing."""

    @app.exception_handler(DomainError)
    async def refused(_: Request, error: DomainError) -> JSONResponse:
        return domain_response(error)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        fields = [
            {"field": _field(found["loc"]), "message": _plain(found["type"], found["msg"])}
            for found in error.errors()
        ]
        first = fields[0]
        return refusal(400, f"{first['field']}: {first['message']}", "malformed", fields=fields)

    @app.exception_handler(HTTPException)
    async def routing(_: Request, error: HTTPException) -> JSONResponse:
        sentence = _SENTENCES.get(error.status_code, str(error.detail))
        code = _CODES.get(error.status_code, "refused")
        response = refusal(error.status_code, sentence, code)
        response.headers.update(error.headers or {})
        return response


def _field(location: tuple[Any, ...]) -> str:
    """``("body", "template", "name")`` → ``template.name``; ``("body",)`` → ``body``."""
    return ".".join(str(part) for part in location[1:] or location)


def _plain(kind: str, message: str) -> str:
    """``Input should be greater than 0`` → ``must be greater than 0``: it is read after the field's name."""
    said = _WORDS.get(kind) or re.sub(r"^Value error, ", "", message)
    return re.sub(r"^\w+ should ", "must ", said)
