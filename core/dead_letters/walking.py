"""How bulk work comes to the letters it is about: each once, in order, from where it was (Q10)."""

from collections.abc import Sequence

from sqlalchemy import select as select_columns
from sqlalchemy import text
from sqlmodel import col, select

from core.dead_letters.filters import LetterFilter, read_filter
from core.dead_letters.lists import LetterSort, Place, find_letters, matching_ids, place_of
from core.errors import Impossible
from core.unit import Unit
from data.letters import BulkLetter, BulkWork
from data.messages import DeadLetter

# Of a list each letter is a row; who wants more narrows by anything but words.
LIST_MAX = 100_000

_LIST = text(
    "INSERT INTO bulk_letter (bulk_id, position, letter_id) VALUES (:bulk_id, :position, :letter_id)"
)


def freeze(unit: Unit, work: BulkWork, wanted: LetterFilter, letter_ids: Sequence[str] | None) -> None:
    """The work is about these letters, or about what matches now and nothing that comes later. Impossible for
    words that match more than ``LIST_MAX``."""
    if letter_ids is None and wanted.is_by_words:
        letter_ids = list(unit.session.scalars(matching_ids(unit, wanted).limit(LIST_MAX + 1)))
        if len(letter_ids) > LIST_MAX:
            raise Impossible(
                f"These words match more than {LIST_MAX:,} letters. Narrow them by code, phone or time.",
                code="too_many_matches",
            )
        letter_ids.sort()
    if letter_ids is not None:
        work.is_listed = True
        work.total = len(letter_ids)
        unit.session.add(work)
        unit.session.flush()
        rows = [
            {"bulk_id": work.id, "position": position, "letter_id": letter_id}
            for position, letter_id in enumerate(letter_ids, 1)
        ]
        if rows:
            unit.session.connection().execute(_LIST, rows)
        return
    newest = find_letters(unit, wanted, sort=LetterSort.NEWEST, limit=1)
    if newest:
        work.until_at, work.until_id = newest[0].dead_at, newest[0].id


def next_letters(unit: Unit, work: BulkWork, *, limit: int) -> list[DeadLetter]:
    """The letters after its place, not locked. Of a list also those that are not what they were."""
    if work.is_listed:
        wanted = (
            select_columns(col(BulkLetter.letter_id))
            .where(col(BulkLetter.bulk_id) == work.id, col(BulkLetter.position) > work.position)
            .order_by(col(BulkLetter.position))
            .limit(limit)
        )
        ids = list(unit.session.scalars(wanted))
        found = unit.session.exec(select(DeadLetter).where(col(DeadLetter.id).in_(ids)))
        letters = {letter.id: letter for letter in found if letter.workspace_id == unit.workspace_id}
        return [letters[letter_id] for letter_id in ids if letter_id in letters]
    if work.until_at is None or work.until_id is None:
        return []
    place = None
    if work.place_at is not None and work.place_id is not None:
        place = Place(0, work.place_at, work.place_id)
    until = Place(0, work.until_at, work.until_id)
    return find_letters(
        unit, read_filter(work.wanted), sort=LetterSort.OLDEST, after=place, up_to=until, limit=limit
    )


def go_on_after(unit: Unit, work: BulkWork, passed: Sequence[DeadLetter]) -> None:
    """Its place is after these, which were the next."""
    if not passed:
        return
    if work.is_listed:
        last = select_columns(col(BulkLetter.position)).where(
            col(BulkLetter.bulk_id) == work.id,
            col(BulkLetter.position) > work.position,
            col(BulkLetter.letter_id) == passed[-1].id,
        )
        work.position = unit.session.scalars(last.order_by(col(BulkLetter.position))).first() or work.total
        return
    place = place_of(passed[-1])
    work.place_at, work.place_id = place.dead_at, place.letter_id
