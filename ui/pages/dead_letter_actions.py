"""What a person does about one dead letter: with a button of its drawer, or a key."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from nicegui import ui

from core.dead_letters import commands
from core.dead_letters.detail import LetterDetail
from core.dead_letters.rows import LetterRow
from core.phones.queries import PhoneChoice
from ui.act import handler
from ui.page import PageContext
from ui.pages.redrive_form import edit_and_redrive
from ui.parts.confirm import ask_choice, ask_reason, confirm
from ui.parts.toast import toast
from ui.theme import quasar_icon

REDRIVEN = "Redriven: it is in the queue again, with a fresh set of attempts"
UNDO_FOR_MS = 9000


@dataclass(frozen=True, slots=True)
class LetterActions:
    """``changed(letter_id)`` is awaited after something was done."""

    page: PageContext
    phones: dict[str, PhoneChoice]
    changed: Callable[[str], Awaitable[None]]

    def listen(self) -> None:
        """The toasts of this page can undo."""
        ui.on("restore_letter", handler(lambda event: self.restore(str(event.args))))

    async def redrive(self, row: LetterRow) -> None:
        if not row.can_redrive:
            toast(_why_not(row))
            return
        if (row.fails_again or row.may_duplicate) and not await self._insists(row):
            return
        await self.page.write(lambda unit: commands.redrive(unit, row.id), done=REDRIVEN)
        await self.changed(row.id)

    async def edit(self, detail: LetterDetail) -> None:
        if not detail.row.can_edit or detail.payload is None:
            toast(_why_not(detail.row))
            return
        if await edit_and_redrive(self.page, detail, self.phones.get(detail.row.phone_number_id)):
            toast(REDRIVEN, "good")
            await self.changed(detail.row.id)

    async def discard(self, row: LetterRow) -> None:
        if not row.can_discard:
            toast(_why_not(row))
            return
        reason = await ask_reason(
            "Discard this dead letter?",
            f"The message to {row.to_pretty} is given up and not sent again. "
            "It can be restored within 7 days.",
            yes="Discard",
            is_danger=True,
        )
        if reason is None:
            return
        if await self.page.write(lambda unit: commands.discard(unit, row.id, reason=reason)) is not None:
            self._offer_undo(row.id)
        await self.changed(row.id)

    async def restore(self, letter_id: str) -> None:
        await self.page.write(
            lambda unit: commands.restore(unit, letter_id), done="Restored: the letter is open again"
        )
        await self.changed(letter_id)

    async def note(self, letter_id: str, note: str) -> bool:
        """Whether the note was kept."""
        written = await self.page.write(
            lambda unit: commands.annotate(unit, letter_id, note=note), done="Note added"
        )
        if written is not None:
            await self.changed(letter_id)
        return written is not None

    async def assign(self, row: LetterRow, people: Mapping[str, str]) -> None:
        """``people``: user id → name of those to choose from."""
        chosen = await ask_choice(
            "Who looks after this dead letter?",
            "It stands with that person's name on it.",
            label="Assignee",
            options=people,
            yes="Assign",
            value=row.assignee_id or self.page.actor.user_id,
        )
        if chosen is None:
            return
        done = f"It is with {people[chosen]} now"
        await self.page.write(lambda unit: commands.annotate(unit, row.id, assignee_id=chosen), done=done)
        await self.changed(row.id)

    async def _insists(self, row: LetterRow) -> bool:
        if row.may_duplicate:
            return await confirm(
                "Redrive although it may have arrived?",
                "Nobody knows whether Meta took an earlier attempt. If it did, the person gets this message "
                "a second time.",
                yes="Redrive anyway",
            )
        return await confirm("Redrive it as it is?", row.fails_again, yes="Redrive anyway")

    def _offer_undo(self, letter_id: str) -> None:
        """A toast with a way back. Its words are ours, and the id is one of ours."""
        options = {
            "message": "Discarded",
            "position": "bottom-right",
            "classes": "toast toast-good",
            "icon": quasar_icon("circle-check"),
            "timeout": UNDO_FOR_MS,
            "progress": False,
            "attrs": {"role": "alert"},
        }
        undo = f"emitEvent('restore_letter', {json.dumps(letter_id)})"
        self.page.client.run_javascript(
            f"Quasar.Notify.create({{...{json.dumps(options)}, actions: [{{label: 'Undo', noCaps: true, "
            f"color: 'white', handler: () => {undo}}}]}})"
        )


def _why_not(row: LetterRow) -> str:
    if row.can_redrive:
        return "Your role may not do that to a dead letter."
    return f"This letter is {row.state.value}, or your role may not change it."
