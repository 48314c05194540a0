"""Whether a send may go to that contact from that phone. Asked by sends, previews and edited redrives."""

from datetime import datetime
from typing import Any

from core.contacts.queries import suppressed, window_ends
from core.errors import Impossible
from core.templates import queries as template_queries
from core.templates import rules as template_rules
from core.unit import Unit
from data.enums import SuppressionKind
from data.messages import Contact
from data.sending import Phone, Template


class TemplateUnknown(Impossible):
    """Not among our copies. Meta may have it: sync once, then ask again."""

    code = "template_unknown"

    def __init__(self, *, waba_id: str, name: str, language: str) -> None:
        super().__init__(
            f"There is no template “{name}” in language “{language}”. Check the name and language, or create "
            "it at Meta first."
        )
        self.waba_id = waba_id
        self.name = name


def check_template(unit: Unit, payload: dict[str, Any], *, waba_id: str) -> Template | None:
    """The template of the account that the payload names, sendable and with all its variables filled; None
    for a text."""
    wanted = payload.get("template")
    if wanted is None:
        return None
    name, language = str(wanted["name"]), str(wanted["language"])
    template = unit.once(
        "template",
        waba_id,
        name,
        language,
        ask=lambda: template_queries.find(unit, waba_id=waba_id, name=name, language=language),
    )
    if template is None:
        raise TemplateUnknown(waba_id=waba_id, name=name, language=language)
    template_rules.check_sendable(template)
    template_rules.check_parameters(template, wanted.get("components") or [])
    return template


def check_contact(unit: Unit, phone: Phone, contact: Contact | None, template: Template | None) -> None:
    """Refuses what the contact must not be sent. ``contact`` None: someone who was never written with."""
    kinds = suppressed(unit.session, [contact.id]).get(contact.id, frozenset()) if contact else frozenset()
    ends = open_until(unit, phone, contact) if template is None else None
    refuse(kinds, ends, template, now=unit.now)


def refuse(
    kinds: frozenset[SuppressionKind],
    window_ends_at: datetime | None,
    template: Template | None,
    *,
    now: datetime,
) -> None:
    """Refuses ``template`` (None: a text) to a contact of whom that is known."""
    if is_suppressed(kinds, template):
        raise Impossible(
            "This contact must not be sent messages of this kind: they opted out or cannot be reached.",
            code="recipient_suppressed",
        )
    if template is None and (window_ends_at is None or window_ends_at <= now):
        raise Impossible(
            "The customer has not written to this number in the last 24 hours, so Meta takes only "
            "templates. Send a template instead.",
            code="window_closed",
        )


def open_until(unit: Unit, phone: Phone, contact: Contact | None) -> datetime | None:
    """When Meta's service window with the contact closes or closed; None when they never wrote."""
    if contact is None:
        return None
    return window_ends(unit.session, phone_number_id=phone.id, contact_id=contact.id)


def is_suppressed(kinds: frozenset[SuppressionKind], template: Template | None) -> bool:
    """Whether a contact with those suppressions must not be sent that template (None: a text)."""
    marketing = template is not None and template.category.upper() == "MARKETING"
    return SuppressionKind.ALL in kinds or (marketing and SuppressionKind.MARKETING in kinds)
