"""Pausing the queue, one template, and for who runs the platform everything; and resuming the queue."""

from collections.abc import Callable
from typing import Any

from core import access
from core.lanes import commands
from core.lanes.queries import pausable_templates, workspaces_in_all
from core.messaging.queries import QueueStatus
from ui.format import number, plural
from ui.page import PageContext
from ui.pages.pausing import ask_pause
from ui.pages.queue_lanes import ASK_FROM
from ui.pages.queue_words import going
from ui.parts.button import button
from ui.parts.confirm import confirm
from ui.parts.toast import toast

MEANWHILE = "What is on the wire finishes; waiting uses up no retry."


class Pausing:
    """The buttons of the page's head, for what the person may do. ``changed()`` is awaited afterwards."""

    def __init__(self, page: PageContext, *, changed: Callable[[], Any]) -> None:
        self._page = page
        self._changed = changed
        self._may_pause = page.can("queues.pause")
        if page.can(access.PLATFORM_ADMIN):
            button("Pause everything", self._pause_everything, kind="ghost")
        if self._may_pause:
            button("Pause a template", self._pause_template, kind="ghost")
            self._pause = button("Pause the queue", self._pause_queue, icon="pause")
            self._resume = button("Resume the queue", self._resume_queue, icon="play", kind="pri")

    def show(self, status: QueueStatus) -> None:
        self._status = status
        if self._may_pause:
            self._pause.set_visibility(status.pause is None)
            self._resume.set_visibility(status.can_be_resumed)

    async def either(self) -> None:
        await (self._pause_queue() if self._status.pause is None else self._resume_queue())

    async def _pause_queue(self) -> None:
        asked = await ask_pause(
            "Pause the queue?",
            f"Nothing of {self._page.workspace_name} is sent meanwhile. {MEANWHILE}",
            facts=[("Waits now", plural(self._status.ready + self._status.delayed, "message"))],
            yes="Pause the queue",
        )
        if asked is None:
            return
        await self._page.write(
            lambda unit: commands.pause(
                unit, reason=asked.reason, until=commands.ends_in(unit, asked.minutes)
            ),
            done="The queue is paused",
        )
        await self._changed()

    async def _resume_queue(self) -> None:
        count = self._status.paused_only
        if count >= ASK_FROM and not await confirm(
            "Resume the queue?",
            f"{going(count)} Phones that are held themselves stay held.",
            yes=f"Resume, {number(count)} go",
        ):
            return
        await self._page.write(commands.resume, done=f"The queue is resumed. {going(count)}")
        await self._changed()

    async def _pause_template(self) -> None:
        found = await self._page.read(pausable_templates)
        if not found:
            toast("There is no template that could be paused")
            return
        names = {one.template_id: f"{one.name} ({one.language})" for one in found}
        asked = await ask_pause(
            "Pause a template?",
            f"No message of it is sent meanwhile; all others go on. {MEANWHILE}",
            subjects={
                one.template_id: f"{names[one.template_id]} · {plural(one.waits, 'message')}" for one in found
            },
            called="Template, and what waits of it now",
            yes="Pause template",
        )
        if asked is None:
            return
        await self._page.write(
            lambda unit: commands.pause(
                unit,
                template_id=asked.subject,
                reason=asked.reason,
                until=commands.ends_in(unit, asked.minutes),
            ),
            done=f"{names[asked.subject]} is paused",
        )
        await self._changed()

    async def _pause_everything(self) -> None:
        count = await self._page.read(workspaces_in_all)
        asked = await ask_pause(
            "Pause everything?",
            f"No workspace of this platform sends anything meanwhile. {MEANWHILE}",
            facts=[("Stops", plural(count, "workspace"))],
            yes="Pause everything",
            is_danger=True,
        )
        if asked is None:
            return
        await self._page.write(
            lambda unit: commands.pause_everything(
                unit, reason=asked.reason, until=commands.ends_in(unit, asked.minutes)
            ),
            done="Everything is paused",
        )
        await self._changed()
