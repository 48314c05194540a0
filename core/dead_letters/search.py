"""What people type into the search field: ids, wamids, numbers, or words."""

from enum import StrEnum
from typing import Any

from sqlalchemy import Select, column, func, literal, literal_column, table
from sqlalchemy import select as select_columns
from sqlmodel import col

from core.unit import Unit
from data.letters import LetterText
from data.messages import DeadLetter
from data.words import words

_INDEX: Any = table("letter_word", column("rowid"), column("letter_word"))
_NUMBER_MIN = 7


class Find(StrEnum):
    """How a search is understood."""

    ID = "id"
    WAMID = "wamid"
    NUMBER = "number"
    WORDS = "words"


def read_search(q: str) -> tuple[Find, str]:
    """How ``q`` is understood, and what to look for. *"+49 151 123" → a number; "meta_131026" → words.*"""
    text = q.strip()
    if text.startswith(("dl_", "msg_")):
        return Find.ID, text
    if text.startswith("wamid."):
        return Find.WAMID, text
    digits = "".join(character for character in text if character.isdigit() and character.isascii())
    if len(digits) >= _NUMBER_MIN and not any(character.isalpha() for character in text):
        return Find.NUMBER, f"+{digits}"
    return Find.WORDS, text


def is_by_words(q: str) -> bool:
    return read_search(q)[0] is Find.WORDS


def by_words(unit: Unit, q: str) -> Select[Any]:
    """The ids of letters of this workspace that have all the words, each or the beginning of it, in no order.
    Who may not see texts searches in errors only."""
    wanted = words(q)
    sees_texts = unit.actor.can("contacts.reveal")
    found = (
        select_columns(col(DeadLetter.id))
        .join(LetterText, col(LetterText.letter_id) == col(DeadLetter.id))
        .where(col(LetterText.workspace_id) == unit.workspace_id)
    )
    if _on_sqlite(unit):
        found = found.join(_INDEX, _INDEX.c.rowid == col(LetterText.number))
    if not wanted:
        return found.where(literal(value=False))
    if _on_sqlite(unit):
        return found.where(
            _INDEX.c.letter_word.op("MATCH")(_match(unit.workspace_id, wanted, sees_texts=sees_texts))
        )
    return found.where(*(_has(word, sees_texts=sees_texts) for word in wanted))


def number_of(unit: Unit) -> Any:
    """The column by which what ``by_words`` finds is put in order of time: SQLite's index has it at hand."""
    return _INDEX.c.rowid if _on_sqlite(unit) else col(LetterText.number)


def _on_sqlite(unit: Unit) -> bool:
    return unit.session.get_bind().dialect.name == "sqlite"


def _match(workspace_id: str, wanted: list[str], *, sees_texts: bool) -> str:
    """In FTS5's language. The workspace is a word of each letter too: what is common elsewhere costs
    nothing here."""
    where = "{error_words payload_words}" if sees_texts else "error_words"
    found = " AND ".join(f'{where} : "{word}"*' for word in wanted)
    return f'workspace_id : "{workspace_id}" AND {found}'


def _has(word: str, *, sees_texts: bool) -> Any:
    begins = func.to_tsquery(literal_column("'simple'"), f"'{word}':*")
    in_error = _lexemes(LetterText.error_words).op("@@")(begins)
    if not sees_texts:
        return in_error
    return in_error | _lexemes(LetterText.payload_words).op("@@")(begins)


def _lexemes(column_of: Any) -> Any:
    return func.array_to_tsvector(func.string_to_array(col(column_of), literal_column("' '")))
