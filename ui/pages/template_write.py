"""Writing a template: a new one, one like another, or other words for one that Meta has."""

from dataclasses import dataclass, replace

from core.errors import DomainError, Forbidden
from core.lanes.queries import waiting_for_template
from core.templates.creating import create
from core.templates.drafts import Draft, read_draft
from core.templates.editing import edit, editable
from core.templates.example_files import upload_example
from core.templates.guard import require_unflagged
from core.templates.queries import AccountChoice, accounts
from core.templates.submissions import submission_of
from core.unit import Unit
from ui.format import number, plural
from ui.page import PageContext
from ui.pages.send_view import draw_phone
from ui.pages.template_form import Form
from ui.parts.button import button, link
from ui.parts.callout import callout
from ui.parts.card import card, card_title, heading
from ui.parts.confirm import confirm
from ui.parts.empty import empty
from ui.parts.field import choice_field
from ui.parts.file_field import ChosenFile
from ui.parts.icon import icon
from ui.parts.region import Region
from ui.parts.text import box, text

ABOUT = "Meta's rules are checked as you write. Meta reviews what you submit, usually within a day."
ABOUT_EDIT = "The words are replaced as a whole, and Meta reviews them anew."
NOTHING = "What you write stands here as its reader sees it."


@dataclass(frozen=True, slots=True)
class _Start:
    """What the form begins with. ``template_id``: of an edit. ``refusal``: why nothing can be submitted."""

    draft: Draft
    waba_id: str
    accounts: list[AccountChoice]
    refusal: str
    template_id: str = ""
    category_is_fixed: bool = False
    waits: int = 0


async def build(page: PageContext) -> None:
    """A new template, perhaps ``like`` another, or submitted ``again``."""
    await _build(page, await page.read(lambda unit: _new(unit, page)))


async def build_edit(page: PageContext) -> None:
    await _build(page, await page.read(lambda unit: _edit(unit, page.params["template_id"])))


async def _build(page: PageContext, start: _Start) -> None:
    back = f"/templates/{start.template_id}" if start.template_id else "/templates"
    with link("", back, classes="link back"):
        icon("arrow-left")
        text(start.draft.name if start.template_id else "All templates")
    title = f"Edit {start.draft.name}" if start.template_id else ""
    with heading(page, ABOUT_EDIT if start.template_id else ABOUT, title=title):
        pass
    if not start.accounts:
        with card():
            empty(
                "No account yet",
                "Connect a WhatsApp Business Account first: templates belong to one.",
                icon_name="file-text",
            )
        return
    _Write(page, start).draw()


class _Write:
    def __init__(self, page: PageContext, start: _Start) -> None:
        self._page = page
        self._start = start
        self._waba_id = start.waba_id
        self._names = {each.waba_id: each.name for each in start.accounts}
        self._form = Form(
            page,
            start.draft,
            on_change=self._follow,
            on_file=self._upload,
            is_fixed=bool(start.template_id),
            category_is_fixed=start.category_is_fixed,
        )

    def draw(self) -> None:
        start = self._start
        with box("send writing"):
            with box("send-form stack"):
                with card("padded", label="Template"):
                    if len(self._names) > 1 and not start.template_id:
                        choice_field("Account", self._names, self._waba_id, on=self._choose_account)
                    self._form.draw()
                    with box("sendfoot"):
                        self._said = Region(_draw_said, role="status")
                        words = "Submit the edit" if start.template_id else "Submit to Meta"
                        submit = button(words, self._submit, icon="send", kind="pri")
                if start.refusal:
                    submit.set_enabled(False)
                    self._said.show("It cannot be submitted now", start.refusal, "red")
            with box("send-view stack"), card("", label="Preview"):
                card_title("As the reader sees it", aside="With your examples")
                self._phone = Region(draw_phone)
        self._show()

    async def _choose_account(self, waba_id: str) -> None:
        self._waba_id = waba_id
        self._show()

    async def _follow(self) -> None:
        if not self._start.refusal:
            self._said.show("", "", "")
        self._show()

    def _show(self) -> None:
        self._phone.show(self._form.rendered, self._names.get(self._waba_id, ""), NOTHING)

    async def _upload(self, header: str, chosen: ChosenFile) -> str:
        page = self._page
        return await upload_example(
            page.runtime,
            page.identity,
            waba_id=self._waba_id,
            header=header,
            name=chosen.name,
            kind=chosen.kind,
            content=chosen.content,
        )

    async def _submit(self) -> None:
        wrong = self._form.complain()
        if wrong:
            self._said.show(
                "Not submitted",
                f"{plural(wrong, 'thing')} to mend first; each is said where it is.",
                "amber",
            )
            return
        if self._start.template_id and not await self._is_sure():
            return
        try:
            target = await self._hand_over()
        except DomainError as refusal:
            self._said.show("Not submitted", refusal.sentence, "red")
            return
        self._page.leave(target)

    async def _hand_over(self) -> str:
        """Where to go then."""
        page, draft = self._page, self._form.written
        template_id = self._start.template_id
        if template_id:
            await edit(page.runtime, page.identity, template_id, draft)
            return f"/templates/{template_id}"
        made = await create(page.runtime, page.identity, draft, waba_id=self._waba_id)
        return f"/templates/{made.template_id}"

    async def _is_sure(self) -> bool:
        """An approved template cannot be sent while its new words are reviewed."""
        start = self._start
        if not start.category_is_fixed:
            return True
        return await confirm(
            "Submit the edit?",
            "Until Meta approves the new words, usually within a day, the template cannot be sent. Meta "
            "takes one edit of an approved template in 24 hours, and 10 in 30 days.",
            yes="Submit the edit",
            facts=[("Waiting in the queue", f"{number(start.waits)} messages, which would fail meanwhile")]
            if start.waits
            else [],
        )


def _draw_said(title: str, sentence: str, tone: str) -> None:
    if title:
        callout(title, sentence, tone="amber" if tone == "amber" else "red")


def _new(unit: Unit, page: PageContext) -> _Start:
    found = accounts(unit)
    draft, waba_id = Draft(), found[0].waba_id if found else ""
    if (like := page.query.get("like", "")) != "":
        copied = editable(unit, like)
        draft, waba_id = replace(copied.draft, name=f"{copied.draft.name[:500]}_copy"), copied.waba_id
    elif (again := page.query.get("again", "")) != "":
        lost = submission_of(unit, again)
        waba_id = lost.waba_id
        draft = read_draft(
            name=lost.name, language=lost.language, category=lost.category, components=lost.components
        )
    return _Start(draft, waba_id, found, _refusal(unit))


def _edit(unit: Unit, template_id: str) -> _Start:
    found = editable(unit, template_id)
    return _Start(
        found.draft,
        found.waba_id,
        accounts(unit),
        found.why_not or _refusal(unit),
        template_id=template_id,
        category_is_fixed=found.category_is_fixed,
        waits=waiting_for_template(unit, template_id),
    )


def _refusal(unit: Unit) -> str:
    """Why the workspace may submit nothing now, or empty."""
    try:
        require_unflagged(unit)
    except Forbidden as flagged:
        return flagged.sentence
    return ""
