"""Keeps a list that follows by itself at rest while somebody is in it."""

from nicegui import ui

from ui.act import handler
from ui.parts.table import Table

_EVENTS = {
    "mouseenter": ("pointer", True),
    "mouseleave": ("pointer", False),
    "focusin": ("focus", True),
    "focusout": ("focus", False),
    # A finger leaves no trace of where it reads, so from the first touch on nothing moves by itself.
    "touchstart.passive": ("finger", True),
}


class Still:
    """The table follows while neither pointer, focus nor finger is in ``around`` and no drawer is open; else
    rows stay where they are, and new ones announce themselves."""

    def __init__(self, table: Table, around: ui.element) -> None:
        self._table = table
        self._reasons: set[str] = set()
        table.follows = True
        for event, (reason, is_there) in _EVENTS.items():
            around.on(event, handler(lambda _, r=reason, there=is_there: self._note(r, there=there)), args=[])

    def opened(self, row_id: str) -> None:
        """A drawer is open, or closed again (empty): to be called from its ``on_change``."""
        self._table.mark_open(row_id)
        self._note("drawer", there=bool(row_id))

    def _note(self, reason: str, *, there: bool) -> None:
        (self._reasons.add if there else self._reasons.discard)(reason)
        self._table.follows = not self._reasons
