"""Whatever holds lanes, templates and the workspace, and whoever lets them go: what is held is not sent, what
is not held is, and each hold by Meta has its alert."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

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
from sqlmodel import col, or_, select

from core import audit
from core.lanes import commands, holding, probes
from core.messaging.aside import unpark
from core.messaging.claiming import Claim
from core.messaging.requests import SendRequest, template_payload
from core.team.owners import COMMAND
from data.alerts import Alert
from data.enums import HoldCause, HoldScope, MessageState, Role, WaitingFor
from data.messages import Message
from data.sending import Template
from tests.conftest import PHONE_ID, SECOND_PHONE_ID
from tests.core.desk import WORKER, Meta, accepted, number
from tests.core.machines.conftest import HOW_LONG, Begin, carry_out
from tests.core.messaging.test_settling import refusal

BOTH = (PHONE_ID, SECOND_PHONE_ID)
WORDS = {"order_update": ("Mara", "NW-1"), "winter_sale": ("20 %",)}
PHONES = st.sampled_from(BOTH)
TEMPLATES = st.sampled_from(sorted(WORDS))
ROLES = st.sampled_from([*Role, Role.MANAGER, Role.OWNER])
UNTIL = st.sampled_from([None, 20, 300])
# Meta's code → what it is a cause of, and how far that reaches.
TROUBLES = {
    131048: (HoldCause.RESTRICTION, "lane"),
    131042: (HoldCause.PAYMENT, "account"),
    190: (HoldCause.TOKEN, "account"),
    131063: (HoldCause.RESTRICTION, "template"),
}
WAITING = (MessageState.QUEUED, MessageState.RETRY_QUEUED)
Subject = tuple[HoldScope, str]


class Holds(RuleBasedStateMachine):
    """``met``: what Meta has refused for, by whom that holds; ``paused``: what a person has, and until when;
    ``blocked``: the numbers that Meta goes on blocking."""

    def __init__(self, begin: Begin, meta: Meta) -> None:
        super().__init__()
        self.desk = begin()
        self.meta = meta
        meta.reset()
        self.count = 0
        self.wire: list[Claim] = []
        self.met: set[tuple[Subject, HoldCause]] = set()
        self.paused: set[Subject] = set()
        self.blocked: set[str] = set()
        with self.desk.runtime.unit(COMMAND) as unit:
            known = unit.session.exec(select(Template.name, Template.id)).all()
        self.templates = {name: (HoldScope.TEMPLATE, one) for name, one in known}

    @rule(phone=PHONES, template=TEMPLATES, count=st.integers(1, 3))
    def queue(self, phone: str, template: str, count: int) -> None:
        words = [{"type": "text", "text": word} for word in WORDS[template]]
        for _ in range(count):
            self.count += 1
            payload = template_payload(
                number(self.count),
                name=template,
                language="en_US",
                components=[{"type": "body", "parameters": words}],
            )
            self.desk.queue(request=SendRequest(payload=payload, phone_number_id=phone))

    @rule()
    def work(self) -> None:
        """A worker takes all that may be sent; what it leaves is held or not due."""
        with self.desk.runtime.unit(WORKER, write=True) as unit:
            while unpark(unit):
                pass
        found: list[Claim] = []
        again = True
        while again:  # what is set aside leaves its room to others
            taken = self.desk.take()
            found += taken.claims
            again = taken.again_in_s == 0.0
        held = self.held()
        for ours in found:
            kept = held & self.subjects(self.desk.message(ours.message_id))
            assert not kept, f"{ours.message_id} was claimed though {kept}"
        for message in self.waiting():
            assert held & self.subjects(message), f"{message.id} waits though nothing holds it"
        self.wire += self.desk.mark(found)

    @precondition(lambda self: self.wire)
    @rule(count=st.integers(1, 3))
    def take(self, count: int) -> None:
        for ours in self.off_the_wire(count):
            self.desk.answer((ours, accepted(f"wamid.{ours.message_id}")))

    @rule(phone=PHONES, template=TEMPLATES, code=st.sampled_from(sorted(TROUBLES)), stays=st.booleans())
    def refuse(self, phone: str, template: str, code: int, stays: bool) -> None:
        """Some of those on the wire, while others go on. ``stays``: Meta blocks their numbers from now on."""
        self.queue(phone=phone, template=template, count=2)
        self.work()
        for ours in self.off_the_wire(2):
            message = self.desk.message(ours.message_id)
            cause, reach = TROUBLES[code]
            if reach == "template":
                assert message.template_name is not None
                self.met.add((self.templates[message.template_name], cause))
            for each in BOTH if reach == "account" else (message.phone_number_id,) if reach == "lane" else ():
                self.met.add(((HoldScope.LANE, each), cause))
            self.say(message.phone_number_id, blocks=stays)
            self.desk.answer((ours, refusal(code)))

    @rule(phone=PHONES)
    def mend(self, phone: str) -> None:
        self.say(phone, blocks=False)

    @rule(seconds=st.sampled_from([1, 6, 45, 400]))
    def wait(self, seconds: int) -> None:
        """The clock ends what has an end, and asks Meta about the rest."""
        self.desk.advance(seconds)
        with self.desk.runtime.unit(COMMAND, write=True) as unit:
            commands.end_holds(unit)
        self.paused &= {subject for subject, cause in self.active() if cause is HoldCause.PERSON}
        before = self.active()
        graph = self.desk.runtime.graph.again()

        async def ask() -> None:
            await probes.probe(replace(self.desk.runtime, graph=graph))
            await graph.close()

        asyncio.run(ask())
        for subject, cause in before - self.active():
            assert cause not in (HoldCause.PERSON, HoldCause.TOKEN), f"a probe ended {cause}"
            assert subject[1] not in self.blocked, f"{subject} was released while Meta blocks it"

    @rule(role=ROLES, phone=PHONES, template=TEMPLATES, what=st.sampled_from(HoldScope), minutes=UNTIL)
    def pause(self, role: Role, phone: str, template: str, what: HoldScope, minutes: int | None) -> None:
        until = None if minutes is None else self.desk.now + timedelta(minutes=minutes)
        subject, which = self.choose(what, phone, template)
        if carry_out(
            self.desk, "queues.pause", role, partial(commands.pause, until=until, reason="Stop", **which)
        ):
            self.paused.add(subject)

    @rule(role=ROLES, phone=PHONES, template=TEMPLATES, what=st.sampled_from(HoldScope))
    def resume(self, role: Role, phone: str, template: str, what: HoldScope) -> None:
        """Whatever held it, it sends again."""
        subject, which = self.choose(what, phone, template)
        if carry_out(self.desk, "queues.pause", role, partial(commands.resume, **which)):
            assert not [cause for held, cause in self.active() if held == subject]
            self.paused.discard(subject)

    @rule()
    def get_a_new_token(self) -> None:
        with self.desk.runtime.unit(COMMAND, write=True) as unit:
            for phone in BOTH:
                holding.release(unit, scope=HoldScope.LANE, subject=phone, cause=HoldCause.TOKEN)

    @invariant()
    def each_hold_has_its_reason(self) -> None:
        active = self.active()
        assert {held for held in active if held[1] is not HoldCause.PERSON} <= self.met
        assert {subject for subject, cause in active if cause is HoldCause.PERSON} == self.paused

    @invariant()
    def nothing_is_held_twice_for_one_cause(self) -> None:
        holds = [(one.scope, one.subject, one.cause) for one in self.desk.holds()]
        assert len(holds) == len(set(holds))

    @invariant()
    def what_no_person_asked_for_is_an_alert_as_long_as_it_lasts(self) -> None:
        with self.desk.runtime.unit(COMMAND) as unit:
            open_ones = select(Alert.subject).where(
                col(Alert.kind) == holding.ALERT, col(Alert.resolved_at).is_(None)
            )
            alerts = unit.session.exec(open_ones).all()
            assert audit.verify(unit.session, unit.vault).whole
        assert sorted(alerts) == sorted(
            {subject for (_, subject), cause in self.active() if cause is not HoldCause.PERSON}
        )

    def teardown(self) -> None:
        """Once everything is let go, everything goes."""
        for scope, subject in {held for held, _ in self.active()}:
            with self.desk.runtime.unit(COMMAND, write=True) as unit:
                holding.release(unit, scope=scope, subject=subject)
        self.desk.advance(3600)
        self.desk.rescue()
        self.desk.advance(4000)
        self.wire.clear()
        self.work()
        while self.wire:
            self.take(count=len(self.wire))
        with self.desk.runtime.unit(COMMAND) as unit:
            states = unit.session.exec(select(Message.state)).all()
        assert len(states) == self.count
        assert set(states) <= {MessageState.SENT}

    def choose(self, what: HoldScope, phone: str, template: str) -> tuple[Subject, dict[str, Any]]:
        if what is HoldScope.LANE:
            return (what, phone), {"phone_number_id": phone}
        if what is HoldScope.TEMPLATE:
            return self.templates[template], {"template_id": self.templates[template][1]}
        return (HoldScope.WORKSPACE, self.desk.place.workspace.id), {}

    def off_the_wire(self, count: int) -> list[Claim]:
        taken, self.wire = self.wire[:count], self.wire[count:]
        return taken

    def say(self, phone: str, *, blocks: bool) -> None:
        """What Meta's ``health_status`` of the number says."""
        self.blocked = self.blocked | {phone} if blocks else self.blocked - {phone}
        health = "BLOCKED" if blocks else "AVAILABLE"
        self.meta.client.patch(f"/sandbox/phones/{phone}", json={"health": health}).raise_for_status()

    def subjects(self, message: Message) -> set[Subject]:
        """All that could hold the message."""
        found = {
            (HoldScope.LANE, message.phone_number_id),
            (HoldScope.WORKSPACE, message.workspace_id),
        }
        return found | {self.templates[message.template_name]} if message.template_name else found

    def held(self) -> set[Subject]:
        return {subject for subject, _ in self.active()}

    def active(self) -> set[tuple[Subject, HoldCause]]:
        return {((one.scope, one.subject), one.cause) for one in self.desk.holds()}

    def waiting(self) -> list[Message]:
        """Those that are due, or would be but for their template."""
        with self.desk.runtime.unit(COMMAND) as unit:
            is_parked = col(Message.waiting_for) == WaitingFor.TEMPLATE
            due = or_(col(Message.due_at) <= unit.now, is_parked)
            return list(unit.session.exec(select(Message).where(col(Message.state).in_(WAITING), due)))


@pytest.mark.parametrize("how_long", HOW_LONG)
def test_holds(begin: Begin, meta: Meta, how_long: settings) -> None:
    run_state_machine_as_test(lambda: Holds(begin, meta), settings=how_long)
