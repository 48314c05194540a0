"""What the list of dead letters is narrowed by: the fields above it, and the chips of what is in force."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from functools import partial

from core.dead_letters.filters import NOBODY
from core.dead_letters.groups import LetterGroup
from core.dead_letters.lists import LetterSort
from core.phones.queries import PhoneChoice
from core.ports.meta_errors import explain
from ui.page import PageContext
from ui.pages.dead_letter_groups import code_word
from ui.pages.dead_letter_query import FILTERS, ME, RANGES, SORTS, LetterQuery
from ui.parts.badge import ERROR
from ui.parts.button import button
from ui.parts.filters import Chips, Segment, filter_bar, search_field, select_field
from ui.parts.text import box

CLASSES = {klass.value: word for klass, (word, _) in ERROR.items()}
# Behind "More", because they are wanted less often.
MORE = ("phone", "template", "attempts", "assignee")


class LetterFilters:
    """``changed()`` is awaited after the address says something else. ``people``: user id → name."""

    def __init__(
        self,
        page: PageContext,
        query: LetterQuery,
        *,
        phones: Mapping[str, PhoneChoice],
        people: Mapping[str, str],
        tries: int,
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._page = page
        self._query = query
        self._changed = changed
        self._people = {ME: "With me", NOBODY: "With nobody"} | {
            user_id: f"With {name}" for user_id, name in people.items() if user_id != page.actor.user_id
        }
        self._phones = {phone_id: phone.verified_name for phone_id, phone in phones.items()}
        self._tries = tries
        self._titles: dict[str, str] = {}  # of causes, by fingerprint
        self._codes: dict[str, str] = {}
        self._templates: dict[str, str] = {}
        self._remember("code", query["code"])
        self._remember("template", query["template"])
        self._draw()

    def _draw(self) -> None:
        query = self._query
        with filter_bar():
            self._search = search_field(
                "Search dead letters",
                query["q"],
                lambda q: self.narrow(q=q),
                placeholder="Number, id, template, error",
            )
            self._fields = {"code": self._field("Error code", "code", self._codes, "All codes")}
            self._fields["class"] = self._field("Class", "class", CLASSES, "All classes")
            self._range = Segment(
                "Time range",
                RANGES,
                query.range,
                lambda key: self.narrow(range="" if key == "all" else key, **{"from": "", "until": ""}),
            )
            self._more = button("More", self._turn_more, icon="list-filter", small=True)
        with filter_bar() as self._second:
            self._second.classes("second")
            attempts = {str(n): f"{n} attempt{'' if n == 1 else 's'}" for n in range(1, self._tries + 1)}
            for label, name, known, everything in (
                ("Phone", "phone", self._phones, "All phones"),
                ("Template", "template", self._templates, "All templates"),
                ("Attempts", "attempts", attempts, "Any attempts"),
                ("Assignee", "assignee", self._people, "With anyone"),
            ):
                self._fields[name] = self._field(label, name, known, everything)
            self._order = select_field(
                "Order",
                {sort.value: words for sort, words in SORTS.items()},
                query.sort,
                lambda sort: self.sort_by(LetterSort(sort)),
            )
        self._show_more(any(query[name] for name in MORE))
        with box("chiprow"):
            self._chips = Chips(self.clear)

    def _field(self, label: str, name: str, known: Mapping[str, str], everything: str) -> "_Field":
        return _Field(label, everything, known, self._query[name], lambda value: self.narrow(**{name: value}))

    async def narrow(self, **changes: str) -> None:
        """Those filters are changed, and what shows them agrees with the address."""
        if all(self._query[name] == value for name, value in changes.items()):
            return
        self._page.go(**changes)
        await self._follow()

    async def open_view(self, changes: Mapping[str, str | None]) -> None:
        self._page.go(**changes)
        await self._follow()

    async def clear(self) -> None:
        await self.narrow(**dict.fromkeys(FILTERS, ""))

    async def sort_by(self, sort: LetterSort) -> None:
        wanted = "" if sort is LetterSort.NEWEST else sort.value
        if self._query["sort"] != wanted:
            self._page.go(sort=wanted)
            await self._follow()

    def learn(self, groups: Iterable[LetterGroup]) -> None:
        """The codes and templates that occur, to choose from."""
        for group in groups:
            self._titles[group.fingerprint] = group.title
            self._remember("code", group.error_code)
            for template in group.templates:
                self._remember("template", template or "")
        for name, known in (("code", self._codes), ("template", self._templates)):
            self._fields[name].offer(known)

    def _remember(self, name: str, value: str) -> None:
        if value and name == "code":
            self._codes[value] = f"{code_word(value)} · {explain(value).title}"
        elif value:
            self._templates[value] = value

    async def _follow(self) -> None:
        query = self._query
        self._search.set_value(query["q"])
        for name, field in self._fields.items():
            field.show(query[name])
        self._range.show(query.range)
        self._order.set_value(query.sort.value)
        await self._changed()

    def _turn_more(self) -> None:
        self._show_more(not self._second.visible)

    def _show_more(self, is_shown: bool) -> None:
        self._second.set_visibility(is_shown)
        self._more.props["aria-expanded"] = "true" if is_shown else "false"
        self._more.update()

    def show_chips(self) -> None:
        self._chips.show(
            {
                words: partial(self.narrow, **{name: ""})
                for name in FILTERS
                if self._query[name] and (words := self._words(name))
            }
        )

    def _words(self, name: str) -> str:
        """What the chip of that filter says; empty for what cannot be read."""
        value = self._query[name]
        read = getattr(self._query.wanted(), FILTERS[name])
        if read is None:
            return ""
        if isinstance(read, datetime):
            return f"Died {'since' if name == 'from' else 'before'} {self._page.times.exact(read)}"
        known: dict[str, str] = {
            "group": self._titles.get(value, "One error"),
            "code": self._codes.get(value, value),
            "class": CLASSES.get(value, ""),
            "phone": self._phones.get(value, value),
            "template": f"Template {value}",
            "attempts": f"{value} attempt{'' if value == '1' else 's'}",
            "assignee": self._people.get(value, "With someone who left"),
            "range": f"Last {RANGES.get(value, '')}",
            "to": f"To {value}",
            "bulk": "One bulk work",
            "q": f"“{value}”",
        }
        return known[name]


class _Field:
    """A select whose options grow as more is learnt. ``everything``: what no choice is called."""

    def __init__(
        self, label: str, everything: str, known: Mapping[str, str], value: str, on: Callable[[str], object]
    ) -> None:
        self._everything = everything
        self._known = dict(known)
        if value:
            self._known.setdefault(value, value)
        self._made = select_field(label, {"": everything, **self._known}, value, on)

    def show(self, value: str) -> None:
        if value and value not in self._known:
            self.offer({value: value})
        self._made.set_value(value)

    def offer(self, known: Mapping[str, str]) -> None:
        more = {**self._known, **known}
        if more != self._known:
            self._known = more
            self._made.set_options({"": self._everything, **more})
