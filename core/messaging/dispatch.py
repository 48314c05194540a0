"""The drain: claims due work of all lanes, calls Meta concurrently, settles, until nothing is due (Q2)."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog
from structlog.contextvars import bind_contextvars

from core.errors import Unavailable
from core.lanes import rules as lane_rules
from core.lanes.pace import Late, Missed, move_slots
from core.messaging.claiming import NOTHING, Claim, Taken, claim, mark_sending
from core.messaging.settling import Result, settle
from core.ports.graph_replies import Reply, ReplyKind
from core.runtime import Runtime
from core.unit import Identity

log = structlog.get_logger()

WORKER = Identity(process="worker")
# While the database cannot be written results are kept in memory and written as soon as it can be.
PAUSE_WHEN_UNAVAILABLE_S = 0.5
# Should every ring be lost (the queue's file was deleted), it looks by itself this often.
LOOK_EVERY_S = 5.0
# At a phone's limit nothing is gained by haste: what comes back meanwhile shares a transaction.
GATHER_S = 0.015


@dataclass(frozen=True, slots=True)
class _Asked:
    """A slot that was missed, and who waits for another."""

    missed: Missed
    moment: asyncio.Future[datetime | None]


@dataclass(slots=True)
class _Gathered:
    """What the next cycle writes down: answers, slots that were written late, and slots that were missed."""

    results: list[Result] = field(default_factory=list)
    late: list[Late] = field(default_factory=list)
    asked: list[_Asked] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.results or self.late or self.asked)

    def then(self, later: "_Gathered") -> "_Gathered":
        return _Gathered(self.results + later.results, self.late + later.late, self.asked + later.asked)


@dataclass(frozen=True, slots=True)
class _Cycle:
    """What came of one: the work that was taken, and the moments that were asked for."""

    taken: Taken = NOTHING
    moments: Sequence[datetime | None] = ()


class Dispatcher:
    """One a process, on one event loop. Everything it knows is also on disk, but for the answers that it has
    not yet written down: if it is killed, those sends are unknown outcomes.

    A cycle is two short transactions for all lanes together: settle what came back and claim what there is
    room for, then mark the claimed as sending. One commit then serves as many messages as are in flight.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        # Of each phone those on the wire or next to go there. Who waits for a moment that is still to come
        # keeps nobody else from being claimed.
        self._in_flight: Counter[str] = Counter()
        self._claimed = 0  # of all phones, those who wait included
        self._wires: dict[str, asyncio.Semaphore] = {}
        self._gathered = _Gathered()
        self._calls: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._stopping = False
        self._is_paced = False
        self._lead = lane_rules.LEAD

    def wake(self) -> None:
        """There may be due work. Many wakes before the next cycle are one."""
        self._woken.set()

    def stop(self) -> None:
        """Claims nothing more; ``run`` returns once what is in flight is settled."""
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        self._runtime.graph.open()
        self._woken.set()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), LOOK_EVERY_S)
            if self._is_paced:
                await asyncio.sleep(GATHER_S)
            self._woken.clear()
            try:
                await self._cycle()
            except Unavailable as error:
                log.error("the drain waits for the database", reason=error.sentence)
                await asyncio.sleep(PAUSE_WHEN_UNAVAILABLE_S)
                self._woken.set()
            if self._stopping and not self._calls and not self._gathered:
                return

    async def _cycle(self) -> None:
        gathered, self._gathered = self._gathered, _Gathered()
        began_s = time.monotonic()
        try:
            room = self._runtime.settings.waypost_sends_in_flight - self._claimed
            done = await asyncio.to_thread(self._settle_and_claim, gathered, Counter(self._in_flight), room)
        except BaseException:
            self._gathered = gathered.then(self._gathered)
            raise
        for asked, moment in zip(gathered.asked, done.moments, strict=True):
            asked.moment.set_result(moment)
        taken = done.taken
        self._is_paced = bool(taken.again_in_s)
        if taken.again_in_s is not None:
            asyncio.get_running_loop().call_later(taken.again_in_s, self.wake)
        if not taken.claims:
            return
        for ours in await asyncio.to_thread(self._mark, taken.claims):
            self._claimed += 1
            if ours.slot is None:
                self._in_flight[ours.phone_number_id] += 1
            call = asyncio.create_task(self._call(ours))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
        self._took(time.monotonic() - began_s)

    def _took(self, seconds: float) -> None:
        """What is claimed next is due no sooner than it can be ready: on a busy machine, or far from its
        database, that takes ten times what it does elsewhere. Learnt at once, forgotten slowly."""
        lately = max(timedelta(seconds=seconds) * 1.25, self._lead * 0.9)
        self._lead = min(max(lately, lane_rules.LEAD), lane_rules.LONGEST_LEAD)

    def _settle_and_claim(self, gathered: _Gathered, in_flight: Counter[str], room: int) -> _Cycle:
        settings = self._runtime.settings
        room = 0 if self._stopping else room
        if not gathered and room <= 0:
            return _Cycle()
        with self._runtime.unit(WORKER, write=True) as unit:
            if gathered.results:
                settle(unit, gathered.results)
            moments: list[datetime | None] = []
            if gathered.late or gathered.asked:
                moved = move_slots(unit, [*gathered.late, *(one.missed for one in gathered.asked)])
                moments = moved[len(gathered.late) :]
            if room <= 0:
                return _Cycle(moments=moments)
            taken = claim(
                unit,
                holder=self._runtime.holder,
                in_flight=in_flight,
                per_lane=settings.waypost_retry_workers,
                in_all=room,
                lead=self._lead,
            )
            return _Cycle(taken, moments)

    def _mark(self, claims: list[Claim]) -> list[Claim]:
        with self._runtime.unit(WORKER, write=True) as unit:
            return mark_sending(unit, claims, holder=self._runtime.holder)

    async def _call(self, ours: Claim) -> None:
        phone = ours.phone_number_id
        bind_contextvars(message=ours.message_id, workspace=ours.workspace_id)  # a task has its own context
        if ours.slot is not None:
            await asyncio.sleep(lane_rules.seconds_until(ours.slot, now=self._runtime.clock.now()))
            self._in_flight[phone] += 1
        reply = await self._reply(ours)
        self._gathered.results.append(Result(ours.message_id, ours.attempt, reply))
        self._in_flight[phone] -= 1
        self._claimed -= 1
        self._woken.set()

    async def _reply(self, ours: Claim) -> Reply | None:
        """None where it could not be sent soon enough: it goes back to its lane."""
        most = self._runtime.settings.waypost_retry_workers
        # In the order in which they asked, so that a lane of one in flight keeps its own.
        wire = self._wires.setdefault(ours.phone_number_id, asyncio.Semaphore(most))
        if wire.locked() and ours.slot is not None:
            try:
                await asyncio.wait_for(wire.acquire(), lane_rules.MOVABLE.total_seconds())
            except TimeoutError:
                return None
        else:
            await wire.acquire()
        try:
            slot = await self._slot_of(ours)
            return None if slot is None and ours.slot is not None else await self._send(ours, slot)
        finally:
            wire.release()

    async def _slot_of(self, ours: Claim) -> datetime | None:
        """The slot, at its moment. Should this process have been kept from running when that came, or the
        wire have been full, it asks for another, and the window knows of it before anything is written. None
        where there is none soon."""
        clock, lead = self._runtime.clock, self._lead
        slot = ours.slot
        while slot is not None and ours.slot is not None:
            await asyncio.sleep(lane_rules.seconds_until(slot, now=clock.now()))
            now = clock.now()
            if not lane_rules.was_missed(slot, now=now):
                return slot
            until = min(ours.slot, now) + lane_rules.MOVABLE
            asked = _Asked(
                Missed(ours.phone_number_id, slot, now + lead, until, ours.redrive_id),
                asyncio.get_running_loop().create_future(),
            )
            self._gathered.asked.append(asked)
            self._woken.set()
            slot = await asked.moment
            lead *= 2
        return None

    async def _send(self, ours: Claim, slot: datetime | None) -> Reply:
        try:
            return await self._runtime.graph.send(
                phone_number_id=ours.phone_number_id,
                token=ours.token,
                body=ours.body,
                on_written=partial(self._written, ours, slot),
            )
        except Exception:  # the one place where a crash of ours becomes an attempt
            log.exception("a send failed in our own code")
            return Reply(ReplyKind.UNKNOWN, word="bad_response", detail="Waypost failed while it sent this.")

    def _written(self, ours: Claim, slot: datetime | None) -> None:
        """One that left late, as for a new connection, holds its slot from now on. The window hears of it
        before the slots that follow a second later are given, however long Meta takes to answer."""
        now = self._runtime.clock.now()
        if slot is not None and now - slot > lane_rules.TOLERANCE:
            self._gathered.late.append(Late(ours.phone_number_id, slot, now, ours.redrive_id))
            self._woken.set()
