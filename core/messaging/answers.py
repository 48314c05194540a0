"""What someone who sends is told."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from core.lanes.rules import Throughput
from core.messaging.rules import WAITING, public_state
from core.moments import rfc3339
from core.ports.meta_errors import explain
from data.enums import MessageState
from data.messages import Message


@dataclass(frozen=True, slots=True)
class SendAnswer:
    """``status`` is the message's state in words; ``next_attempt_at`` is RFC 3339; ``throughput`` is that of
    the phone, where the send was not a replay."""

    message_id: str
    status: str
    wamid: str | None = None
    error: str | None = None
    code: str | None = None
    next_attempt_at: str | None = None
    is_replay: bool = False
    throughput: Throughput | None = None

    def to_json(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "throughput"}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "SendAnswer":
        known = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in stored.items() if key in known})


def answer_of(
    message: Message, *, throughput: Throughput | None = None, is_replay: bool = False
) -> SendAnswer:
    """Where the message stands, as its sender is told."""
    waits = message.state in WAITING and message.due_at is not None
    failed = message.error_code is not None and message.state in (
        MessageState.RETRY_QUEUED,
        MessageState.UNKNOWN,
        MessageState.DEAD,
        MessageState.FAILED,
    )
    return SendAnswer(
        message_id=message.id,
        status=public_state(message.state),
        wamid=message.wamid,
        error=explain(message.error_code).title if failed and message.error_code else None,
        code=message.error_code if failed else None,
        next_attempt_at=rfc3339(message.due_at) if waits and message.due_at else None,
        is_replay=is_replay,
        throughput=throughput,
    )
