"""Webhooks on their way: composed, signed, sent in batches, tried again, in order per message."""

import asyncio
import hashlib
import heapq
import hmac
import itertools
import json
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import httpx

from core.sandbox.errors import Json
from core.sandbox.world import Phone

LARGEST_BATCH = 1_000
GATHER_S = 0.05
AT_ONCE = 8
TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Update:
    """One thing to tell: an item of `statuses[]` or `messages[]` (then `phone` is set), or a whole change."""

    waba_id: str
    part: Literal["statuses", "messages", "change"]
    content: Json
    phone: Phone | None = None
    contact: Json | None = None
    field: str = "messages"


@dataclass(frozen=True, slots=True, order=True)
class Due:
    """An update, when it is due (monotonic seconds), and what follows it once it is delivered or dropped."""

    at: float
    number: int
    update: Update = field(compare=False)
    then: tuple[tuple[float, Update], ...] = field(compare=False, default=())


@dataclass(frozen=True, slots=True)
class Disorder:
    """How webhooks are worse than in order, once and at once: the share that is sent twice, whether updates
    of one message overtake each other, and by how many seconds each may be late."""

    duplicates: float = 0.0
    shuffle: bool = False
    late_s: float = 0.0


ORDERLY = Disorder()


def sign(body: bytes, *, app_secret: str) -> str:
    """The value of X-Hub-Signature-256 for these bytes."""
    return "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()


def compose(waba_id: str, updates: Iterable[Update], *, now: int) -> bytes:
    """The body of one POST: what concerns phones in one entry (a change per phone and part), every other
    change in an entry of its own with `time`. Non-ASCII stands as \\uXXXX, as Meta signs it."""
    changes: dict[tuple[str, str], Json] = {}
    entries: list[Json] = []
    for update in updates:
        if update.phone is None:
            change = {"field": update.field, "value": update.content}
            entries.append({"id": waba_id, "time": now, "changes": [change]})
            continue
        value = changes.setdefault(
            (update.phone.id, update.part),
            {
                "messaging_product": "whatsapp",
                "metadata": {
                    "display_phone_number": "".join(filter(str.isdigit, update.phone.display)),
                    "phone_number_id": update.phone.id,
                },
            },
        )
        if update.contact is not None and update.contact not in value.setdefault("contacts", []):
            value["contacts"].append(update.contact)
        value.setdefault(update.part, []).append(update.content)
    if changes:
        messages = [{"field": "messages", "value": value} for value in changes.values()]
        entries.insert(0, {"id": waba_id, "changes": messages})
    return json.dumps(
        {"object": "whatsapp_business_account", "entry": entries}, separators=(",", ":")
    ).encode()


@dataclass(slots=True)
class Outbox:
    """Planned updates and the task that sends them. An update that follows another waits until that one is
    through, so that the statuses of one message arrive in order even while the console is down."""

    app_secret: str
    retry_waits_s: Sequence[float]
    url: str | None
    is_subscribed: Callable[[str], bool]
    sent: int = 0
    updates_sent: int = 0
    failed: int = 0
    dropped: int = 0
    pending: int = 0
    disorder: Disorder = ORDERLY
    rng: random.Random = field(default_factory=random.Random)
    _heap: list[Due] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _posts: set["asyncio.Task[None]"] = field(default_factory=set)

    def plan(self, planned: Sequence[tuple[float, Update]]) -> None:
        """Each (delay in seconds, update) is sent no earlier than its delay and after the one before it, as
        far as the disorder of the moment lets it."""
        if self.url is None or not planned:
            return
        now = time.monotonic()
        disorder, dice = self.disorder, self.rng
        due = [(now + delay_s + dice.uniform(0, disorder.late_s), update) for delay_s, update in planned]
        again = [(at + dice.random(), update) for at, update in due if dice.random() < disorder.duplicates]
        self.pending += len(due) + len(again)
        if disorder.shuffle:
            again += due
        else:
            self._push(tuple(due))
        for one in again:
            self._push((one,))

    def clear(self) -> None:
        """Forgets what is planned or being tried again, and the counts."""
        for post in self._posts:
            post.cancel()
        self._heap.clear()
        self.disorder = ORDERLY
        self.sent = self.updates_sent = self.failed = self.dropped = self.pending = 0

    async def run(self) -> None:
        """Sends what is due until cancelled; gathers for 50 ms what may share a POST."""
        limit = asyncio.Semaphore(AT_ONCE)
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
            try:
                while True:
                    await self._wake.wait()
                    for waba_id, batch in self._take_due():
                        post = asyncio.create_task(self._post(client, limit, waba_id, batch))
                        self._posts.add(post)
                        post.add_done_callback(self._posts.discard)
                    if not self._heap:
                        self._wake.clear()
                    else:
                        await asyncio.sleep(GATHER_S)
            finally:
                for post in self._posts:
                    post.cancel()
                await asyncio.gather(*self._posts, return_exceptions=True)

    def _push(self, planned: tuple[tuple[float, Update], ...]) -> None:
        (at, update), *rest = planned
        heapq.heappush(self._heap, Due(at, next(self._numbers), update, tuple(rest)))
        self._wake.set()

    def _take_due(self) -> list[tuple[str, list[Due]]]:
        now = time.monotonic()
        by_waba: dict[str, list[Due]] = {}
        while self._heap and self._heap[0].at <= now:
            due = heapq.heappop(self._heap)
            by_waba.setdefault(due.update.waba_id, []).append(due)
        if self.disorder.shuffle:
            for batch in by_waba.values():
                self.rng.shuffle(batch)
        return [
            (waba_id, batch[start : start + LARGEST_BATCH])
            for waba_id, batch in by_waba.items()
            for start in range(0, len(batch), LARGEST_BATCH)
        ]

    async def _post(
        self, client: httpx.AsyncClient, limit: asyncio.Semaphore, waba_id: str, batch: list[Due]
    ) -> None:
        body = compose(waba_id, (due.update for due in batch), now=int(time.time()))
        if self.is_subscribed(waba_id):
            for wait_s in (0, *self.retry_waits_s):
                await asyncio.sleep(wait_s)
                async with limit:
                    arrived = await self._try(client, body)
                if arrived:
                    self.sent += 1
                    self.updates_sent += len(batch)
                    break
                self.failed += 1
            else:
                self.dropped += len(batch)
        self.pending -= len(batch)
        for due in batch:
            if due.then:
                self._push(due.then)

    async def _try(self, client: httpx.AsyncClient, body: bytes) -> bool:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "facebookexternalua",
            "X-Hub-Signature-256": sign(body, app_secret=self.app_secret),
        }
        try:
            answer = await client.post(str(self.url), content=body, headers=headers)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200


async def handshake(url: str, *, verify_token: str, challenge: str) -> bool:
    """Whether the receiver at `url` proves itself as Meta asks: 200 with the challenge alone."""
    asked = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token}
    async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
        try:
            answer = await client.get(url, params=asked)
        except httpx.HTTPError:
            return False
    return answer.status_code == 200 and answer.text == challenge
