"""Finalised invoices are mailed as PDF, once."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlmodel import select

from core.billing.invoice_queries import invoice_taken_out
from core.billing.posting import post_again, post_due
from core.billing.workspaces import change_billing_email
from core.errors import Conflict, Forbidden, Impossible, NotFound
from core.mail.delivery import deliver_due
from core.runtime import Runtime
from data.alerts import Mail
from data.billing import Invoice
from data.enums import Role
from data.operations import AuditEntry
from tests.conftest import Place
from tests.core.billing.pdf_text import pdf_text
from tests.core.billing.stories import DECEMBER, HOUR, Story
from tests.core.ledger import CLERK, Ledger


@pytest.fixture
def story(runtime: Runtime, place: Place) -> Story:
    return Story(Ledger(runtime, place))


def mails(story: Story) -> list[Mail]:
    with story.ledger.runtime.unit(CLERK) as unit:
        return list(unit.session.exec(select(Mail)))


def test_a_finalised_invoice_is_mailed_to_the_owners_as_pdf_once(story: Story, tmp_path: Path) -> None:
    runtime = story.ledger.runtime
    story.go_to(DECEMBER + HOUR)
    post_due(runtime)
    assert mails(story) == []
    story.finalise("2026-11")
    post_due(runtime)
    post_due(runtime)
    (mail,) = mails(story)
    assert (mail.recipient, mail.kind) == ("owner@northwind.example", "invoice")
    assert deliver_due(runtime) == 1
    (path,) = tmp_path.rglob("*.eml")
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    (paper,) = message.iter_attachments()
    assert (paper.get_filename(), paper.get_content_type()) == ("invoice-1-2026-11.pdf", "application/pdf")
    assert pdf_text(paper.get_content()).startswith("Invoice 1\nFor Northwind")
    assert mails(story)[0].attachment is None, "gone once it is sent"


def test_the_billing_address_takes_the_owners_place(story: Story) -> None:
    story.act(lambda unit: change_billing_email(unit, "Bills@Northwind.example"))
    story.go_to(DECEMBER + HOUR)
    story.finalise("2026-11")
    post_due(story.ledger.runtime)
    assert [mail.recipient.lower() for mail in mails(story)] == ["bills@northwind.example"]
    with pytest.raises(Impossible):
        story.act(lambda unit: change_billing_email(unit, "nobody"))
    with (
        pytest.raises(Forbidden),
        story.ledger.runtime.unit(story.ledger.place.acting(Role.MANAGER), write=True) as unit,
    ):
        change_billing_email(unit, None)


def made(story: Story) -> str:
    """The id of November's invoice, final and mailed."""
    story.go_to(DECEMBER + HOUR)
    story.finalise("2026-11")
    post_due(story.ledger.runtime)
    with story.ledger.runtime.unit(CLERK) as unit:
        return unit.session.exec(select(Invoice.id).where(Invoice.period == "2026-11")).one()


def test_an_invoice_is_mailed_again_at_an_owners_word(story: Story) -> None:
    invoice_id = made(story)
    story.act(lambda unit: post_again(unit, invoice_id))
    post_due(story.ledger.runtime)
    post_due(story.ledger.runtime)
    assert len(mails(story)) == 2
    with story.ledger.runtime.unit(CLERK) as unit:
        said = select(AuditEntry.target).where(AuditEntry.action == "invoice.mailed_again")
        assert unit.session.exec(said).all() == [f"invoice:{invoice_id}"]


def test_a_draft_is_not_mailed(story: Story) -> None:
    made(story)
    with story.ledger.runtime.unit(CLERK) as unit:
        draft = unit.session.exec(select(Invoice.id).where(Invoice.period == "2026-12")).one()
    with pytest.raises(Conflict, match="Only a finalised invoice is mailed"):
        story.act(lambda unit: post_again(unit, draft))


@pytest.mark.parametrize("role", [Role.MANAGER, Role.AGENT, Role.VIEWER])
def test_only_an_owner_mails_again(story: Story, role: Role) -> None:
    invoice_id = made(story)
    with (
        pytest.raises(Forbidden),
        story.ledger.runtime.unit(story.ledger.place.acting(role), write=True) as unit,
    ):
        post_again(unit, invoice_id)


def test_p5_another_workspaces_invoice_is_not_there(story: Story, other_place: Place) -> None:
    invoice_id = made(story)
    with story.ledger.runtime.unit(other_place.owner, write=True) as unit:
        with pytest.raises(NotFound):
            post_again(unit, invoice_id)
        with pytest.raises(NotFound):
            invoice_taken_out(unit, invoice_id)


def test_a_file_is_for_those_who_may_export(story: Story) -> None:
    invoice_id = made(story)
    with story.ledger.runtime.unit(story.ledger.place.acting(Role.MANAGER)) as unit:
        assert invoice_taken_out(unit, invoice_id).number == 1
    with story.ledger.runtime.unit(story.ledger.place.acting(Role.VIEWER)) as unit, pytest.raises(Forbidden):
        invoice_taken_out(unit, invoice_id)
