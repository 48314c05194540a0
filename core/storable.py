"""What others say, as every database keeps it: Meta's answers and webhooks are not trusted to be that."""

import math
import re
from typing import Any

MAX_DEPTH = 32
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(value: Any, *, depth: int = 0) -> Any:
    """``value`` as every database keeps it, and as it can be read again.

    NUL and half characters (lone surrogates) become U+FFFD, numbers beyond every range and what is nested
    deeper than ``MAX_DEPTH`` become None. *"a\\u0000b" → "a�b"; 1e999 → None.*
    """
    if isinstance(value, str):
        return UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict | list) and depth >= MAX_DEPTH:
        return None
    if isinstance(value, dict):
        return {storable(key): storable(inner, depth=depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [storable(inner, depth=depth + 1) for inner in value]
    return value
