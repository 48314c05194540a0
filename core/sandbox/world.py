"""What exists at this Meta: businesses, WABAs, phones and templates, found by id."""

import time
from dataclasses import dataclass, field

from core.sandbox.errors import Json, no_such_object


@dataclass(slots=True)
class Business:
    id: str
    name: str
    verification_status: str = "verified"


@dataclass(slots=True)
class Waba:
    """A WhatsApp Business Account; without `subscribed` it gets no webhook, silently, as at Meta."""

    id: str
    name: str
    business_id: str
    currency: str = "USD"
    timezone_id: str = "1"
    country: str = "US"
    review: str = "APPROVED"
    restriction: str = "NONE"
    subscribed: bool = True


@dataclass(slots=True)
class Phone:
    """A sending number. `health` is AVAILABLE, LIMITED or BLOCKED, as set by hand; faults may block it
    too."""

    id: str
    waba_id: str
    display: str
    verified_name: str
    country_code: str
    quality: str = "GREEN"
    status: str = "CONNECTED"
    throughput: str = "STANDARD"
    messaging_limit: str = "TIER_2K"
    name_status: str = "APPROVED"
    new_name_status: str = "NONE"
    health: str = "AVAILABLE"

    @property
    def can_send(self) -> bool:
        """A flagged number goes on sending; any other word but CONNECTED means that it is not registered."""
        return self.status in ("CONNECTED", "FLAGGED")


@dataclass(slots=True)
class Template:
    id: str
    waba_id: str
    name: str
    language: str
    category: str
    components: list[Json]
    status: str = "APPROVED"
    previous_category: str | None = None
    quality: str = "GREEN"
    rejected_reason: str = "NONE"
    parameter_format: str = "POSITIONAL"

    def part(self, kind: str) -> Json:
        """The component of this type (HEADER, BODY, BUTTONS …), empty where the template has none."""
        return next((c for c in self.components if str(c.get("type", "")).upper() == kind), {})


@dataclass(slots=True)
class World:
    """Every object by its id; a missing one is Meta's code 100, subcode 33.

    `deleted_templates`: (WABA, name, language) that are not free again yet; `creations` (by WABA) and `edits`
    (by template): when they were, in unix seconds, for Meta's limits; `uploads`: session → bytes and type.
    """

    businesses: dict[str, Business] = field(default_factory=dict)
    wabas: dict[str, Waba] = field(default_factory=dict)
    phones: dict[str, Phone] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    last_template_id: int = 594425479261596
    deleted_templates: set[tuple[str, str, str]] = field(default_factory=set)
    creations: dict[str, list[int]] = field(default_factory=dict)
    edits: dict[str, list[int]] = field(default_factory=dict)
    uploads: dict[str, tuple[int, str]] = field(default_factory=dict)

    def waba(self, waba_id: str) -> Waba:
        if waba_id not in self.wabas:
            raise no_such_object(waba_id)
        return self.wabas[waba_id]

    def phone(self, phone_number_id: str) -> Phone:
        if phone_number_id not in self.phones:
            raise no_such_object(phone_number_id)
        return self.phones[phone_number_id]

    def phones_of(self, waba_id: str) -> list[Phone]:
        return [phone for phone in self.phones.values() if phone.waba_id == waba_id]

    def templates_of(self, waba_id: str) -> list[Template]:
        """In order of their ids, which is the order of creation."""
        return [template for template in self.templates.values() if template.waba_id == waba_id]

    def template(self, waba_id: str, *, name: str, language: str) -> Template | None:
        for template in self.templates.values():
            if template.name == name and template.language == language and template.waba_id == waba_id:
                return template
        return None

    def add_template(
        self, waba_id: str, *, name: str, language: str, category: str, components: list[Json], **more: str
    ) -> Template:
        """Stores it under the next id; ids are numbers with 15 digits, as Meta's."""
        self.last_template_id += 7
        template = Template(str(self.last_template_id), waba_id, name, language, category, components, **more)
        self.templates[template.id] = template
        return template


def unix_now() -> int:
    return int(time.time())
