"""What the API takes and gives, word for word."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from core.dead_letters.rows import LetterRow
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


class CreateTemplateBody(Body):
    """Only the form: what is wrong with the words is core's to say, all of it at once."""

    name: Annotated[str, StringConstraints(max_length=1024)]
    language: Annotated[str, StringConstraints(max_length=64)]
    category: Annotated[str, StringConstraints(max_length=64)]
    components: Annotated[list[Component], Field(max_length=20)]
    waba_id: MetaId | None = None


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
    template_id: Annotated[str, StringConstraints(max_length=64)] | None = None
    until: Annotated[AwareDatetime, Field(strict=False)] | None = None


class PayloadBody(Body):
    to: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    template: TemplateChoiceBody | None = None
    text: Text | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.template is None) == (self.text is None):
            raise ValueError("needs either template or text")
        return self


class RedriveBody(Body):
    payload: PayloadBody | None = None


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


RoleName = Literal["owner", "manager", "agent", "viewer", "support"]
Secret = Annotated[str, StringConstraints(max_length=2000)]


class InviteBody(Body):
    email: Annotated[str, StringConstraints(min_length=1, max_length=400)]
    role: RoleName


class RoleBody(Body):
    role: RoleName


class AcceptBody(Body):
    token: Secret
    name: Annotated[str, StringConstraints(max_length=1000)] = ""
    password: Secret


class KeyBody(Body):
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    role: RoleName
    expires_at: Annotated[AwareDatetime, Field(strict=False)] | None = None


class WorkspaceBody(Body):
    name: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None
    timezone: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    plan: Literal["free", "starter", "pro", "enterprise"] | None = None
    monthly_budget_usd: Annotated[Decimal, Field(strict=False, ge=0, le=1_000_000_000)] | None = Field(
        default=None, alias="monthlyBudgetUSD"
    )
    budget_mode: Literal["soft", "hard"] | None = None


def payload_json(body: PayloadBody | SendTemplateBody | SendTextBody) -> dict[str, Any]:
    """The payload as core keeps it: ``{to, template}`` or ``{to, text}``."""
    return body.model_dump(include={"to", "template", "text"}, exclude_none=True)


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


def letter_json(row: LetterRow) -> dict[str, Any]:
    """One dead letter of a list."""
    return {
        "id": row.id,
        "messageId": row.message_id,
        "round": row.round,
        "state": row.state,
        "errorCode": row.error_code,
        "title": row.title,
        "advice": row.advice,
        "class": row.klass,
        "fingerprint": row.fingerprint,
        "to": row.to,
        "phoneNumberId": row.phone_number_id,
        "templateName": row.template_name,
        "attempts": row.attempts,
        "mayDuplicate": row.may_duplicate,
        "deadAt": moment(row.dead_at),
        "assigneeId": row.assignee_id,
    }
