"""What tests of core do over and over: fill the queue, take from it, answer, look."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import httpx
from sqlmodel import col, func, select

from core.messaging import intake, settling
from core.messaging.claiming import Claim, Taken, claim, mark_sending
from core.messaging.requests import SendRequest, template_payload, text_payload
from core.messaging.settling import Result, Settled
from core.ports.clock import FrozenClock
from core.ports.graph_replies import Reply, ReplyKind
from core.runtime import Runtime
from core.unit import Identity
from data.messages import Attempt, Contact, DeadLetter, IdempotencyKey, Message, MessageStatus
from data.sending import Hold
from tests.conftest import PHONE_ID, Place
from tests.webhooks import hear

WORKER = Identity(process="worker")
TIMEOUT = Reply(ReplyKind.UNKNOWN, word="network_timeout", detail="Meta did not answer in time.")
PASSING = Reply(ReplyKind.REFUSED, meta_code=131016, http_status=500, detail="Service unavailable")
HOPELESS = Reply(ReplyKind.REFUSED, meta_code=131026, http_status=400, detail="Message undeliverable")


def accepted(wamid: str = "wamid.one") -> Reply:
    return Reply(ReplyKind.ACCEPTED, wamid=wamid, http_status=200)


def number(index: int) -> str:
    """A recipient whose number is not one of the sandbox's magic ones."""
    return f"+49151123{index:05d}"


def order(to: str = number(1), **options: Any) -> SendRequest:
    """A send of a template that needs two words."""
    words = [{"type": "text", "text": word} for word in ("Mara", "NW-20418")]
    components = [{"type": "body", "parameters": words}]
    payload = template_payload(to, name="order_update", language="en_US", components=components)
    return SendRequest(payload=payload, **{"phone_number_id": PHONE_ID} | options)


def text_to(to: str = number(1), text: str = "Hello", **options: Any) -> SendRequest:
    return SendRequest(payload=text_payload(to, text=text), **{"phone_number_id": PHONE_ID} | options)


@dataclass(frozen=True)
class Desk:
    """A workspace's queue, worked by hand. ``holder`` is who claims."""

    runtime: Runtime
    place: Place
    holder: str = "test"

    def under(self, **settings: Any) -> "Desk":
        """The same desk under other settings."""
        changed = self.runtime.settings.model_copy(update=settings)
        return replace(self, runtime=replace(self.runtime, settings=changed))

    def queue(
        self, count: int = 1, *, first: int = 1, request: SendRequest | None = None, **options: Any
    ) -> list[str]:
        """The ids of that many queued sends, each to a number of its own and a microsecond after the last."""
        ids = []
        with self.runtime.unit(self.place.owner, write=True) as unit:
            for index in range(first, first + count):
                unit.now = self._a_moment_later(unit.now)
                one = request or order(number(index), queued=True, **options)
                ids.append(intake.store(unit, replace(one, queued=True)).answer.message_id)
        return ids

    def claim(self, **bounds: Any) -> list[Claim]:
        return self.take(**bounds).claims

    def take(
        self,
        *,
        per_lane: int = 1000,
        in_all: int = 1000,
        in_flight: dict[str, int] | None = None,
        paced: bool = False,
    ) -> Taken:
        """``paced``: within the throughput."""
        with self.runtime.unit(WORKER, write=True) as unit:
            unit.throughput_lifted = not paced
            return claim(
                unit, holder=self.holder, in_flight=in_flight or {}, per_lane=per_lane, in_all=in_all
            )

    def mark(self, claims: list[Claim]) -> list[Claim]:
        with self.runtime.unit(WORKER, write=True) as unit:
            return mark_sending(unit, claims, holder=self.holder)

    def put_on_the_wire(self, **bounds: Any) -> list[Claim]:
        """Claims what is due and marks it as sending."""
        return self.mark(self.claim(**bounds))

    def answer(self, *pairs: tuple[Claim, Reply]) -> list[Settled]:
        return self.settle(*(Result(ours.message_id, ours.attempt, reply) for ours, reply in pairs))

    def settle(self, *results: Result) -> list[Settled]:
        with self.runtime.unit(WORKER, write=True) as unit:
            return settling.settle(unit, list(results))

    def send_and_get(self, reply: Reply) -> str:
        """The id of one new message whose first attempt got that reply."""
        (message_id,) = self.queue()
        (ours,) = self.put_on_the_wire()
        self.answer((ours, reply))
        return message_id

    def try_again(self, message_id: str, reply: Reply) -> None:
        """Waits until the message is due, and answers its next attempt."""
        due_at = self.message(message_id).due_at
        assert due_at is not None
        self.advance(max(0.0, (due_at - self.now).total_seconds()))
        (ours,) = self.put_on_the_wire()
        assert ours.message_id == message_id
        self.answer((ours, reply))

    def rescue(self) -> int:
        with self.runtime.unit(WORKER, write=True) as unit:
            return settling.rescue(unit)

    def hear(self, envelope: Any) -> int:
        """Takes in one webhook."""
        return hear(self.runtime, envelope)

    def _a_moment_later(self, now: datetime) -> datetime:
        clock = self.runtime.clock
        moment = timedelta(microseconds=1)
        return clock.advance(0.000001) if isinstance(clock, FrozenClock) else now + moment

    @property
    def now(self) -> datetime:
        return self.runtime.clock.now()

    def advance(self, seconds: float) -> None:
        self.runtime.clock.advance(seconds)  # type: ignore[attr-defined]

    def message(self, message_id: str) -> Message:
        with self.runtime.unit(WORKER) as unit:
            return unit.session.get_one(Message, message_id)

    def attempts(self, message_id: str) -> list[Attempt]:
        with self.runtime.unit(WORKER) as unit:
            statement = select(Attempt).where(col(Attempt.message_id) == message_id)
            return list(unit.session.exec(statement.order_by(col(Attempt.number))))

    def letters(self, message_id: str) -> list[DeadLetter]:
        with self.runtime.unit(WORKER) as unit:
            statement = select(DeadLetter).where(col(DeadLetter.message_id) == message_id)
            return list(unit.session.exec(statement.order_by(col(DeadLetter.round))))

    def holds(self) -> list[Hold]:
        with self.runtime.unit(WORKER) as unit:
            return list(unit.session.exec(select(Hold).where(col(Hold.released_at).is_(None))))

    def rows(self) -> dict[str, int]:
        """How many rows a send could have left, by table."""
        with self.runtime.unit(WORKER) as unit:
            return {
                model.__name__: unit.session.exec(select(func.count()).select_from(model)).one()
                for model in (Message, Attempt, Contact, DeadLetter, IdempotencyKey, MessageStatus, Hold)
            }

    def change(self, model: type[Any], key: Any, **values: Any) -> None:
        """Sets columns of a row by hand, where the world around us would have."""
        with self.runtime.unit(WORKER, write=True) as unit:
            row = unit.session.get_one(model, key)
            for name, value in values.items():
                setattr(row, name, value)
            unit.session.add(row)


@dataclass(frozen=True)
class Meta:
    """The controls of the sandbox that stands in for Meta."""

    client: httpx.Client

    def reset(self) -> None:
        self.client.post("/sandbox/reset").raise_for_status()

    def script(self, kind: str, **rule: Any) -> None:
        self.client.post("/sandbox/faults", json={"kind": kind, **rule}).raise_for_status()

    def counts(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get("/sandbox/counts").raise_for_status().json()
        return found

    def received(self, limit: int = 2000) -> list[dict[str, Any]]:
        """Oldest first."""
        answer = self.client.get("/sandbox/received", params={"limit": limit}).raise_for_status()
        return list(reversed(answer.json()["received"]))


def seconds(moment: datetime) -> str:
    """As Meta writes a moment."""
    return str(int(moment.timestamp()))


def status(
    name: str, *, wamid: str, at: datetime, message_id: str | None = None, code: int | None = None
) -> dict[str, Any]:
    one: dict[str, Any] = {
        "id": wamid,
        "status": name,
        "timestamp": seconds(at),
        "recipient_id": "4915112300001",
    }
    if message_id is not None:
        one["biz_opaque_callback_data"] = message_id
    if code is not None:
        one["errors"] = [{"code": code, "title": "No", "error_data": {"details": "It failed"}}]
    return one


def inbound(text: str = "Hi", *, wamid: str, at: datetime, sender: str = "4915112300001") -> dict[str, Any]:
    return {"from": sender, "id": wamid, "timestamp": seconds(at), "type": "text", "text": {"body": text}}


def envelope(
    *,
    phone: str = PHONE_ID,
    statuses: list[dict[str, Any]] | None = None,
    messages: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """A webhook as Meta sends it."""
    value: dict[str, Any] = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": phone}}
    if statuses:
        value["statuses"] = statuses
    if messages:
        value["messages"] = messages
        value["contacts"] = [{"profile": {"name": "Mara"}, "wa_id": one.get("from")} for one in messages]
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": "100200300400500", "changes": [{"field": "messages", "value": value}]}],
    }


def carry_out(runtime: Runtime, *work: Coroutine[Any, Any, Any]) -> list[Any]:
    """The answers of all of them, run at once on one event loop."""

    async def whole() -> list[Any]:
        try:
            return list(await asyncio.gather(*work))
        finally:
            await runtime.graph.close()

    return asyncio.run(whole())
