"""What a batch of webhooks changed for billing, told once a batch."""

from core.conversations.commands import mark_due
from core.unit import Unit

Pair = tuple[str, str]


def events_changed(unit: Unit, pairs: set[Pair]) -> None:
    """(phone number id, contact id) whose billing events changed: a message came in, the first moment of a
    send is another, a send failed after Meta took it, or did not fail after all."""
    mark_due(unit, pairs)
