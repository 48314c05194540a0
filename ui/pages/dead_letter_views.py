"""Saved views: what the list is narrowed to under a name, for oneself or for the team."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from nicegui import ui

from core.dead_letters import views
from core.dead_letters.views import NAME_MAX, ViewRow
from core.errors import DomainError
from ui.act import ask
from ui.page import PageContext
from ui.pages.dead_letter_query import LetterQuery, address_of
from ui.parts.button import button, icon_button, link_button
from ui.parts.confirm import Dialog
from ui.parts.field import choice_field, problem, text_field
from ui.parts.text import box, text
from ui.parts.toast import toast

TEAM = "team"


class Views:
    """``open_view(changes)`` is awaited with the address's parameters of the view that was chosen."""

    def __init__(
        self,
        page: PageContext,
        query: LetterQuery,
        open_view: Callable[[Mapping[str, str | None]], Awaitable[None]],
    ) -> None:
        self._page = page
        self._query = query
        self._open_view = open_view

    async def ask(self) -> None:
        """The dialog in which one is opened, saved or deleted."""
        known = await self._page.read(views.list_views)
        with Dialog("Views", "What the list is narrowed to, under a name.") as dialog:
            with box("dbody scrolls"):
                if known:
                    with box("views", tag="ul"):
                        for view in known:
                            self._draw_line(dialog, view)
                else:
                    text("None yet. Narrow the list, and save it here.", "quiet", tag="p")
                self._draw_form(dialog)
            with box("dfoot"):
                button("Close", lambda: dialog.close(None))
        chosen = await dialog.answer()
        if isinstance(chosen, ViewRow):
            await self._open_view(address_of(chosen.wanted, self._page.actor))

    def _draw_line(self, dialog: Dialog, view: ViewRow) -> None:
        with box("viewline", tag="li") as line:
            with box("name"):
                link_button(view.name, lambda: dialog.close(view))
                whose = f"Shared by {view.owner_name or 'an API key'}" if view.is_shared else "Only for you"
                text(whose, "quiet")
            if view.can_delete:
                icon_button("trash-2", f"Delete the view {view.name}", partial(self._delete, view, line))

    async def _delete(self, view: ViewRow, line: ui.element) -> None:
        done = f"The view “{view.name}” is gone"
        if await self._page.write(lambda unit: views.delete_view(unit, view.id), done=done) is not None:
            line.delete()

    def _draw_form(self, dialog: Dialog) -> None:
        with box("saveview", tag="section"):
            text("Save what is shown now", tag="h3")
            name = text_field("Name", limit=NAME_MAX)
            seen_by = None
            if self._page.can("dead_letters.annotate"):
                seen_by = choice_field("Who finds it", {"me": "Only me", TEAM: "Everyone in the team"}, "me")

            async def save() -> None:
                def command() -> None:
                    with self._page.runtime.unit(self._page.identity, write=True) as unit:
                        views.save_view(
                            unit,
                            name=name.value or "",
                            wanted=self._query.wanted(),
                            is_shared=seen_by is not None and seen_by.value == TEAM,
                        )

                try:
                    await ask(command)
                except DomainError as refusal:
                    problem(name, refusal.sentence)
                else:
                    toast("The view is saved", "good")
                    dialog.close(None)

            button("Save view", save, icon="plus", small=True)
