"""Lines of CSV (RFC 4180) that no spreadsheet takes for a formula."""

from collections.abc import Iterable

_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NEEDS_QUOTES = frozenset('",\r\n')


def csv_line(cells: Iterable[str | int | None]) -> str:
    """The cells ``=1+1``, ``a, b`` and None make the line ``'=1+1,"a, b",``."""
    return ",".join(_cell("" if cell is None else str(cell)) for cell in cells) + "\r\n"


def _cell(text: str) -> str:
    safe = f"'{text}" if text.startswith(_BEGINS_FORMULA) else text
    if _NEEDS_QUOTES.isdisjoint(safe):
        return safe
    return '"' + safe.replace('"', '""') + '"'
