"""The workspace itself: name, time zone, plan, and whether everybody needs a second factor."""

from zoneinfo import available_timezones

from core.team.workspace import WorkspaceView, change_workspace, require_second_factor, workspace_view
from ui.page import PageContext
from ui.parts.badge import badge
from ui.parts.button import button
from ui.parts.callout import callout
from ui.parts.card import card, heading
from ui.parts.confirm import confirm
from ui.parts.facts import facts
from ui.parts.field import choice_field, text_field
from ui.parts.region import Region
from ui.parts.text import box, text


async def build(page: PageContext) -> None:
    await _Settings(page).build()


class _Settings:
    def __init__(self, page: PageContext) -> None:
        self._page = page

    async def build(self) -> None:
        page = self._page
        view = await page.read(workspace_view)
        with heading(page, "What the workspace is called, when its days begin, and how people sign in."):
            pass
        if not page.can("workspace.edit"):
            callout(
                "You see the settings and cannot change them", "An owner of the workspace can.", tone="blue"
            )
        with box("columns"):
            with box("stack"), card("padded", label="Workspace"):
                text("Workspace", tag="h2")
                self._draw_form(view)
            with box("stack"):
                self._plan = Region(self._draw_plan)
                self._factor = Region(self._draw_factor)
        self._show(view)

    def _show(self, view: WorkspaceView) -> None:
        self._plan.show(view)
        self._factor.show(view)

    def _draw_form(self, view: WorkspaceView) -> None:
        zones = {zone: zone.replace("_", " ") for zone in sorted(available_timezones())}
        self._name = text_field("Name", view.name)
        self._zone = choice_field(
            "Time zone",
            zones,
            view.pending_timezone or view.timezone,
            search=True,
            hint="Days and months begin by it. A new one counts from the next billing period on.",
        )
        may_edit = self._page.can("workspace.edit")
        self._name.set_enabled(may_edit)
        self._zone.set_enabled(may_edit)
        if may_edit:
            with box("rowline"):
                button("Save", self._save, kind="pri")

    async def _save(self) -> None:
        name, zone = self._name.value or "", self._zone.value
        view = await self._page.write(
            lambda unit: change_workspace(unit, name=name, timezone=zone), done="Saved"
        )
        if view is not None:
            self._name.value = view.name
            self._show(view)

    def _draw_plan(self, view: WorkspaceView) -> None:
        with card("padded", label="Plan"):
            text("Plan", tag="h2")
            lines: list[tuple[str, str | None]] = [
                ("Plan", view.plan.value.capitalize()),
                ("In commands", view.slug),
                ("Time zone", view.timezone),
            ]
            if view.pending_timezone and view.pending_timezone_from:
                begins = self._page.times.short(view.pending_timezone_from)
                lines.append(("Next zone", f"{view.pending_timezone}, from {begins} on"))
            facts(self._page, lines, mono=["In commands"])

    def _draw_factor(self, view: WorkspaceView) -> None:
        with card("padded", label="Second factor"):
            with box("rowline"):
                text("Second factor", tag="h2")
                badge(("Required", "green") if view.require_second_factor else ("By choice", "grey"))
            text(
                "Everybody gives a code of an authenticator beside the password."
                if view.require_second_factor
                else "Everybody decides for themselves whether a code is asked for beside the password.",
                tag="p",
            )
            if self._page.can("settings.manage"):
                with box("rowline"):
                    button(
                        "Leave it to each" if view.require_second_factor else "Require it of everybody",
                        lambda: self._require(required=not view.require_second_factor),
                    )

    async def _require(self, *, required: bool) -> None:
        if required and not await confirm(
            "Require a second factor of everybody?",
            "Whoever has none is signed out at once, and sets one up at the next sign-in.",
            yes="Require it",
        ):
            return
        done = "Everybody needs a second factor now" if required else "The second factor is by choice now"
        view = await self._page.write(lambda unit: require_second_factor(unit, required=required), done=done)
        if view is not None:
            self._show(view)
