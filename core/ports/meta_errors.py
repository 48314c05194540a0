"""What a failure means and what to do about it: Meta's codes and our own, each of one class and scope."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from core.ports.meta_error_table import LOCAL_ROWS, META_RANGES, META_ROWS, Row


class ErrorClass(StrEnum):
    """What becomes of the message (Q5)."""

    RETRY = "retry"  # climbs the ladder
    WAIT = "wait"  # climbs it with the code's own minimum wait
    FIX = "fix"  # dead at once; may go once a person has changed something
    PERMANENT = "permanent"  # dead at once; the same message fails again
    RECIPIENT = "recipient"  # dead at once, and the contact is suppressed: see `suppresses`
    HOLD = "hold"  # the message waits, and so does everything in the scope


class Scope(StrEnum):
    """How far the cause reaches; for class hold, what is held."""

    MESSAGE = "message"
    CONTACT = "contact"  # one person
    PAIR = "pair"  # one of our numbers and one person
    TEMPLATE = "template"
    LANE = "lane"  # one of our numbers
    ACCOUNT = "account"  # one WhatsApp Business account, with all its numbers
    APP = "app"  # this installation


@dataclass(frozen=True, slots=True)
class Explanation:
    """One failure in words for a person and in terms for the queue."""

    code: str
    title: str
    meaning: str
    advice: str
    klass: ErrorClass
    scope: Scope
    min_wait_s: int = 0
    uses_rung: bool = True

    @property
    def can_pass(self) -> bool:
        """True when trying again by itself may help."""
        return self.klass in (ErrorClass.RETRY, ErrorClass.WAIT)

    @property
    def holds(self) -> bool:
        return self.klass is ErrorClass.HOLD


def explain(code: str) -> Explanation:
    """What a word of `code` means. Total: a word that Waypost does not know is explained as unknown.

    >>> explain("meta_131026").title
    'Cannot be delivered to this number'
    >>> explain("meta_250").klass, explain("http_503").klass, explain("meta_999999").klass
    (<ErrorClass.HOLD: 'hold'>, <ErrorClass.RETRY: 'retry'>, <ErrorClass.PERMANENT: 'permanent'>)
    """
    return _known(code) or _unknown(code)


def classify(meta_code: int | None, *, http_status: int, is_transient: bool) -> Explanation:
    """What Meta's answer means (Q5): its `error.code` decides, never the HTTP status alone.

    A code that is not in the table is `retry` if Meta calls it transient or the status is 500 or more, else
    permanent. `meta_code` None: the answer carried no error of Meta's, so its status is all there is.

    >>> classify(131026, http_status=500, is_transient=True).klass
    <ErrorClass.PERMANENT: 'permanent'>
    >>> classify(999999, http_status=503, is_transient=False).klass
    <ErrorClass.RETRY: 'retry'>
    >>> classify(None, http_status=503, is_transient=False).code
    'http_503'
    """
    if meta_code is None:
        return _without_code(http_status, is_transient=is_transient)
    word = f"meta_{meta_code}"
    if is_transient or http_status >= 500:
        return _known(word) or _passing_unknown(word)
    return explain(word)


def suppresses(code: str) -> Literal["all", "marketing"] | None:
    """Which messages to the contact stop after this failure; never None for a code of class recipient.

    >>> suppresses("meta_130403"), suppresses("meta_131050"), suppresses("meta_131026")
    ('all', 'marketing', None)
    """
    if explain(code).klass is not ErrorClass.RECIPIENT:
        return None
    return "marketing" if code == _OPTED_OUT_OF_MARKETING else "all"


def fingerprint(code: str, *, template: str | None, field: str | None = None, detail: str) -> str:
    """What groups dead letters (Q11): 16 hex digits, the same for failures with the same cause.

    The template counts; the field only where there is no template.

    >>> first = fingerprint("meta_132000", template="order", detail="expected 2, got 3")
    >>> first
    '4df83715d39adc5f'
    >>> first == fingerprint("meta_132000", template="order", detail="expected 4, got 1")
    True
    >>> first == fingerprint("meta_132000", template="invoice", detail="expected 2, got 3")
    False
    """
    subject = ["template", template] if template else ["field", field or ""]
    cause = json.dumps([code, *subject, normalise_detail(detail)])
    return hashlib.sha256(cause.encode("ascii")).hexdigest()[:16]


def normalise_detail(detail: str) -> str:
    """The detail in lower case, without what differs from message to message: quotes, urls, ids, numbers.

    >>> normalise_detail('Parameter "first name" of message wamid.HBgLNDkxNzA= is 12 too long')
    'parameter <text> of message <id> is <n> too long'
    >>> normalise_detail("+49 170 1234567 isn't in 2026-11-22, see https://example.com/a?b=1")
    "<n> isn't in <n>, see <url>"
    """
    for pattern, placeholder in _VARYING:
        detail = pattern.sub(placeholder, detail)
    return " ".join(detail.split()).lower()


def _known(code: str) -> Explanation | None:
    return TABLE.get(code) or _from_range(code) or _from_http(code)


def _from_range(code: str) -> Explanation | None:
    match = _META_WORD.fullmatch(code)
    if match is None:
        return None
    number = int(match[1])
    for codes, explanation in RANGES.items():
        if number in codes:
            return replace(explanation, code=code)
    return None


def _from_http(code: str) -> Explanation | None:
    match = _HTTP_WORD.fullmatch(code)
    if match is None:
        return None
    status = int(match[1])
    if status >= 500:
        return Explanation(
            code=code,
            title="Meta's server failed",
            meaning="The server failed without a reason, so nobody knows yet whether Meta took the message.",
            advice="Waypost tries again unless a status arrives. If it repeats, see Meta's status page.",
            klass=ErrorClass.RETRY,
            scope=Scope.MESSAGE,
        )
    if status in _PASSING_STATUSES:
        return Explanation(
            code=code,
            title="Asked to try again later",
            meaning="Meta's server, or a proxy before it, did not take the call now and gave no reason.",
            advice="Waypost tries again by itself. If it keeps failing, check any proxy between.",
            klass=ErrorClass.RETRY,
            scope=Scope.MESSAGE,
        )
    return Explanation(
        code=code,
        title="Refused without Meta's reason",
        meaning="The call was refused, and the answer does not carry an error of Meta's.",
        advice="Check the address of Meta's API in the settings and any proxy between, then redrive.",
        klass=ErrorClass.FIX,
        scope=Scope.MESSAGE,
    )


def _unknown(code: str) -> Explanation:
    return Explanation(
        code=code,
        title="Code not known",
        meaning="The send failed with a code that is not in Waypost's table.",
        advice="This code is not known to Waypost. Look it up in Meta's documentation before you redrive.",
        klass=ErrorClass.PERMANENT,
        scope=Scope.MESSAGE,
    )


def _passing_unknown(code: str) -> Explanation:
    return replace(
        _unknown(code),
        meaning="The send failed with a code that is not in Waypost's table; it looks like a passing fault.",
        advice="This code is not known to Waypost, which tries again. If it keeps failing, look the code up.",
        klass=ErrorClass.RETRY,
    )


def _without_code(http_status: int, *, is_transient: bool) -> Explanation:
    if not 300 <= http_status <= 599:
        return explain("bad_response")
    explanation = explain(f"http_{http_status}")
    if is_transient and not explanation.can_pass:
        return replace(explanation, klass=ErrorClass.RETRY)
    return explanation


def _explained(row: Row) -> Explanation:
    return Explanation(
        code=row.code,
        title=row.title,
        meaning=row.meaning,
        advice=row.advice,
        klass=ErrorClass(row.klass),
        scope=Scope(row.scope),
        min_wait_s=row.min_wait_s,
        uses_rung=row.uses_rung,
    )


_OPTED_OUT_OF_MARKETING = "meta_131050"
_PASSING_STATUSES = frozenset({408, 429})  # by definition of HTTP; Meta's own limits come with a code

# Nine digits are more than any code of Meta's has, and int() refuses thousands of them.
_META_WORD = re.compile(r"meta_([0-9]{1,9})")
_HTTP_WORD = re.compile(r"http_([1-5][0-9]{2})")

# In this order: an id may stand in quotes, a number in an id. A single quote inside a word is an apostrophe.
_VARYING: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r'"[^"]*"|“[^”]*”|„[^“”]*[“”]|«[^»]*»|`[^`]*`'), "<text>"),
    (re.compile(r"(?<!\w)'.*?'(?!\w)|‘.*?’(?!\w)", re.DOTALL), "<text>"),
    (re.compile(r"https?://\S+", re.IGNORECASE), "<url>"),
    (re.compile(r"\bwamid\.[\w+/=-]+", re.IGNORECASE), "<id>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{8,}\b", re.IGNORECASE), "<id>"),
    # Meta's user ids without a phone number: US.13491208655302741918, US.ENT.…
    (re.compile(r"\b[A-Z]{2}\.(?:ENT\.)?(?=[A-Za-z]*[0-9])[A-Za-z0-9]{8,128}\b"), "<id>"),
    # Random words, such as trace ids and our msg_…: 16 and more characters, a digit beside a letter.
    (re.compile(r"(?<![\w=-])(?=[\w=-]*(?:[A-Za-z][0-9]|[0-9][A-Za-z]))[\w=-]{16,}"), "<id>"),
    (re.compile(r"(?<![\w+-])[+-]?\d+(?:[\s.,:/()-]{1,3}\d+)*|\d+"), "<n>"),
)

# For lists and docs. A range is coded `meta_200-299` here; `explain` answers with the code it was asked for.
TABLE: Mapping[str, Explanation] = MappingProxyType(
    {row.code: _explained(row) for row in META_ROWS + LOCAL_ROWS}
)
RANGES: Mapping[range, Explanation] = MappingProxyType({codes: _explained(row) for codes, row in META_RANGES})
