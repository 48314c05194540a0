"""A contact's right to know and to be forgotten: everything as one file, or all of it gone."""

import json

from nicegui import ui

from core.contacts.erase import erase, losses
from core.contacts.export import export
from ui.format import number
from ui.page import PageContext
from ui.parts.button import button
from ui.parts.card import card, card_title
from ui.parts.confirm import ask_reason
from ui.parts.text import box, text

CONSEQUENCE = (
    "Their number, name and texts are removed for good. Raw webhooks that name them lose their whole text, "
    "also what they tell of others; what was applied of it stays. What waits to be sent to them is given up "
    "first. Counts and bills do not change. If they write again they are a new contact."
)


def draw_data(page: PageContext, contact_id: str) -> None:
    """For those who may manage contacts."""

    async def take_out() -> None:
        held = await page.write(lambda unit: export(unit, contact_id), done="Exported")
        if held is not None:
            content = json.dumps(held, ensure_ascii=False, indent=2).encode()
            ui.download.content(content, f"{contact_id}.json", "application/json")

    async def forget() -> None:
        lost = await page.read(lambda unit: losses(unit, contact_id))
        reason = await ask_reason(
            "Erase this person’s data?",
            CONSEQUENCE,
            yes="Erase",
            label="Reason, kept in the audit log: name nobody",
            facts=[
                ("Messages", f"{number(lost.messages)} emptied"),
                ("Waiting", f"{number(lost.waiting)} given up unsent"),
                ("Dead letters", f"{number(lost.letters)} closed"),
            ],
            is_danger=True,
            typed="erase",
        )
        if reason is None:
            return
        if await page.write(lambda unit: erase(unit, contact_id, reason=reason), done="Erased"):
            page.leave("/contacts")

    with card("", label="Their data"):
        card_title("Their data")
        with box("datacard"):
            text("Everything held about this person as one file, or all of it taken away.", tag="p")
            with box("rowline"):
                button("Export", take_out, icon="download", small=True)
                button("Erase", forget, icon="trash-2", kind="danger", small=True)
