"""Taking dead letters out: all that match, a page at a time, however many."""

from collections.abc import Iterator

from core.dead_letters.filters import LetterFilter, filter_json, frozen
from core.dead_letters.lists import LetterSort, Place, find_letters, place_of
from core.dead_letters.rows import LetterRow, row_of
from core.runtime import Runtime
from core.unit import Identity, Unit

BATCH = 500


def begin_export(unit: Unit, wanted: LetterFilter, *, form: str) -> LetterFilter:
    """That letters were taken out, and which, is in the audit log. Returns the filter as of this moment."""
    unit.require("dead_letters.export")
    as_of_now = frozen(wanted, now=unit.now)
    narrowed = filter_json(as_of_now)
    unit.record("dead_letters.exported", f"workspace:{unit.workspace_id}", after={"form": form, **narrowed})
    return as_of_now


def exported(runtime: Runtime, identity: Identity, wanted: LetterFilter) -> Iterator[list[LetterRow]]:
    """Newest first; what dies meanwhile is not in it. A unit a page: whoever is removed meanwhile gets no
    further, and memory holds one page."""
    after: Place | None = None
    while True:
        with runtime.unit(identity) as unit:
            unit.require("dead_letters.export")
            letters = find_letters(unit, wanted, sort=LetterSort.NEWEST, after=after, limit=BATCH)
            rows = [row_of(unit, letter) for letter in letters]
        if rows:
            yield rows
        if len(letters) < BATCH:
            return
        after = place_of(letters[-1])
