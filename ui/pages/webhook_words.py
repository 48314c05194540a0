"""The words for webhooks: states, fields, sizes."""

from data.enums import DeliveryState
from ui.format import number
from ui.parts.badge import Word

DELIVERY: dict[DeliveryState, Word] = {
    DeliveryState.PENDING: ("Pending", "blue"),
    DeliveryState.APPLIED: ("Applied", "green"),
    DeliveryState.FAILED: ("Failed", "red"),
    DeliveryState.IGNORED: ("Ignored", "grey"),
}
# What is no field of Meta's word for word; the others are shown as Meta calls them.
FIELDS = {"status": "Statuses", "message": "Messages", "user_preferences": "User preferences"}


def size_words(size: int) -> str:
    """``812 bytes``, ``12 kB``, ``3.1 MB``."""
    if size < 1_000:
        return f"{number(size)} bytes"
    if size < 1_000_000:
        return f"{number(round(size / 1_000))} kB"
    return f"{size / 1_000_000:.1f} MB"
