"""States as a word and a colour, in one vocabulary for all pages."""

from typing import Literal

from nicegui import ui

from core.ports.meta_errors import ErrorClass
from data.enums import LetterState, Severity
from ui.parts.text import text

Tone = Literal["grey", "red", "amber", "blue", "green"]
Word = tuple[str, Tone]

# The public words of interface.md for a message's status.
MESSAGE: dict[str, Word] = {
    "queued": ("Queued", "blue"),
    "sending": ("Sending", "blue"),
    "sent": ("Sent", "grey"),
    "delivered": ("Delivered", "green"),
    "read": ("Read", "green"),
    "retry_queued": ("Retry queued", "amber"),
    "unknown": ("Unknown", "amber"),
    "dead": ("Dead", "red"),
    "failed": ("Failed", "red"),
    "discarded": ("Discarded", "grey"),
    "received": ("Received", "grey"),
}
LETTER: dict[LetterState, Word] = {
    LetterState.OPEN: ("Open", "red"),
    LetterState.REDRIVEN: ("Redriven", "blue"),
    LetterState.RESOLVED: ("Resolved", "green"),
    LetterState.DISCARDED: ("Discarded", "grey"),
}
ERROR: dict[ErrorClass, Word] = {
    ErrorClass.RETRY: ("Can pass", "blue"),
    ErrorClass.WAIT: ("Must wait", "blue"),
    ErrorClass.FIX: ("Needs a fix", "amber"),
    ErrorClass.PERMANENT: ("Permanent", "grey"),
    ErrorClass.RECIPIENT: ("Recipient", "grey"),
    ErrorClass.HOLD: ("Stops the queue", "red"),
}
SEVERITY: dict[Severity, Word] = {
    Severity.CRITICAL: ("Critical", "red"),
    Severity.WARNING: ("Warning", "amber"),
    Severity.INFO: ("Worth knowing", "blue"),
}
# The icon, and what it means to those who do not see it.
SEVERITY_ICONS: dict[Severity, tuple[str, str]] = {
    Severity.CRITICAL: ("octagon-alert", "Critical"),
    Severity.WARNING: ("triangle-alert", "Warning"),
    Severity.INFO: ("info", "Worth knowing"),
}


def badge(word: Word) -> ui.element:
    """``badge(MESSAGE[row.status])``, or a word and tone of its own."""
    return text(word[0], f"badge {word[1]}")
