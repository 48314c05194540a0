"""What the sandbox received: exact counters for ever, full records of the newest 2,000 requests."""

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime

from core.sandbox.errors import Json
from core.sandbox.shapes import Send

NEWEST = 2_000
DAY_S = 86_400


@dataclass(slots=True)
class Received:
    """One request to /messages. `outcome` says how it ended: accepted, refused, or the kind of fault that
    hid the answer; `wamid` is None where Meta did not take the message. `arrived` counts seconds of a
    monotonic clock."""

    phone_number_id: str
    body: Json
    arrived: float
    arrived_at: float
    send: Send | None = None
    wamid: str | None = None
    outcome: str = "refused"
    code: int | None = None
    version: str = "v23.0"

    def json(self) -> Json:
        return {
            "wamid": self.wamid,
            "outcome": self.outcome,
            "code": self.code,
            "phoneNumberId": self.phone_number_id,
            "to": self.send.to if self.send else self.body.get("to"),
            "type": self.body.get("type", "text"),
            "template": self.send.template if self.send else None,
            "callback": self.body.get("biz_opaque_callback_data"),
            "arrivedAt": datetime.fromtimestamp(self.arrived_at, UTC).isoformat(),
            "arrivedMonotonic": self.arrived,
            "body": self.body,
        }


@dataclass(slots=True)
class Journal:
    """`by_callback`, `by_recipient`: accepted messages; `tries_by_callback`: every well-formed request;
    `by_day`: accepted messages by phone, day (when it began, in unix seconds) and pricing category."""

    newest: deque[Received] = field(default_factory=lambda: deque(maxlen=NEWEST))
    by_callback: Counter[str] = field(default_factory=Counter)
    by_recipient: Counter[str] = field(default_factory=Counter)
    tries_by_callback: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    received: int = 0
    accepted: int = 0
    receipts: int = 0
    by_day: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    busiest_second: Counter[str] = field(default_factory=Counter)
    last_second: dict[str, deque[float]] = field(default_factory=dict)

    def arrive(self, phone_number_id: str, *, at: float) -> None:
        """Counts a request of this phone, so that `busiest_second` is the most that any one second held."""
        self.received += 1
        window = self.last_second.setdefault(phone_number_id, deque())
        window.append(at)
        while window[0] <= at - 1:
            window.popleft()
        self.busiest_second[phone_number_id] = max(self.busiest_second[phone_number_id], len(window))

    def keep(self, received: Received) -> None:
        """Files a request whose outcome is known."""
        self.newest.append(received)
        self.outcomes[received.outcome] += 1
        callback = received.send.callback if received.send else None
        if callback is not None:
            self.tries_by_callback[callback] += 1
        if received.wamid is not None and received.send is not None:
            self.accepted += 1
            self.by_recipient[received.send.recipient] += 1
            day = int(received.arrived_at // DAY_S) * DAY_S
            self.by_day[received.phone_number_id, day, received.send.category] += 1
            if callback is not None:
                self.by_callback[callback] += 1

    def find_accepted(self, name: str) -> Received | None:
        """The newest accepted message with this wamid or callback id, among the records still kept."""
        for received in reversed(self.newest):
            if received.wamid and received.send and name in (received.wamid, received.send.callback):
                return received
        return None

    def page(self, *, limit: int, to: str | None) -> list[Json]:
        """Newest first; `to` keeps only one recipient (digits)."""
        chosen: list[Json] = []
        for received in reversed(self.newest):
            if to is None or (received.send is not None and received.send.recipient == to):
                chosen.append(received.json())
                if len(chosen) == limit:
                    break
        return chosen

    def totals(self) -> Json:
        """`duplicates`: acceptances beyond the first of one callback id."""
        return {
            "received": self.received,
            "accepted": self.accepted,
            "refused": self.outcomes["refused"],
            "resets": self.outcomes["reset"] + self.outcomes["reset_before"],
            "duplicates": self.by_callback.total() - len(self.by_callback),
            "callbacks": len(self.by_callback),
            "receipts": self.receipts,
        }
