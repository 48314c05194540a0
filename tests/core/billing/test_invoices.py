"""B10: what finalising freezes, who may, in which order, and what triggers refuse."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select

from core.billing import invoices
from core.billing.invoice_queries import InvoiceView, invoice_view, list_invoices
from core.billing.invoices import GRACE, draft_all, finalise_due
from core.billing.verify import verify_invoice, verify_workspace
from core.conversations.verify import verify as verify_conversations
from core.errors import Conflict, Forbidden, Malformed, NotFound
from core.runtime import Runtime
from core.unit import Unit
from data.billing import Conversation, Invoice, InvoiceEntry
from data.enums import InvoiceState, MessageState, PlanName, Role
from data.operations import AuditEntry
from tests.conftest import Place
from tests.core.billing.stories import DAY, DECEMBER, HOUR, JANUARY, NOVEMBER, Story
from tests.core.ledger import CLERK, Ledger, Said


@pytest.fixture
def story(runtime: Runtime, place: Place) -> Story:
    return Story(Ledger(runtime, place))


def view(story: Story, invoice_id: str) -> InvoiceView:
    with story.ledger.runtime.unit(story.owner) as unit:
        return invoice_view(unit, invoice_id)


def draft_of(story: Story, period: str = "2026-11") -> Invoice:
    return next(one for one in story.invoices() if one.period == period and one.state is InvoiceState.DRAFT)


def whole(story: Story) -> None:
    workspace_id = story.ledger.place.workspace.id
    with story.ledger.runtime.unit(CLERK) as unit:
        assert verify_workspace(unit, workspace_id) == []
        assert verify_conversations(unit, workspace_id) == []


def test_b10_the_running_month_has_a_draft_that_follows_what_happens(story: Story) -> None:
    story.set(plan=PlanName.STARTER)
    assert [(one.period, one.conversations) for one in story.invoices()] == [("2026-11", 0)]
    story.ledger.many(101, NOVEMBER, apart=HOUR)
    (draft,) = story.invoices()
    assert (draft.conversations, draft.billable, draft.amount_micros) == (101, 1, 10_000)
    assert (draft.number, draft.hash, draft.finalised_at) == (None, None, None)


def test_b10_every_month_has_an_invoice_even_of_nothing(story: Story) -> None:
    story.go_to(JANUARY + HOUR)
    assert [one.period for one in story.invoices()] == ["2026-11", "2026-12", "2027-01"]
    assert story.finalise("2026-11").amount_micros == 0


def test_b10_finalising_freezes_the_conversations_and_gives_a_number_and_a_hash(story: Story) -> None:
    story.ledger.write([Said("a", NOVEMBER + DAY), Said("b", NOVEMBER + 5 * DAY)])
    story.go_to(DECEMBER + HOUR)
    invoice = story.finalise("2026-11")
    assert (invoice.number, invoice.state) == (1, InvoiceState.FINALISED)
    assert invoice.hash is not None
    assert len(invoice.hash) == 64
    assert {(one.invoice_id, one.billed) for one in story.ledger.conversations()} == {(invoice.id, 1)}
    with story.ledger.runtime.unit(CLERK) as unit:
        entry = unit.session.exec(
            select(AuditEntry).where(col(AuditEntry.action) == "invoice.finalised")
        ).one()
    assert (entry.target, entry.after and entry.after["number"]) == (f"invoice:{invoice.id}", 1)
    whole(story)


def test_b10_a_month_is_finalised_by_itself_72_hours_after_its_end(story: Story) -> None:
    runtime = story.ledger.runtime
    story.ledger.write([Said("a", NOVEMBER + DAY)])
    draft_all(runtime)
    story.go_to(DECEMBER + GRACE - timedelta(seconds=1))
    finalise_due(runtime)
    assert draft_of(story).state is InvoiceState.DRAFT
    story.go_to(DECEMBER + GRACE)
    finalise_due(runtime)
    assert [(one.period, one.number) for one in story.invoices()] == [("2026-11", 1), ("2026-12", None)]
    finalise_due(runtime)
    assert len(story.invoices()) == 2


def test_b10_a_month_that_runs_and_one_after_an_open_one_cannot_be_finalised(story: Story) -> None:
    with pytest.raises(Conflict) as refused:
        story.finalise("2026-11")
    assert refused.value.code == "period_open"
    story.go_to(JANUARY + HOUR)
    with pytest.raises(Conflict) as refused:
        story.finalise("2026-12")
    assert (refused.value.code, refused.value.facts["period"]) == ("earlier_open", "2026-11")
    first, second = story.finalise("2026-11"), story.finalise("2026-12")
    assert (first.number, second.number) == (1, 2)
    with pytest.raises(Conflict) as refused:
        story.act(lambda unit: invoices.finalise(unit, first.id))
    assert refused.value.code == "not_draft"


def test_b10_an_absurd_invoice_is_parked_until_a_person_confirms_it(story: Story) -> None:
    story.ledger.write([Said("a", NOVEMBER + DAY)])
    story.ledger.settle()
    with story.ledger.runtime.unit(CLERK, write=True) as unit:
        fake = Conversation(
            **{**story.ledger.conversations()[0].model_dump(), "id": "cnv_fake", "messages_in": -1}
        )
        unit.session.add(fake)
    story.go_to(DECEMBER + GRACE)
    finalise_due(story.ledger.runtime)
    draft = draft_of(story)
    assert draft.parked_reason is not None
    assert "2 conversations" in draft.parked_reason
    with pytest.raises(Conflict) as refused:
        story.finalise("2026-11")
    assert refused.value.code == "invoice_parked"
    assert story.finalise("2026-11", confirm=True).number == 1


@pytest.mark.parametrize("role", [Role.MANAGER, Role.AGENT, Role.VIEWER, Role.SUPPORT])
def test_only_an_owner_finalises_and_voids(story: Story, role: Role) -> None:
    story.go_to(DECEMBER + HOUR)
    draft = draft_of(story)
    for command in (
        lambda unit: invoices.finalise(unit, draft.id),
        lambda unit: invoices.void(unit, draft.id, reason="No"),
    ):
        with (
            pytest.raises(Forbidden),
            story.ledger.runtime.unit(story.ledger.place.acting(role), write=True) as unit,
        ):
            command(unit)


def test_p5_another_workspaces_invoice_is_not_there(story: Story, other_place: Place) -> None:
    story.go_to(DECEMBER + HOUR)
    draft = draft_of(story)
    asked: list[Callable[[Unit], Any]] = [
        lambda unit: invoices.finalise(unit, draft.id),
        lambda unit: invoices.void(unit, draft.id, reason="No"),
        lambda unit: invoice_view(unit, draft.id),
        lambda unit: verify_invoice(unit, draft.id),
    ]
    for command in asked:
        with (
            pytest.raises(NotFound),
            story.ledger.runtime.unit(other_place.acting(Role.OWNER), write=True) as unit,
        ):
            command(unit)


def test_b10_a_void_invoice_keeps_its_number_and_has_one_replacement(story: Story) -> None:
    story.ledger.write([Said("a", NOVEMBER + DAY)])
    story.go_to(DECEMBER + HOUR)
    first = story.finalise("2026-11")
    with pytest.raises(Malformed):
        story.act(lambda unit: invoices.void(unit, first.id, reason=" "))
    draft = story.act(lambda unit: invoices.void(unit, first.id, reason="Wrong plan"))
    assert (view(story, first.id).state, view(story, first.id).replaced_by_id) == ("void", draft.id)
    with pytest.raises(Conflict) as refused:
        story.act(lambda unit: invoices.void(unit, first.id, reason="Again"))
    assert refused.value.code == "not_finalised"
    assert [one.invoice_id for one in story.ledger.conversations()] == [None]
    second = story.finalise("2026-11")
    assert (second.number, second.replaces_id) == (2, first.id)
    whole(story)


def test_b10_voiding_a_month_does_not_take_back_what_a_later_invoice_charged(story: Story) -> None:
    """November's late conversation stands on December's invoice: November's replacement charges it not."""
    story.set(plan=PlanName.STARTER)
    story.ledger.many(100, NOVEMBER, apart=HOUR)
    story.go_to(DECEMBER + HOUR)
    first = story.finalise("2026-11")
    story.ledger.write([Said("late", NOVEMBER + 20 * DAY, contact="con_l", arrived=DECEMBER + HOUR)])
    story.go_to(JANUARY + HOUR)
    december = story.finalise("2026-12")
    assert december.amount_micros == 10_000
    story.act(lambda unit: invoices.void(unit, first.id, reason="Wrong address"))
    replacement = story.finalise("2026-11")
    assert (replacement.conversations, replacement.amount_micros) == (101, 0)
    standing = [one for one in story.invoices() if one.state is InvoiceState.FINALISED]
    assert sum(one.amount_micros for one in standing) == 10_000
    whole(story)


def test_b10_what_failed_and_then_did_not_is_taken_back_and_charged_again(story: Story) -> None:
    story.set(plan=PlanName.STARTER)
    story.ledger.many(100, NOVEMBER, apart=HOUR)
    story.ledger.write(
        [Said("x", NOVEMBER + 20 * DAY, inbound=False, state=MessageState.SENT, contact="con_x")]
    )
    story.go_to(DECEMBER + HOUR)
    assert story.finalise("2026-11").amount_micros == 10_000
    story.ledger.report("x", "failed", DECEMBER, state=MessageState.FAILED)
    story.go_to(JANUARY + HOUR)
    assert story.finalise("2026-12", confirm=True).amount_micros == -10_000
    story.ledger.report("x", "delivered", DECEMBER + DAY, state=MessageState.DELIVERED)
    story.go_to(JANUARY + 40 * DAY)
    assert story.finalise("2027-01").amount_micros == 10_000
    whole(story)


FORBIDDEN = [
    "UPDATE invoice SET amount_micros = amount_micros + 1",
    "UPDATE invoice SET number = 7",
    "UPDATE invoice SET state = 'draft'",
    "UPDATE invoice SET lines = '[]'",
    "DELETE FROM invoice",
    "UPDATE invoice_entry SET delta = 2",
    "DELETE FROM invoice_entry",
    "INSERT INTO invoice_entry (invoice_id, conversation_id, delta, opened_at) "
    "SELECT id, 'cnv_more', 1, 0 FROM invoice WHERE state <> 'draft'",
    "UPDATE conversation SET opened_at = opened_at + 1",
    "UPDATE conversation SET closes_at = closes_at + 1",
    "UPDATE conversation SET opened_by = 'business'",
    "UPDATE conversation SET invoice_id = NULL",
    "DELETE FROM conversation",
]


@pytest.mark.parametrize("change", FORBIDDEN)
def test_b10_triggers_refuse_every_change_of_what_is_invoiced(story: Story, change: str) -> None:
    story.ledger.write([Said("a", NOVEMBER + DAY)])
    story.go_to(DECEMBER - HOUR)
    story.ledger.runtime.clock.advance(2 * 3600)  # type: ignore[attr-defined]
    story.finalise("2026-11")
    engine = story.ledger.runtime.database.write
    with engine.connect() as connection:
        connection.execute(text("DELETE FROM invoice WHERE state = 'draft'"))
        with pytest.raises(DBAPIError, match="never changed"):
            connection.execute(text(change))
        connection.rollback()


def test_b10_verify_finds_what_was_changed_behind_the_triggers(story: Story) -> None:
    story.ledger.write([Said("a", NOVEMBER + DAY)])
    story.go_to(DECEMBER + HOUR)
    invoice = story.finalise("2026-11")
    assert story.act(lambda unit: verify_invoice(unit, invoice.id)) == []
    with story.ledger.runtime.unit(CLERK, write=True) as unit:
        connection = unit.session.connection()
        if story.ledger.runtime.database.is_sqlite:
            connection.execute(text("DROP TRIGGER invoice_no_update"))
        else:
            connection.execute(text("ALTER TABLE invoice DISABLE TRIGGER USER"))
        connection.execute(text("UPDATE invoice SET amount_micros = 5 WHERE state = 'finalised'"))
        if not story.ledger.runtime.database.is_sqlite:
            connection.execute(text("ALTER TABLE invoice ENABLE TRIGGER USER"))
    found = story.act(lambda unit: verify_invoice(unit, invoice.id))
    assert [one.sentence for one in found] == ["its amount is not what its inputs come to"]


@pytest.mark.parametrize("rounds", [5, pytest.param(50, marks=pytest.mark.long)])
def test_b10_each_event_is_on_exactly_one_invoice_however_finalising_races_webhooks(
    story: Story, rounds: int
) -> None:
    """Four writers bring events of the month while its invoice is finalised, month after month."""
    runtime = story.ledger.runtime
    month = NOVEMBER
    story.ledger.write([Said("first", NOVEMBER, contact="con_first")])
    expected = {"cnv_first"}
    for number in range(rounds):
        following = (month + 32 * DAY).replace(day=1)
        story.go_to(following + HOUR)
        draft = draft_of(story, f"{month:%Y-%m}")
        start = threading.Barrier(5)

        def bring(writer: int, month: Any = month, number: int = number, start: Any = start) -> None:
            ledger = Ledger(runtime, story.ledger.place, numbers_from=1000 * (1 + 4 * number + writer))
            start.wait()
            for event in range(4):
                key = f"r{number:02d}w{writer}e{event}"
                ledger.write([Said(key, month + event * DAY, contact=f"con_{key}", arrived=month + 30 * DAY)])

        def close(draft: Invoice = draft, start: Any = start) -> None:
            start.wait()
            with runtime.unit(story.owner, write=True) as unit:
                invoices.finalise(unit, draft.id, confirm=True)

        with ThreadPoolExecutor(5) as pool:
            work = [pool.submit(bring, writer) for writer in range(4)] + [pool.submit(close)]
            for one in work:
                one.result()
        expected |= {f"cnv_r{number:02d}w{writer}e{event}" for writer in range(4) for event in range(4)}
        month = following
    story.go_to((month + 32 * DAY).replace(day=1) + HOUR)
    story.finalise(f"{month:%Y-%m}", confirm=True)
    with runtime.unit(CLERK) as unit:
        entries = unit.session.exec(select(InvoiceEntry.conversation_id, InvoiceEntry.delta)).all()
    assert sorted(entries) == sorted((one, 1) for one in expected)
    whole(story)


def test_two_finalise_one_invoice_at_once_and_it_is_numbered_once(story: Story) -> None:
    story.go_to(DECEMBER + HOUR)
    draft = draft_of(story)
    start = threading.Barrier(4)

    def one(_: int) -> str:
        start.wait()
        try:
            story.act(lambda unit: invoices.finalise(unit, draft.id))
        except Conflict as refusal:
            return refusal.code
        return "finalised"

    with ThreadPoolExecutor(4) as pool:
        told = sorted(pool.map(one, range(4)))
    assert told == ["finalised", "not_draft", "not_draft", "not_draft"]
    assert view(story, draft.id).number == 1


def test_the_list_is_newest_first_and_goes_on_after_its_cursor(story: Story) -> None:
    story.go_to(JANUARY + HOUR)
    story.invoices()
    with story.ledger.runtime.unit(story.owner) as unit:
        first = list_invoices(unit, limit=2)
        second = list_invoices(unit, limit=2, cursor=first.next_cursor)
        assert list_invoices(unit, state=InvoiceState.VOID).items == []
    assert [one.period for one in first.items] == ["2027-01", "2026-12"]
    assert [one.period for one in second.items] == ["2026-11"]


def test_a_view_says_what_may_be_done(story: Story) -> None:
    story.go_to(DECEMBER + HOUR)
    draft = draft_of(story)
    with story.ledger.runtime.unit(story.ledger.place.acting(Role.MANAGER)) as unit:
        assert not invoice_view(unit, draft.id).can_finalise
    with story.ledger.runtime.unit(story.ledger.place.acting(Role.OWNER)) as unit:
        shown = invoice_view(unit, draft.id)
    assert (shown.can_finalise, shown.can_void) == (True, False)
