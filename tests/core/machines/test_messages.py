"""Whatever people, workers, Meta and time do to messages: none is lost, none is sent twice unmarked, and each
is at one place."""

from collections import Counter
from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlmodel import col, select

from core.dead_letters import commands as letters
from core.lanes import commands as lanes
from core.messaging.claiming import Claim
from data.enums import LetterState, MessageState, Role
from data.messages import Attempt, DeadLetter, Message
from tests.conftest import PHONE_ID, SECOND_PHONE_ID
from tests.core.desk import HOPELESS, PASSING, TIMEOUT, WORKER, accepted
from tests.core.machines.conftest import HOW_LONG, Act, Begin, carry_out

PHONES = st.sampled_from([PHONE_ID, SECOND_PHONE_ID])
ROLES = st.sampled_from(list(Role))
WAITS = st.sampled_from([0.5, 3.0, 61.0, 400.0, 4000.0])
ACTS = st.sampled_from(
    [
        ("dead_letters.redrive", letters.redrive),
        ("dead_letters.discard", partial(letters.discard, reason="Old")),
        ("dead_letters.discard", letters.restore),
    ]
)
ON_THE_WIRE = (MessageState.CLAIMED, MessageState.SENDING)
TAKEN = (MessageState.SENT, MessageState.DELIVERED, MessageState.READ)


class Messages(RuleBasedStateMachine):
    """``ours`` is every id that a send was answered with; ``taken`` is how often Meta took it."""

    def __init__(self, begin: Begin) -> None:
        super().__init__()
        self.desk = begin()
        self.ours: list[str] = []
        self.taken: Counter[str] = Counter()
        self.claimed: list[Claim] = []
        self.wire: list[Claim] = []
        self.paused: set[str] = set()

    @rule(phone=PHONES, count=st.integers(1, 3))
    def queue(self, phone: str, count: int) -> None:
        self.ours += self.desk.queue(count, first=len(self.ours) + 1, phone_number_id=phone)

    @rule(most=st.integers(1, 4))
    def claim(self, most: int) -> None:
        found = self.desk.claim(in_all=most)
        assert not {ours.phone_number_id for ours in found} & self.paused, "claimed though its lane is held"
        self.claimed += found

    @precondition(lambda self: self.claimed)
    @rule()
    def mark(self) -> None:
        self.wire += self.desk.mark(self.claimed)
        self.claimed.clear()

    @precondition(lambda self: self.wire)
    @rule(kind=st.sampled_from(["taken", "passing", "hopeless", "unknown", "unknown but taken"]))
    def answer(self, kind: str) -> None:
        """Also an answer that comes when the lease has run out and somebody else has the message."""
        ours = self.wire.pop(0)
        if kind in ("taken", "unknown but taken"):
            self.taken[ours.message_id] += 1
        wamid = f"wamid.{ours.message_id}.{self.taken[ours.message_id]}"
        replies = {"taken": accepted(wamid), "passing": PASSING, "hopeless": HOPELESS}
        self.desk.answer((ours, replies.get(kind, TIMEOUT)))

    @rule(phone=PHONES)
    def kill_some(self, phone: str) -> None:
        """Meta refuses for good whatever is due, one new message at least: letters to deal with."""
        self.queue(phone=phone, count=1)
        self.desk.answer(*((ours, HOPELESS) for ours in self.desk.put_on_the_wire()))

    @precondition(lambda self: self.claimed or self.wire)
    @rule(left=st.integers(0, 2))
    def die(self, left: int) -> None:
        """The worker is killed; of what was on the wire, some had reached Meta."""
        for ours in self.wire[:left]:
            self.taken[ours.message_id] += 1
        self.claimed.clear()
        self.wire.clear()

    @rule(seconds=WAITS)
    def wait(self, seconds: float) -> None:
        self.desk.advance(seconds)

    @rule()
    def rescue(self) -> None:
        self.desk.rescue()

    @rule(role=ROLES, phone=PHONES, pauses=st.booleans())
    def pause_or_resume(self, role: Role, phone: str, pauses: bool) -> None:
        act = partial(lanes.pause if pauses else lanes.resume, phone_number_id=phone)
        if carry_out(self.desk, "queues.pause", role, act):
            self.paused = self.paused | {phone} if pauses else self.paused - {phone}

    @precondition(lambda self: self.letters())
    @rule(role=ROLES, act=ACTS, dice=st.integers(0, 9))
    def deal_with_a_letter(self, role: Role, act: tuple[str, Act], dice: int) -> None:
        found = self.letters()
        permission, command = act
        carry_out(self.desk, permission, role, partial(command, letter_id=found[dice % len(found)].id))

    @invariant()
    def nothing_is_lost(self) -> None:
        with self.desk.runtime.unit(WORKER) as unit:
            stored = unit.session.exec(select(Message.id)).all()
        assert sorted(stored) == sorted(self.ours)

    @invariant()
    def what_meta_took_twice_is_marked(self) -> None:
        for message in self.messages():
            if self.taken[message.id] > 1:
                assert message.may_duplicate, (
                    f"{message.id} went out {self.taken[message.id]} times, unmarked"
                )
            if message.state in TAKEN:
                assert self.taken[message.id], f"{message.id} is said to be sent and was not"

    @invariant()
    def the_dead_have_a_letter_and_nobody_else(self) -> None:
        is_open = {letter.message_id for letter in self.letters() if letter.state is LetterState.OPEN}
        assert is_open == {message.id for message in self.messages() if message.state is MessageState.DEAD}
        opened = Counter(one.message_id for one in self.letters() if one.state is LetterState.OPEN)
        assert all(count == 1 for count in opened.values())

    @invariant()
    def who_waits_is_due_and_who_is_on_the_wire_has_a_lease(self) -> None:
        for message in self.messages():
            waits = message.state in (MessageState.QUEUED, MessageState.RETRY_QUEUED)
            assert waits <= (message.due_at is not None or message.waiting_for is not None)
            assert (message.state in ON_THE_WIRE) == (message.lease_until is not None)

    @invariant()
    def no_ladder_is_climbed_twice(self) -> None:
        rungs = len(self.desk.runtime.settings.waypost_retry_delays)
        key = select(col(Attempt.message_id), col(Attempt.round))
        with self.desk.runtime.unit(WORKER) as unit:
            tries = Counter(unit.session.exec(key).all())
            claims_lost = Counter(unit.session.exec(key.where(col(Attempt.started_at).is_(None))).all())
        for key, count in tries.items():
            assert count - claims_lost[key] <= rungs + 1

    def messages(self) -> list[Message]:
        with self.desk.runtime.unit(WORKER) as unit:
            return list(unit.session.exec(select(Message)))

    def letters(self) -> list[DeadLetter]:
        with self.desk.runtime.unit(WORKER) as unit:
            return list(
                unit.session.exec(
                    select(DeadLetter).order_by(col(DeadLetter.message_id), col(DeadLetter.round))
                )
            )


@pytest.mark.parametrize("how_long", HOW_LONG)
def test_messages(begin: Begin, how_long: settings) -> None:
    run_state_machine_as_test(lambda: Messages(begin), settings=how_long)
