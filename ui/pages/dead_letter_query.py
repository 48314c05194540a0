"""What the address of the dead letters asks for, in its own words, and those words for a saved view."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from core.dead_letters.filters import LetterFilter, filter_json, frozen
from core.dead_letters.lists import LetterSort
from core.ports.meta_errors import ErrorClass
from core.unit import Actor
from data.enums import LetterState
from ui.api.letter_filters import filter_words

RANGES = {"24h": "24 h", "7d": "7 days", "30d": "30 days", "all": "All time"}
HOURS = {"24h": 24, "7d": 168, "30d": 720}
SORTS = {
    LetterSort.NEWEST: "Newest first",
    LetterSort.OLDEST: "Oldest first",
    LetterSort.MOST_ATTEMPTS: "Most attempts first",
    LetterSort.FEWEST_ATTEMPTS: "Fewest attempts first",
}
ME = "me"
ATTEMPTS_MAX = 1000
# What narrows the list: a word of the address → a field of the filter. In the order of the chips.
FILTERS = {
    "group": "fingerprint",
    "code": "error_code",
    "class": "klass",
    "phone": "phone_number_id",
    "template": "template_name",
    "attempts": "attempts",
    "assignee": "assignee_id",
    "range": "last_hours",
    "from": "since",
    "until": "until",
    "to": "to",
    "bulk": "bulk_id",
    "q": "q",
}


class LetterQuery:
    """Reads the address's parameters, ``query``, as they are at the moment of asking. What cannot be read
    narrows nothing."""

    def __init__(self, query: Mapping[str, str], actor: Actor) -> None:
        self._query = query
        self._actor = actor

    def __getitem__(self, name: str) -> str:
        """The parameter, empty where the address has none."""
        return self._query.get(name, "")

    @property
    def state(self) -> LetterState:
        wanted = self["state"]
        return LetterState(wanted) if wanted in list(LetterState) else LetterState.OPEN

    @property
    def sort(self) -> LetterSort:
        """Words that are searched for are listed by date alone."""
        wanted = self["sort"]
        sort = LetterSort(wanted) if wanted in list(LetterSort) else LetterSort.NEWEST
        by_words = LetterFilter(q=self["q"] or None).is_by_words
        return LetterSort.NEWEST if by_words and sort.is_by_attempts else sort

    @property
    def range(self) -> str:
        return self["range"] if self["range"] in HOURS else "all"

    @property
    def klass(self) -> ErrorClass | None:
        return ErrorClass(self["class"]) if self["class"] in list(ErrorClass) else None

    @property
    def is_narrowed(self) -> bool:
        return any(self[name] for name in FILTERS)

    def wanted(self) -> LetterFilter:
        assignee = self["assignee"]
        return LetterFilter(
            state=self.state,
            fingerprint=self["group"] or None,
            error_code=self["code"] or None,
            klass=self.klass,
            phone_number_id=self["phone"] or None,
            template_name=self["template"] or None,
            attempts=_count(self["attempts"]),
            assignee_id=(self._actor.user_id if assignee == ME else assignee) or None,
            last_hours=HOURS.get(self["range"]),
            since=_moment(self["from"]),
            until=_moment(self["until"]),
            to=self["to"] or None,
            bulk_id=self["bulk"] or None,
            q=self["q"] or None,
        )

    def of_all_causes(self) -> LetterFilter:
        """The same, of any cause."""
        return replace(self.wanted(), fingerprint=None)

    def as_api(self, *, now: datetime) -> dict[str, str]:
        """The same as parameters of the API."""
        words = filter_words(filter_json(frozen(self.wanted(), now=now)))
        return {name: str(value) for name, value in words.items()}


def address_of(wanted: LetterFilter, actor: Actor) -> dict[str, str | None]:
    """That filter as parameters of the address; None for each that it does not narrow by."""
    found: dict[str, str | None] = {}
    for name, field in FILTERS.items():
        value = getattr(wanted, field)
        if isinstance(value, datetime):
            value = value.isoformat()
        found[name] = None if value is None else str(value)
    found["range"] = next((key for key, hours in HOURS.items() if hours == wanted.last_hours), None)
    if wanted.assignee_id is not None and wanted.assignee_id == actor.user_id:
        found["assignee"] = ME
    found["state"] = wanted.state if wanted.state is not LetterState.OPEN else None
    return found


def _count(written: str) -> int | None:
    digits = written.isascii() and written.isdigit() and len(written) <= 4
    return int(written) if digits and int(written) <= ATTEMPTS_MAX else None


def _moment(written: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
