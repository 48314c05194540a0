"""The words of a text, the same on every database and for every script."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

_ACCENTS = re.compile("[\u0300-\u036f]")
_WORD = re.compile(r"[^\W_]+")
# Scripts that put no space between words: each of their characters is a word.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
WORD_MAX = 64
WORDS_MAX = 2_000


def words(text: str) -> list[str]:
    """In order, without case and accents. *"Café, order_update #132000" → cafe, order, update, 132000.*"""
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text)).casefold()
    spaced = _UNSPACED.sub(lambda found: f" {found[0]} ", unicodedata.normalize("NFC", plain))
    return [word[:WORD_MAX] for word in _WORD.findall(spaced)[:WORDS_MAX]]


def index_text(*texts: str | None) -> str:
    """Each word once, in order, with a space between."""
    found = dict.fromkeys(word for text in texts if text for word in words(text))
    return " ".join(found)


def texts_in(value: Any) -> Iterator[str]:
    """Every text inside a JSON value, but for the recipient of a payload and the keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key != "to":
                yield from texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
