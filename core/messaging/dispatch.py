"""The drain: claims due work of all lanes, calls Meta concurrently, settles, until nothing is due (Q2)."""

import asyncio
import contextlib
from collections import Counter

import structlog

from core.errors import Unavailable
from core.messaging.claiming import NOTHING, Claim, Taken, claim, mark_sending
from core.messaging.settling import Result, settle
from core.ports.graph import Reply, ReplyKind
from core.runtime import Runtime
from core.unit import Identity

log = structlog.get_logger()

WORKER = Identity(process="worker")
# While the database cannot be written results are kept in memory and written as soon as it can be.
PAUSE_WHEN_UNAVAILABLE_S = 0.5
# Should every ring be lost (the queue's file was deleted), it looks by itself this often.
LOOK_EVERY_S = 5.0


class Dispatcher:
    """One a process, on one event loop. Everything it knows is also on disk, but for the answers that it has
    not yet written down: if it is killed, those sends are unknown outcomes.

    A cycle is two short transactions for all lanes together: settle what came back and claim what there is
    room for, then mark the claimed as sending. One commit then serves as many messages as are in flight.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._in_flight: Counter[str] = Counter()
        self._results: list[Result] = []
        self._calls: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """There may be due work. Many wakes before the next cycle are one."""
        self._woken.set()

    def stop(self) -> None:
        """Claims nothing more; ``run`` returns once what is in flight is settled."""
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        self._woken.set()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), LOOK_EVERY_S)
            self._woken.clear()
            try:
                await self._cycle()
            except Unavailable as error:
                log.error("the drain waits for the database", reason=error.sentence)
                await asyncio.sleep(PAUSE_WHEN_UNAVAILABLE_S)
                self._woken.set()
            if self._stopping and not self._calls and not self._results:
                return

    async def _cycle(self) -> None:
        results, self._results = self._results, []
        try:
            taken = await asyncio.to_thread(self._settle_and_claim, results, Counter(self._in_flight))
        except BaseException:
            self._results = results + self._results
            raise
        if taken.again_in_s is not None:
            asyncio.get_running_loop().call_later(taken.again_in_s, self.wake)
        if not taken.claims:
            return
        for ours in await asyncio.to_thread(self._mark, taken.claims):
            self._in_flight[ours.phone_number_id] += 1
            call = asyncio.create_task(self._call(ours))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    def _settle_and_claim(self, results: list[Result], in_flight: Counter[str]) -> Taken:
        settings = self._runtime.settings
        room = 0 if self._stopping else settings.waypost_sends_in_flight - in_flight.total()
        if not results and room <= 0:
            return NOTHING
        with self._runtime.unit(WORKER, write=True) as unit:
            if results:
                settle(unit, results)
            if room <= 0:
                return NOTHING
            return claim(
                unit,
                holder=self._runtime.holder,
                in_flight=in_flight,
                per_lane=settings.waypost_retry_workers,
                in_all=room,
            )

    def _mark(self, claims: list[Claim]) -> list[Claim]:
        with self._runtime.unit(WORKER, write=True) as unit:
            return mark_sending(unit, claims, holder=self._runtime.holder)

    async def _call(self, ours: Claim) -> None:
        try:
            reply = await self._runtime.graph.send(
                phone_number_id=ours.phone_number_id, token=ours.token, body=ours.body
            )
        except Exception:  # the one place where a crash of ours becomes an attempt
            log.exception("a send failed in our own code", message=ours.message_id)
            reply = Reply(ReplyKind.UNKNOWN, word="bad_response", detail="Waypost failed while it sent this.")
        self._results.append(Result(ours.message_id, ours.attempt, reply))
        self._in_flight[ours.phone_number_id] -= 1
        self._woken.set()
