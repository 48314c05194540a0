"""What acts on changes of accounts, phones and templates: field by field, in the room that owns it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from core.inbox.said import Said
from core.lanes.accounts import apply_account_change
from core.messaging.aside import unpark
from core.templates import updates as templates
from core.unit import Unit
from data.sending import Waba

Effect = Callable[[Unit, Said], None]


def _phone_or_account(unit: Unit, said: Said) -> None:
    """The number or account is what Meta says it is, and lanes follow."""
    waba = unit.session.get_one(Waba, said.update.waba_id)
    apply_account_change(unit, waba=waba, field=said.update.field, value=said.change.value, at=said.at)


def _template(unit: Unit, said: Said) -> None:
    """The template is what Meta says it is. What waited for one that is paused no more goes at once; of a
    long queue the rest follows with the clock's next sweep."""
    waba = unit.session.get_one(Waba, said.update.waba_id)
    if templates.apply_change(unit, waba=waba, field=said.update.field, value=said.change.value, at=said.at):
        unpark(unit)


# Fields without a line are kept, and take effect when they are replayed after something acts on them.
EFFECTS: Mapping[str, Effect] = MappingProxyType(
    dict.fromkeys(
        (
            "phone_number_quality_update",
            "phone_number_name_update",
            "account_update",
            "account_review_update",
            "account_alerts",
            "business_capability_update",
            "security",
        ),
        _phone_or_account,
    )
    | dict.fromkeys(templates.FIELDS, _template)
)
