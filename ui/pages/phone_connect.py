"""Connecting a WhatsApp Business Account: what is needed, where to find it, and the form."""

from core.errors import DomainError
from core.tokens.connect import Connection, connect
from ui.format import plural
from ui.page import PageContext
from ui.parts.button import button, link
from ui.parts.callout import callout
from ui.parts.card import card, card_title, heading
from ui.parts.field import problem, text_field
from ui.parts.icon import icon
from ui.parts.text import box, text

ABOUT = "The account is checked with Meta before anything is saved; its numbers and templates are read along."
STEPS = (
    (
        "The account's id",
        "In Meta's Business Settings, under Accounts, WhatsApp Accounts: choose the account. Its id, 15 or "
        "16 digits, stands beneath its name.",
    ),
    (
        "The access token",
        "In Business Settings, under Users, System users: add one with the role Admin, assign it the app and "
        "the WhatsApp account with full control, and choose Generate token. Tick whatsapp_business_messaging "
        "and whatsapp_business_management. A token of 60 days is exchanged by Waypost before it ends.",
    ),
    (
        "The numbers",
        "Nothing to enter: every number of the account is connected. One that is not registered with the "
        "Cloud API yet appears too, and sends once it is.",
    ),
)


async def build(page: PageContext) -> None:
    with link("", "/phones", classes="link back"):
        icon("arrow-left")
        text("All numbers")
    with heading(page, ABOUT):
        pass
    with box("connecting"):
        with card(label="Account"):
            card_title("Account")
            _Form(page)
        with card(label="Where to find them"):
            card_title("Where to find them")
            with box("steps", tag="ol"):
                for title, about in STEPS:
                    with box(tag="li"):
                        text(title, tag="b")
                        text(about, tag="p")


class _Form:
    """The token leaves the field as soon as it was sent, whatever came of it; nothing ever puts it back."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        with box("form"):
            self._answer = box(role="status")
            self._waba_id = text_field("WhatsApp Business Account id", hint="Digits only")
            self._waba_id.props("inputmode=numeric autocomplete=off")
            self._token = text_field(
                "Access token", kind="password", hint="Kept sealed; it is never shown again"
            )
            self._token.props("autocomplete=new-password spellcheck=false")
        with box("formfoot"):
            button("Check and connect", self._connect, icon="check", kind="pri")

    async def _connect(self) -> None:
        waba_id, token = str(self._waba_id.value or "").strip(), str(self._token.value or "").strip()
        problem(self._waba_id, "" if waba_id.isascii() and waba_id.isdigit() else "Enter digits only.")
        problem(self._token, "" if token else "Paste the token that Meta shows.")
        if not token or not (waba_id.isascii() and waba_id.isdigit()):
            return
        self._token.set_value("")
        self._answer.clear()
        page = self._page
        try:
            made = await connect(page.runtime, page.identity, waba_id=waba_id, access_token=token)
        except DomainError as refusal:
            with self._answer:
                callout("Nothing was saved", refusal.sentence)
            return
        with self._answer:
            _draw_success(made)


def _draw_success(made: Connection) -> None:
    about = f"{plural(len(made.phones), 'number')} and {plural(made.templates, 'template')} were read."
    with callout("The account is connected", about, tone="green"), box("connected", tag="ul"):
        for phone in made.phones:
            with box(tag="li"):
                link(phone.display_phone_number, f"/phones/{phone.phone_number_id}")
