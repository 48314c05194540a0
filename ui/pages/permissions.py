"""Who may do what: every permission and every role, and why."""

from core.access import PERMISSIONS, Permission, a_role, granted
from core.errors import NotFound
from core.team.queries import MemberFilter, MemberRow, list_members, member_row
from core.team.reasons import why
from core.team.rules import Standing
from core.unit import Unit
from data.enums import Role
from ui.act import show
from ui.page import PageContext
from ui.parts.badge import badge
from ui.parts.callout import callout
from ui.parts.card import card, heading
from ui.parts.drawer import Drawer, section
from ui.parts.empty import empty
from ui.parts.facts import facts
from ui.parts.filters import filter_bar, search_field, select_field
from ui.parts.matrix import Matrix
from ui.parts.region import Region
from ui.parts.text import box, text

PEOPLE = 200
_STANDING = {
    Standing.INVITED: "Nothing of it until the invitation is accepted.",
    Standing.EXPIRED: "Nothing of it: the invitation has expired.",
    Standing.SUSPENDED: "Nothing of it while they are suspended.",
    Standing.REMOVED: "Nothing of it: they are no longer in the team.",
}


async def build(page: PageContext) -> None:
    await _Permissions(page).build()


class _Permissions:
    """``_member`` is the one whose column is marked; without one it is the reader's own."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._member: MemberRow | None = None

    async def build(self) -> None:
        page = self._page
        people = await page.read(self._people)
        with heading(page, "One table decides, for pages, for the API and for every key."):
            pass
        with card("tablecard permissions", label="Permissions by role"):
            with filter_bar():
                search_field(
                    "Search permissions",
                    page.query.get("q", ""),
                    self._search,
                    placeholder="Send, billing, dead_letters…",
                )
                select_field(
                    "What would this person be able to do",
                    {"": "What may … do?", **people},
                    page.query.get("member", ""),
                    self._choose,
                )
            self._about = Region(self._draw_about, "about-member", role="status")
            with box("scrolls", label="Permissions by role, to be scrolled", role="group") as scrolls:
                scrolls.props["tabindex"] = "0"
                self._matrix = Matrix(
                    label="Permissions by role", on_open=lambda cell: self._drawer.open(cell)
                )
            self._nothing = empty(
                "No permission matches", "Search for a word of its name, or for its key.", icon_name="search"
            )
        self._drawer = Drawer(page, self._fill, name="why", label="Why", on_change=self._matrix.mark_open)
        self._show_rows()
        try:
            await self._drawer.restore()
        except NotFound as refusal:
            page.amend(why=None)
            show(refusal)

    def _people(self, unit: Unit) -> dict[str, str]:
        """The first of the team, to choose from; and whoever the address names."""
        rows = list_members(unit, MemberFilter(), limit=PEOPLE).items
        wanted = self._page.query.get("member")
        if wanted:
            self._member = next((row for row in rows if row.id == wanted), None) or _find(unit, wanted)
        if self._member is not None and self._member not in rows:
            rows.append(self._member)
        return {row.id: row.name for row in rows if row.standing is not Standing.REMOVED}

    async def _choose(self, member_id: str) -> None:
        self._page.go(member=member_id)
        self._member = None
        if member_id:
            self._member = await self._page.read(lambda unit: member_row(unit, member_id))
        self._show_rows()

    def _draw_about(self, member: MemberRow | None) -> None:
        if member is None:
            return
        count = f"{len(granted(member.role))} of {len(PERMISSIONS)} permissions"
        text(
            f"{member.name} is {a_role(member.role)}: {count}. {_STANDING.get(member.standing, '')}", tag="p"
        )

    def _search(self, words: str) -> None:
        self._page.go(q=words)
        self._show_rows()

    def _show_rows(self) -> None:
        found = matching(self._page.query.get("q", ""))
        marked = self._member.role if self._member else self._page.actor.acting_role
        self._matrix.show(found, whole=len(PERMISSIONS), marked=marked)
        self._about.show(self._member)
        self._nothing.set_visibility(not found)

    async def _fill(self, cell: str) -> None:
        permission, role = _read(cell)
        reason = why(role, permission.key)
        with self._drawer.head(permission.title, f"{role.value.capitalize()} · {permission.category}"):
            pass
        with self._drawer.body():
            with box("badges"):
                badge(("Allowed", "green") if reason.is_granted else ("Denied", "red"))
            callout(
                "Why" if reason.is_granted else "Why not",
                reason.rule,
                advice=reason.limit or reason.remedy,
                tone="green" if reason.is_granted else "red",
            )
            facts(
                self._page,
                [("Permission", permission.key), ("Category", permission.category)],
                mono=["Permission"],
            )
            with section("By role"), box("facts roles", tag="dl"):
                for each in Role:
                    text(each.value.capitalize(), tag="dt")
                    with box(tag="dd"):
                        badge(("Allowed", "green") if each in permission.roles else ("Denied", "red"))


def matching(words: str) -> list[Permission]:
    """Those that have every word in their title, key or category."""
    wanted = words.lower().split()
    return [
        each
        for each in PERMISSIONS.values()
        if all(word in f"{each.title} {each.key} {each.category}".lower() for word in wanted)
    ]


def _find(unit: Unit, member_id: str) -> MemberRow | None:
    try:
        return member_row(unit, member_id)
    except NotFound:
        return None


def _read(cell: str) -> tuple[Permission, Role]:
    key, _, role = cell.partition(":")
    if key not in PERMISSIONS or role not in list(Role):
        raise NotFound("There is no such permission, or no such role.")
    return PERMISSIONS[key], Role(role)
