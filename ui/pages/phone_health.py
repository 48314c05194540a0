"""“Why can't we send?”, asked of Meta at this moment."""

from core.phones.health import HealthPart, PhoneHealth
from core.phones.sync import read_health
from ui.page import PageContext
from ui.pages.phone_words import HEALTH, PARTS, plain
from ui.parts.badge import Tone
from ui.parts.button import button
from ui.parts.card import card
from ui.parts.icon import icon
from ui.parts.text import box, text
from ui.parts.when import when

ABOUT = (
    "Meta says for this number, its account, business and app whether they may send, and what to do if not."
)
SENTENCES = {
    "AVAILABLE": "Meta lets this number send.",
    "LIMITED": "Meta lets this number send, with limits.",
    "BLOCKED": "Meta lets this number send nothing.",
}


class HealthPanel:
    """Nothing is asked until someone does: each question is a call to Meta."""

    def __init__(self, page: PageContext, phone_number_id: str) -> None:
        self._page = page
        self._phone_number_id = phone_number_id
        with card(label="Can it send?"):
            with box("cardhead"):
                text("Can it send?", tag="h2")
                button("Ask Meta now", self._ask, icon="heart-pulse", small=True)
            with box("healthbody", role="status") as self._body:
                text(ABOUT, "m", tag="p")

    async def _ask(self) -> None:
        page = self._page

        async def work() -> PhoneHealth:
            return await read_health(page.runtime, page.identity, self._phone_number_id)

        found = await page.act(work)
        if found is None:
            return
        self._body.clear()
        with self._body:
            self._draw(found)

    def _draw(self, found: PhoneHealth) -> None:
        title, tone, name = _word(found.can_send)
        with box(f"verdict ink-{tone}"):
            icon(name)
            text(SENTENCES.get(found.can_send, f"Meta says: {title.lower()}."), tag="b")
            when(self._page, self._page.now(), "m")
        with box("healthparts", tag="ul"):
            for part in found.parts:
                with box(tag="li"):
                    _draw_part(part)
        if not found.parts:
            text("Meta gave no parts with it.", "m", tag="p")


def _draw_part(part: HealthPart) -> None:
    title, tone, name = _word(part.can_send)
    with box("r"):
        text(PARTS.get(part.kind, plain(part.kind)), tag="b")
        with box(f"mark ink-{tone}", tag="span"):
            icon(name)
            text(title)
    for problem in part.problems:
        with box("problem"):
            with box(tag="p"):
                if problem.code:
                    text(problem.code, "code")
                text(problem.description or "Meta gave no words with it.")
            if problem.solution:
                text(problem.solution, "m", tag="p")
    for note in part.notes:
        text(note, "m", tag="p")


def _word(word: str) -> tuple[str, Tone, str]:
    return HEALTH.get(word, (plain(word), "grey", "circle-help"))
