"""Messages that wait for a template which Meta paused: an alert says so, and what became of them (T4, Q7)."""

from sqlalchemy import text as literally
from sqlmodel import col, func, select

from core.alerts.commands import raise_alert, resolve_alert
from core.templates.rules import SENDABLE
from core.unit import Unit
from data.messages import Message
from data.sending import Phone, Template

ALERT = "template_paused"


def tell_parked(unit: Unit, template: Template) -> None:
    """An alert is open while messages wait for the template."""
    raise_alert(
        unit,
        kind=ALERT,
        subject=template.id,
        detail=f"“{template.name}” ({template.language}) is paused by Meta.",
        workspace_id=template.workspace_id,
        link=f"/templates/{template.id}",
    )


def tell_unparked(unit: Unit, *, waba_id: str, name: str, language: str) -> None:
    """The alert is over and says how many messages go, or die because the template never will again. To be
    called before they are let go."""
    found = select(Template).where(
        col(Template.waba_id) == waba_id, col(Template.name) == name, col(Template.language) == language
    )
    template = unit.session.exec(found).first()
    if template is None:
        return
    waiting = (
        select(func.count())
        .select_from(Message)
        .join(Phone, col(Phone.id) == col(Message.phone_number_id))
        .where(
            literally("message.waiting_for = 'template'"),  # as its index has it
            col(Message.template_name) == name,
            col(Message.template_language) == language,
            col(Phone.waba_id) == waba_id,
        )
    )
    count = unit.session.exec(waiting).one()
    messages = f"{count:,} {'message' if count == 1 else 'messages'}"
    if template.status in SENDABLE:
        outcome = f"Template unpaused: {messages} {'was' if count == 1 else 'were'} released."
    else:
        status = template.status.lower()
        outcome = (
            f"The template is {status} now: {messages} that waited {'is' if count == 1 else 'are'} not sent."
        )
    resolve_alert(unit, kind=ALERT, subject=template.id, workspace_id=template.workspace_id, outcome=outcome)
