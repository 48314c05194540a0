"""One dead letter in full: what happened, what it means, what to do."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal
from urllib.parse import urlencode

from nicegui import ui

from core.dead_letters.detail import LetterDetail, letter_detail
from core.errors import DomainError
from core.phones.queries import PhoneChoice
from data.enums import LetterState, MessageKind
from ui.act import show
from ui.format import plural
from ui.page import PageContext
from ui.pages import dead_letter_story
from ui.pages.dead_letter_actions import LetterActions
from ui.pages.dead_letter_bulk import Bulk
from ui.pages.dead_letter_groups import code_word
from ui.parts.badge import ERROR, LETTER, badge
from ui.parts.button import button, link
from ui.parts.callout import callout
from ui.parts.copy import copy_button
from ui.parts.drawer import Drawer, section
from ui.parts.facts import Value, facts
from ui.parts.field import text_field
from ui.parts.json_view import json_view
from ui.parts.table import Table
from ui.parts.text import box, text
from ui.parts.timeline import timeline
from ui.parts.toast import toast

FOCUSED_ROW = "document.activeElement?.closest('tr')?.querySelector('[data-row]')?.dataset.row ?? ''"


class LetterDrawer:
    """``people``: user id → name of those who can look after one. ``changed()`` is awaited after something
    was done, to bring the list up to date. With ``many`` the keys act on what is selected, while no letter is
    open."""

    def __init__(
        self,
        page: PageContext,
        table: Table,
        phones: dict[str, PhoneChoice],
        people: Mapping[str, str],
        *,
        changed: Callable[[], Awaitable[None]],
        many: Bulk | None = None,
    ) -> None:
        self._page = page
        self._many = many
        self._phones = phones
        self._people = people
        self._list_changed = changed
        self._shown: LetterDetail | None = None
        self._fresh: LetterDetail | None = None
        self._note: ui.input | ui.textarea | None = None
        self._drawer: Drawer = Drawer(
            page,
            self._fill,
            name="id",
            label="Dead letter",
            step=lambda direction: table.step(self._drawer.open_id, direction),
            on_change=table.mark_open,
        )
        self._actions = LetterActions(page, phones, self._changed)
        self._actions.listen()
        page.hotkey("r", "Redrive the dead letter, or those selected", self._redrive_key)
        page.hotkey("e", "Edit and redrive the dead letter", lambda: self._with_current(self._edit))
        if page.can("dead_letters.annotate"):
            page.hotkey("a", "Assign the dead letter, or those selected", self._assign_key)
        page.hotkey("d", "Discard the dead letter, or those selected", self._discard_key)

    async def open(self, letter_id: str) -> None:
        await self._drawer.open(letter_id)

    async def restore(self) -> None:
        """Opens what the address names. A letter that is not there is said, and the list stays."""
        try:
            await self._drawer.restore()
        except DomainError as refusal:
            self._page.amend(id=None)
            show(refusal)

    async def refresh(self) -> None:
        """What is open is drawn anew when it has changed, and nobody is writing in it."""
        letter_id = self._drawer.open_id
        if not letter_id or (self._note is not None and self._note.value):
            return
        fresh = await self._page.read(lambda unit: letter_detail(unit, letter_id))
        if fresh == self._shown or letter_id != self._drawer.open_id or self._drawer.is_drawing:
            return
        self._fresh = fresh  # so that drawing it waits for nothing, and nobody can close it meanwhile
        await self._drawer.redraw()

    async def _changed(self, letter_id: str) -> None:
        if self._drawer.open_id == letter_id:
            await self._drawer.open(letter_id)
        await self._list_changed()

    async def _redrive_key(self) -> None:
        if self._many is not None and self._many.has_selection and not self._drawer.open_id:
            await self._many.redrive()
        else:
            await self._with_current(self._redrive)

    async def _assign_key(self) -> None:
        if self._many is not None and self._many.has_selection and not self._drawer.open_id:
            await self._many.assign()
        else:
            await self._with_current(self._assign)

    async def _discard_key(self) -> None:
        if self._many is not None and self._many.has_selection and not self._drawer.open_id:
            await self._many.discard()
        else:
            await self._with_current(self._discard)

    async def _with_current(self, run: Callable[[LetterDetail], Awaitable[None]]) -> None:
        """For the keys: the letter in the drawer, or the row that has the focus."""
        letter_id = self._drawer.open_id or await self._page.client.run_javascript(FOCUSED_ROW)
        if not letter_id:
            toast("Go to a dead letter first, with j and k.")
            return
        await run(await self._page.read(lambda unit: letter_detail(unit, str(letter_id))))

    async def _redrive(self, detail: LetterDetail) -> None:
        await self._actions.redrive(detail.row)

    async def _assign(self, detail: LetterDetail) -> None:
        await self._actions.assign(detail.row, self._people)

    async def _edit(self, detail: LetterDetail) -> None:
        await self._actions.edit(detail)

    async def _discard(self, detail: LetterDetail) -> None:
        await self._actions.discard(detail.row)

    async def _fill(self, letter_id: str) -> None:
        detail, self._fresh = self._fresh, None
        if detail is None:
            detail = await self._page.read(lambda unit: letter_detail(unit, letter_id))
        self._shown, self._note = detail, None
        phone = self._phones.get(detail.row.phone_number_id)
        with self._drawer.head(detail.row.to_pretty, f"From {phone.verified_name}" if phone else ""):
            pass
        with self._drawer.body():
            self._draw_cause(detail)
            self._draw_attempts(detail)
            self._draw_message(detail, phone)
            self._draw_payload(detail)
            self._draw_actions(detail)
        with self._drawer.foot():
            self._draw_buttons(detail)

    def _draw_cause(self, detail: LetterDetail) -> None:
        row = detail.row
        with box("badges"):
            badge(LETTER[row.state])
            badge(ERROR[row.klass])
            if detail.assignee_name:
                badge((f"With {detail.assignee_name}", "grey"))
        tone: Literal["red", "blue"] = "red" if row.state is LetterState.OPEN else "blue"
        with callout(f"{row.title} ({code_word(row.error_code)})", row.meaning, advice=row.advice, tone=tone):
            if row.error_detail and row.error_detail != row.meaning:
                text(f"Detail: {row.error_detail}", "detail", tag="p")
        others = detail.same_error_open - (row.state is LetterState.OPEN)
        if others > 0:
            with text("", "quiet", tag="p"):
                link(
                    f"{plural(others, 'other open letter')} with this error",
                    f"/dead-letters?{urlencode({'group': row.fingerprint})}",
                )
        if row.may_duplicate and row.state is LetterState.OPEN:
            callout(
                "It may have arrived already",
                "Nobody knows whether Meta took one of its attempts. Sent again, it may arrive twice.",
                tone="amber",
            )

    def _draw_attempts(self, detail: LetterDetail) -> None:
        with section("Attempts"):
            if not detail.attempts:
                text("It was never sent.", "quiet", tag="p")
            timeline(self._page, dead_letter_story.attempts(detail))

    def _draw_message(self, detail: LetterDetail, phone: PhoneChoice | None) -> None:
        row = detail.row
        sender = f"{phone.display_number} · {phone.verified_name}" if phone else row.phone_number_id
        template = " · ".join(part for part in (row.template_name, detail.template_language) if part)
        lines: list[tuple[str, Value]] = [
            ("Template", template) if detail.kind is MessageKind.TEMPLATE else ("Kind", "Text"),
            ("From", sender),
            ("Created", detail.created_at),
            ("Died", row.dead_at),
        ]
        if row.closed_at is not None:
            lines.append(("Closed", row.closed_at))
        if row.closed_reason and row.closed_reason not in {action.text for action in detail.actions}:
            lines.append(("Reason", row.closed_reason))
        with section("Message"), facts(self._page, lines):
            text("Message", tag="dt")
            with box("mono", tag="dd"):
                link(row.message_id, f"/messages/{row.message_id}")
            text("Letter", tag="dt")
            text(row.id, "mono", tag="dd")
            if self._page.can("contacts.view"):
                text("Contact", tag="dt")
                with box(tag="dd"):
                    link("Open the conversation", f"/contacts/{detail.contact_id}")

    def _draw_payload(self, detail: LetterDetail) -> None:
        if detail.payload is not None:
            json_view(detail.payload)
            curl = dead_letter_story.as_curl(detail, self._page.runtime.settings)
            with box("rowline"):
                copy_button(curl, label="Copy as curl", words="Copy as curl")
                text("Without the token: the shell has it as WHATSAPP_TOKEN.", "quiet")
            return
        with section("Payload"):
            text("Hidden for your role.", "quiet", tag="p")

    def _draw_actions(self, detail: LetterDetail) -> None:
        if detail.actions:
            with section("Actions and notes"):
                timeline(self._page, dead_letter_story.actions(detail))
            for action in detail.actions:
                if action.payload_before is not None:
                    json_view(action.payload_before, title="Payload before it was edited")
        if not self._page.can("dead_letters.annotate"):
            return
        with box("addnote"):
            note = self._note = text_field("Add a note", lines=2, placeholder="What you found out")

            async def add() -> None:
                written = (note.value or "").strip()
                if written:
                    note.set_value("")
                    if not await self._actions.note(detail.row.id, written):
                        note.set_value(written)

            with box("rowline"):
                button("Add note", add, icon="plus", small=True)
                button("Assign", lambda: self._assign(detail), icon="user-plus", small=True)

    def _draw_buttons(self, detail: LetterDetail) -> None:
        row = detail.row
        if row.can_redrive and row.fails_again:
            text(row.fails_again, "why", tag="p")
        if row.can_redrive:
            button(
                "Redrive",
                lambda: self._actions.redrive(row),
                icon="rotate-cw",
                kind="" if row.fails_again else "pri",
            )
        if row.can_edit and detail.payload is not None:
            button("Edit and redrive", lambda: self._actions.edit(detail), icon="pencil")
        if row.can_discard:
            button("Discard", lambda: self._actions.discard(row), icon="trash-2", kind="danger")
        if row.can_restore:
            text("Discarded letters can be restored for 7 days.", "why", tag="p")
            button("Restore", lambda: self._actions.restore(row.id), icon="undo-2")
