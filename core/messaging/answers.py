"""What someone who sends is told."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from core.lanes.rules import Throughput
from core.messaging.rules import WAITING, public_state
from core.moments import rfc3339
from core.ports.meta_errors import explain
from data.enums import MessageState
from data.messages import Message

_FAILED = frozenset({MessageState.RETRY_QUEUED, MessageState.UNKNOWN, MessageState.DEAD, MessageState.FAILED})


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

    @classmethod
    def at(
        cls,
        message_id: str,
        state: MessageState,
        *,
        due_at: datetime | None = None,
        wamid: str | None = None,
        error_code: str | None = None,
        throughput: Throughput | None = None,
        is_replay: bool = False,
    ) -> "SendAnswer":
        """Where a message stands, as its sender is told."""
        failed = error_code is not None and state in _FAILED
        return cls(
            message_id=message_id,
            status=public_state(state),
            wamid=wamid,
            error=explain(error_code).title if failed and error_code else None,
            code=error_code if failed else None,
            next_attempt_at=rfc3339(due_at) if due_at is not None and state in WAITING else None,
            is_replay=is_replay,
            throughput=throughput,
        )


def answer_again(message: Message) -> SendAnswer:
    """Where the message stands now, for someone who asked for it before."""
    return SendAnswer.at(
        message.id,
        message.state,
        due_at=message.due_at,
        wamid=message.wamid,
        error_code=message.error_code,
        is_replay=True,
    )
