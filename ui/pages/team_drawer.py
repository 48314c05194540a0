"""One member: what they are, and what may be done about them. What may not is there too, and says why."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from core.access import a_role
from core.team import invitations, members
from core.team.queries import MemberRow, member_row
from core.team.reasons import Difference, difference
from core.team.rules import Act, Standing
from data.enums import Role
from ui.format import plural
from ui.page import PageContext
from ui.pages.team_words import ACTS, ROLE, STANDING
from ui.parts.badge import badge
from ui.parts.button import button, link
from ui.parts.confirm import confirm
from ui.parts.drawer import Drawer, section
from ui.parts.facts import Value, facts
from ui.parts.field import choice_field
from ui.parts.table import Table
from ui.parts.text import box, text

LABELS = {
    Act.SUSPEND: ("Suspend", "ban", "danger"),
    Act.REINSTATE: ("Reinstate", "rotate-ccw", ""),
    Act.REMOVE: ("Remove", "trash-2", "danger"),
    Act.RESEND: ("Resend", "send", ""),
    Act.REVOKE: ("Revoke invitation", "x", "danger"),
}


class MemberDrawer:
    """``changed()`` is awaited after something was done, to bring the list up to date."""

    def __init__(self, page: PageContext, table: Table, *, changed: Callable[[], Awaitable[None]]) -> None:
        self._page = page
        self._changed = changed
        self._shown: MemberRow | None = None
        self.drawer: Drawer = Drawer(
            page,
            self._fill,
            name="member",
            label="Member",
            step=lambda direction: table.step(self.drawer.open_id, direction),
            on_change=table.mark_open,
        )

    async def refresh(self) -> None:
        """What is open is drawn anew when it has changed."""
        member_id = self.drawer.open_id
        if member_id and not self.drawer.is_drawing:
            fresh = await self._page.read(lambda unit: member_row(unit, member_id))
            if fresh != self._shown and self.drawer.open_id == member_id:
                await self.drawer.redraw()

    async def _fill(self, member_id: str) -> None:
        row = self._shown = await self._page.read(lambda unit: member_row(unit, member_id))
        with self.drawer.head(row.name, row.email):
            pass
        with self.drawer.body():
            with box("badges"):
                badge(STANDING[row.standing])
                if row.is_self:
                    badge(("You", "grey"))
            self._draw_role(row)
            facts(self._page, _facts(row), mono=["Id"])
            self._draw_links(row)
        with self.drawer.foot():
            self._draw_acts(row)

    def _draw_role(self, row: MemberRow) -> None:
        if not row.roles:
            with box("field"):
                text("Role", "label")
                text(ROLE[row.role])
                text(row.refused.get(Act.CHANGE_ROLE, ""), "quiet", tag="p")
            return
        options = {role: ROLE[role] for role in Role if role is row.role or role in row.roles}
        chosen = choice_field("Role", options, row.role)
        chosen.on_value_change(lambda event: self._choose_role(row, chosen, event.value))

    async def _choose_role(self, row: MemberRow, chosen: ui.select, role: Role) -> None:
        if role is row.role:
            return
        changed: MemberRow | None = None
        if await _confirm_role(row, role):
            changed = await self._page.write(
                lambda unit: members.change_role(unit, row.id, role=role),
                done=f"{row.name} is {a_role(role)} now",
            )
        if changed is not None:
            await self._refresh_both()
        elif not chosen.is_deleted:
            chosen.value = row.role

    def _draw_links(self, row: MemberRow) -> None:
        with section("More about them"), box("links"):
            link("What they may do", f"/permissions?member={row.id}")
            if self._page.can("audit.view"):
                link("What they did", f"/audit?actor={row.user_id}")

    def _draw_acts(self, row: MemberRow) -> None:
        acts = ACTS[row.standing]
        for sentence in dict.fromkeys(row.refused[act] for act in acts if act in row.refused):
            text(sentence, "why", tag="p")
        for act in acts:
            label, icon, kind = LABELS[act]
            made = button(label, lambda act=act: self._do(act, row), icon=icon, kind=kind)  # type: ignore[arg-type]
            made.set_enabled(row.may(act))
            made.props["title"] = row.refused.get(act)

    async def _do(self, act: Act, row: MemberRow) -> None:
        page, who = self._page, row.name
        if act in _SURE and not await confirm(
            _SURE[act][0].format(who=who), _SURE[act][1], yes=LABELS[act][0], is_danger=True
        ):
            return
        done = await page.write(lambda unit: _DO[act](unit, row.id), done=_DONE[act].format(who=who))
        if done is not None:
            await self._refresh_both()

    async def _refresh_both(self) -> None:
        await self._changed()
        await self.drawer.redraw()


_DO: dict[Act, Callable[..., object]] = {
    Act.SUSPEND: members.suspend,
    Act.REINSTATE: members.reinstate,
    Act.REMOVE: members.remove,
    Act.RESEND: invitations.resend,
    Act.REVOKE: invitations.revoke,
}
_DONE = {
    Act.SUSPEND: "{who} is suspended",
    Act.REINSTATE: "{who} may sign in again",
    Act.REMOVE: "{who} is no longer in the team",
    Act.RESEND: "A new invitation is on its way to {who}",
    Act.REVOKE: "The invitation of {who} is revoked",
}
# Before these one is asked: the question, and what comes of it.
_SURE = {
    Act.SUSPEND: (
        "Suspend {who}?",
        "They are signed out at once and cannot come back until they are reinstated. Their API keys do "
        "nothing meanwhile.",
    ),
    Act.REMOVE: (
        "Remove {who}?",
        "They are signed out at once, and their API keys in this workspace stop working for good. What they "
        "did stays in the audit log. They can be invited again.",
    ),
    Act.REVOKE: ("Revoke the invitation of {who}?", "The link in the mail stops working at once."),
}


async def _confirm_role(row: MemberRow, role: Role) -> bool:
    found = difference(row.role, role)
    return await confirm(
        f"Make {row.name} {a_role(role)}?",
        f"{ROLE[row.role]} becomes {ROLE[role].lower()}, from their next click on.",
        yes=f"Make {a_role(role)}",
        is_danger=bool(found.lost),
        body=lambda: _draw_difference(found),
    )


def _draw_difference(found: Difference) -> None:
    for title, permissions, sign in (("Gains", found.gained, "ins"), ("Loses", found.lost, "del")):
        with box("change"):
            count = plural(len(permissions), "permission") if permissions else "nothing"
            text(f"{title} {count}", tag="h3")
            if permissions:
                with box("diff", label=title, role="group") as shown:
                    shown.props["tabindex"] = "0"
                    for each in permissions:
                        text(each.title, tag=sign)


def _facts(row: MemberRow) -> list[tuple[str, Value]]:
    lines: list[tuple[str, Value]] = [("E-mail", row.email)]
    if row.standing in (Standing.INVITED, Standing.EXPIRED):
        lines += [("Invited", row.invited_at), ("Good until", row.invited_until)]
    else:
        lines += [("Joined", row.joined_at), ("Last seen", row.last_seen_at)]
    return [*lines, ("Second factor", "On" if row.has_second_factor else "Off"), ("Id", row.id)]
