"""Whatever is heard of messages, in whatever order and how late, and whatever people do to invoices: what is
finalised stays as it is, and in the end each conversation was billed once."""

from datetime import timedelta
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

from core import audit
from core.billing import invoices
from core.billing.verify import verify_workspace
from core.conversations.verify import verify as verify_conversations
from core.team.owners import COMMAND
from data.billing import Conversation, Invoice, InvoiceEntry
from data.enums import InvoiceState, MessageState, PlanName, Role
from tests.conftest import PHONE_ID, SECOND_PHONE_ID
from tests.core.billing.stories import Story
from tests.core.ledger import CLERK, Ledger, Said
from tests.core.machines.conftest import HOW_LONG, Begin, carry_out

CONTACTS = st.integers(0, 2)
PHONES = st.sampled_from([PHONE_ID, SECOND_PHONE_ID])
AGO = st.integers(0, 45 * 24).map(lambda hours: timedelta(hours=hours))
MESSAGES = st.lists(st.tuples(CONTACTS, PHONES, AGO, st.booleans()), min_size=2, max_size=6)
ROLES = st.sampled_from([*Role, Role.OWNER, Role.OWNER, Role.OWNER])
DICE = st.integers(0, 9)
Facts = tuple[int | None, str | None, int, int]


class Invoices(RuleBasedStateMachine):
    """``sent``: keys of ours that Meta may still report as failed; ``finalised``: invoice → what it said."""

    def __init__(self, begin: Begin) -> None:
        super().__init__()
        self.desk = begin()
        self.ledger = Ledger(self.desk.runtime, self.desk.place)
        self.story = Story(self.ledger)
        self.heard = 0
        self.sent: list[str] = []
        self.finalised: dict[str, Facts] = {}

    @rule(messages=MESSAGES)
    def hear_of_messages(self, messages: list[tuple[int, str, timedelta, bool]]) -> None:
        now = self.desk.runtime.clock.now()
        for contact, phone, ago, inbound in messages:
            key = f"m{self.heard:04d}"
            self.heard += 1
            said = Said(key, now - ago, inbound=inbound, contact=f"con_{contact}", phone=phone, arrived=now)
            self.ledger.write([said])
            if not inbound:
                self.sent.append(key)

    @precondition(lambda self: self.sent)
    @rule(dice=DICE)
    def hear_that_one_failed(self, dice: int) -> None:
        key = self.sent.pop(dice % len(self.sent))
        self.ledger.report(key, "failed", self.desk.runtime.clock.now(), state=MessageState.FAILED)

    @rule(days=st.sampled_from([1, 3, 12, 33]))
    def wait(self, days: int) -> None:
        self.desk.advance(days * 86_400)

    @rule(plan=st.sampled_from([PlanName.FREE, PlanName.STARTER, PlanName.PRO]))
    def change_the_plan(self, plan: PlanName) -> None:
        old = self.desk.place.workspace.plan
        self.story.change_plan(self.desk.runtime.clock.now(), old, plan)
        self.desk.place.workspace.plan = plan

    @rule()
    def compute(self) -> None:
        self.ledger.settle()

    @rule(messages=MESSAGES, days=st.sampled_from([4, 36]))
    def let_the_clock_finalise(self, messages: list[tuple[int, str, timedelta, bool]], days: int) -> None:
        self.hear_of_messages(messages=messages)
        self.desk.advance(days * 86_400)
        invoices.finalise_due(self.desk.runtime)

    @rule(role=ROLES, dice=DICE, confirm=st.booleans())
    def finalise(self, role: Role, dice: int, confirm: bool) -> None:
        found = [one for one in self.story.invoices() if one.state is InvoiceState.DRAFT]
        act = partial(invoices.finalise, invoice_id=found[dice % len(found)].id, confirm=confirm)
        carry_out(self.desk, "billing.manage", role, act)

    @precondition(lambda self: self.finalised)
    @rule(role=ROLES, dice=DICE)
    def void(self, role: Role, dice: int) -> None:
        """Also one that is void already."""
        found = [one for one in self.invoices() if one.state is not InvoiceState.DRAFT]
        act = partial(invoices.void, invoice_id=found[dice % len(found)].id, reason="Wrong")
        carry_out(self.desk, "billing.manage", role, act)

    @invariant()
    def what_is_finalised_stays_as_it_is(self) -> None:
        for invoice in self.invoices():
            if invoice.state is InvoiceState.DRAFT:
                assert invoice.id not in self.finalised
                continue
            said = (invoice.number, invoice.hash, invoice.conversations, invoice.amount_micros)
            assert self.finalised.setdefault(invoice.id, said) == said
        assert self.finalised.keys() <= {invoice.id for invoice in self.invoices()}

    @invariant()
    def a_month_is_billed_by_one_invoice(self) -> None:
        periods = [one.period for one in self.invoices() if one.state is not InvoiceState.VOID]
        assert len(periods) == len(set(periods))

    @invariant()
    def invoices_are_what_they_are_made_of(self) -> None:
        with self.desk.runtime.unit(COMMAND) as unit:
            assert verify_workspace(unit, self.desk.place.workspace.id) == []
            assert audit.verify(unit.session, unit.vault).whole

    def teardown(self) -> None:
        """Once every month has ended and is finalised."""
        self.desk.advance(40 * 86_400)
        self.ledger.settle()
        for draft in self.story.invoices():
            if draft.state is InvoiceState.DRAFT and draft.end_at <= self.desk.runtime.clock.now():
                self.story.act(partial(invoices.finalise, invoice_id=draft.id, confirm=True))
        self.invoices_are_what_they_are_made_of()
        with self.desk.runtime.unit(CLERK) as unit:
            assert verify_conversations(unit, self.desk.place.workspace.id) == []
            valid = select(InvoiceEntry.conversation_id, InvoiceEntry.delta).join(Invoice)
            entries = unit.session.exec(valid.where(col(Invoice.state) == InvoiceState.FINALISED)).all()
            conversations = unit.session.exec(select(Conversation)).all()
        billed = {one.id: 0 for one in conversations}
        for conversation_id, delta in entries:
            billed[conversation_id] += delta
        assert billed == {one.id: int(one.messages_in + one.messages_out > 0) for one in conversations}

    def invoices(self) -> list[Invoice]:
        with self.desk.runtime.unit(CLERK) as unit:
            found = unit.session.exec(select(Invoice)).all()
        return sorted(found, key=lambda one: (one.period, one.number or 0))


@pytest.mark.parametrize("how_long", HOW_LONG)
def test_invoices(begin: Begin, how_long: settings) -> None:
    run_state_machine_as_test(lambda: Invoices(begin), settings=how_long)
