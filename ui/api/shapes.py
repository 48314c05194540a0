"""What the API takes and gives, word for word."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator
from pydantic.alias_generators import to_camel

from core.lanes.rules import Throughput
from core.messaging.answers import SendAnswer
from core.moments import rfc3339

ID_MAX = 64
Text = Annotated[str, StringConstraints(min_length=1, max_length=65_536)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=512)]
MetaId = Annotated[str, StringConstraints(pattern=r"^\d{1,32}$")]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class Body(BaseModel):
    """A request's body: camelCase, nothing unknown, no guessing of types."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", strict=True, populate_by_name=False, str_max_length=100_000
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_nul(cls, value: Any) -> Any:
        if isinstance(value, str) and "\x00" in value:
            raise ValueError("must not hold the character NUL")
        return value


def _json_safe(value: Any) -> Any:
    """Refuses NUL and lone surrogates anywhere in a free-form value: no database keeps them."""
    if isinstance(value, str):
        if "\x00" in value:
            raise ValueError("must not hold the character NUL")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("must be whole Unicode characters") from None
    elif isinstance(value, list):
        for item in value:
            _json_safe(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _json_safe(key)
            _json_safe(item)
    return value


Component = Annotated[dict[str, Any], BeforeValidator(_json_safe)]


class TemplateChoiceBody(Body):
    name: Name
    language: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*$")]
    components: Annotated[list[Component], Field(max_length=50)] | None = None


class SendOptions(Body):
    to: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    phone_number_id: MetaId | None = None
    mode: Literal["sync", "queued"] = "sync"
    ttl_seconds: Annotated[float, Field(gt=0, le=7 * 86_400)] | None = None


class SendTemplateBody(SendOptions):
    template: TemplateChoiceBody


class SendTextBody(SendOptions):
    text: Text


class SettleBody(Body):
    outcome: Literal["sent", "retry", "discard"]
    reason: Reason


class PauseBody(Body):
    reason: Annotated[str, StringConstraints(max_length=500)] | None = None
    phone_number_id: MetaId | None = None


class TemplatePayloadBody(Body):
    to: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    template: TemplateChoiceBody


class TextPayloadBody(Body):
    to: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    text: Text


class RedriveBody(Body):
    payload: TemplatePayloadBody | TextPayloadBody | None = None


class ReasonBody(Body):
    reason: Reason


class LetterChangeBody(Body):
    note: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)] | None = (
        None
    )
    assignee_id: Annotated[str, StringConstraints(min_length=1, max_length=ID_MAX)] | None = None


class ConnectBody(Body):
    waba_id: MetaId
    access_token: Annotated[str, StringConstraints(min_length=1, max_length=4096)]


def payload_json(
    body: TemplatePayloadBody | TextPayloadBody | SendTemplateBody | SendTextBody,
) -> dict[str, Any]:
    """The payload as core keeps it: ``{to, template}`` or ``{to, text}``."""
    if isinstance(body, TemplatePayloadBody | SendTemplateBody):
        return {"to": body.to, "template": body.template.model_dump(exclude_none=True)}
    return {"to": body.to, "text": body.text}


def moment(value: datetime | None) -> str | None:
    return None if value is None else rfc3339(value)


def throughput_headers(throughput: Throughput) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(throughput.limit),
        "X-RateLimit-Remaining": str(throughput.remaining),
        "X-RateLimit-Reset": rfc3339(throughput.reset_at),
    }


def send_answer(answer: SendAnswer) -> tuple[int, dict[str, Any]]:
    """Status and body of an answer to a send."""
    known = {"id": answer.message_id, "status": answer.status}
    if answer.status == "unknown":
        return 202, {"success": False, **known, "error": answer.error}
    if answer.status == "retry_queued":
        return 202, {
            "success": False,
            "message": "Message send failed, queued for retry",
            **known,
            "error": answer.error,
            "code": answer.code,
            "nextAttemptAt": answer.next_attempt_at,
        }
    if answer.status in ("dead", "failed"):
        status = 202 if answer.is_replay else 422
        return status, {"success": False, **known, "error": answer.error, "code": answer.code}
    if answer.wamid is not None:
        return 202 if answer.is_replay else 200, {"success": True, **known, "wamid": answer.wamid}
    return 202, {"success": True, **known}
