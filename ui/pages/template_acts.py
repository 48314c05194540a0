"""What can be done about a template's words: edit, duplicate, delete."""

from core.lanes.queries import waiting_for_template
from core.templates.deleting import delete, languages_of
from core.templates.editing import EDITABLE
from core.templates.figures import figures
from core.templates.lists import TemplateView
from core.templates.rules import DELETED
from core.unit import Unit
from ui.format import NOTHING, number, plural
from ui.page import PageContext
from ui.parts.button import button
from ui.parts.confirm import ask_choice, confirm


class Writing:
    def __init__(self, page: PageContext, template: TemplateView) -> None:
        self._page = page
        self._template = template
        self._edit = button("Edit", self._leave_for_edit, icon="pencil")
        self._copy = button("Duplicate", self._leave_for_copy, icon="copy")
        self._delete = button("Delete", self._do_delete, icon="trash-2", kind="danger")

    def show(self, template: TemplateView) -> None:
        self._template = template
        self._edit.set_visibility(template.status in EDITABLE and template.meta_id is not None)
        self._delete.set_visibility(template.status not in (DELETED, "PENDING_DELETION"))

    def _leave_for_edit(self) -> None:
        self._page.leave(f"/templates/{self._template.id}/edit")

    def _leave_for_copy(self) -> None:
        self._page.leave(f"/templates/new?like={self._template.id}")

    async def _do_delete(self) -> None:
        page, template = self._page, self._template
        languages = await page.read(lambda unit: languages_of(unit, template.id))
        of_all = False
        if len(languages) > 1:
            chosen = await ask_choice(
                f"Delete {template.name}?",
                f"Meta has it in {plural(len(languages), 'language')}: {', '.join(languages)}.",
                label="Delete",
                options={"one": f"Only {template.language}", "all": "All languages"},
                yes="Go on",
            )
            if chosen is None:
                return
            of_all = chosen == "all"
        lines = await page.read(lambda unit: self._consequence(unit, of_all=of_all))
        is_sure = await confirm(
            f"Delete {template.name} at Meta?",
            "This cannot be undone. What waits with it fails, and Meta takes no template of this name for up "
            "to 30 days. Its history stays here.",
            yes="Delete template",
            facts=lines,
            is_danger=True,
            typed=template.name,
        )
        if not is_sure:
            return

        async def work() -> int:
            return await delete(page.runtime, page.identity, template.id, all_languages=of_all)

        count = await page.act(work)
        if count is not None:
            page.leave("/templates")

    def _consequence(self, unit: Unit, *, of_all: bool) -> list[tuple[str, str]]:
        template, page = self._template, self._page
        last = figures(unit, [template])[template.id].last_used_at
        waits = waiting_for_template(unit, template.id, all_languages=of_all)
        return [
            ("Languages", "All" if of_all else template.language),
            ("Waiting in the queue", plural(waits, "message") if waits else number(0)),
            ("Last used", page.times.short(last) if last else NOTHING),
        ]
