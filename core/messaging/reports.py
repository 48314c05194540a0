"""What Meta reports of one message, and whose message it may be."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class StatusReport:
    """One item of ``statuses[]``. ``message_id`` is what Meta echoed of our own, if it did; ``pricing`` and
    ``conversation`` are as they came, written as JSON."""

    wamid: str
    status: str
    at: datetime
    message_id: str | None = None
    error_code: int | None = None
    error_detail: str = ""
    pricing: str | None = None
    conversation: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A report, the workspace that the phone it came for belongs to, and when it reached us."""

    report: StatusReport
    workspace_id: str
    received_at: datetime
