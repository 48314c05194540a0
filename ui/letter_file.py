"""Dead letters as a file: CSV or JSON lines, streamed a page at a time. For scripts and for browsers."""

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from core.dead_letters.export import begin_export, exported
from core.dead_letters.filters import LetterFilter
from core.dead_letters.lists import count_letters
from core.dead_letters.rows import LetterRow
from core.runtime import Runtime
from core.unit import Identity
from ui.api.shapes import letter_json
from ui.csv_text import csv_line
from ui.running_exports import EXPORTS
from ui.streamed import Streamed

# form → (end of its name, media type)
FORMS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"csv": ("csv", "text/csv; charset=utf-8"), "json": ("jsonl", "application/jsonl")}
)
_NUMBERS = ("to", "phoneNumberId")


def letter_file(runtime: Runtime, identity: Identity, wanted: LetterFilter, form: str) -> Streamed:
    """All that match, newest first. That they were taken out is on record before the first line."""
    with runtime.unit(identity, write=True) as unit:
        as_of_now = begin_export(unit, wanted, form=form)
        total, actor_id = count_letters(unit, as_of_now), unit.actor.id
    ending, kind = FORMS[form]
    name = f"dead-letters-{runtime.clock.now():%Y-%m-%d}.{ending}"
    return Streamed(
        _lines(EXPORTS.noted(actor_id, total, exported(runtime, identity, as_of_now)), form),
        media_type=kind,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _lines(pages: Iterator[Sequence[LetterRow]], form: str) -> Generator[str, None, None]:
    if form == "json":
        for rows in pages:
            yield "".join(json.dumps(letter_json(row), ensure_ascii=False) + "\n" for row in rows)
        return
    yield csv_line(LETTER_KEYS)
    for rows in pages:
        yield "".join(_csv(letter_json(row)) for row in rows)


def _csv(line: dict[str, Any]) -> str:
    return csv_line(_cell(name, line[name]) for name in LETTER_KEYS)


def _cell(name: str, value: Any) -> str | int | None:
    """Numbers of phones are digits, so that no spreadsheet adds them up or takes them for a formula."""
    if name in _NUMBERS and isinstance(value, str):
        return value.removeprefix("+")
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if value is None or isinstance(value, int) else str(value)


LETTER_KEYS = (
    *("id", "messageId", "round", "state", "errorCode", "title", "advice", "class", "fingerprint", "to"),
    *("phoneNumberId", "templateName", "attempts", "mayDuplicate", "deadAt", "assigneeId"),
)
