"""One's own second factor: setting it up with an authenticator, recovery codes, taking it away."""

from nicegui import ui

from core.team import second_factor
from core.team.second_factor import Enrolment, FactorView
from ui.format import plural
from ui.page import PageContext
from ui.parts.badge import badge
from ui.parts.button import button
from ui.parts.card import card
from ui.parts.confirm import Dialog, confirm
from ui.parts.field import text_field
from ui.parts.region import Region
from ui.parts.secret import secret
from ui.parts.text import box, text


class FactorCard:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        with card(label="Second factor"):
            self._region = Region(self._draw, "padded stack")

    async def show(self) -> None:
        self._region.show(await self._page.read(second_factor.factor_view))

    def _draw(self, view: FactorView) -> None:
        with box("rowline"):
            text("Second factor", tag="h2")
            badge(("On", "green") if view.is_set_up else ("Off", "grey"))
        if not view.is_set_up:
            text(
                "A code of an app on your phone, beside the password. "
                "Who has your password alone gets no further.",
                tag="p",
            )
            with box("rowline"):
                button("Set it up", self._set_up, icon="smartphone", kind="pri")
            return
        text(f"{plural(view.codes_left, 'recovery code')} left, for when the phone is not at hand.", tag="p")
        if view.is_required:
            text(
                "A workspace of yours asks everybody for it, so it can be renewed and not taken away.",
                tag="p",
            )
        with box("rowline"):
            button("New recovery codes", self._renew)
            take_away = button("Take it away", self._remove, kind="danger")
            take_away.set_enabled(not view.is_required)

    async def _set_up(self) -> None:
        begun = await self._page.write(second_factor.begin)
        if begun is None:
            return
        codes = await self._ask_code(begun)
        if codes is not None:
            await self.show()
            await _show_codes(codes)

    async def _ask_code(self, begun: Enrolment) -> tuple[str, ...] | None:
        with Dialog(
            "Set up the second factor",
            "Scan this with an authenticator app, then give the code that it shows.",
        ) as dialog:
            with box("dbody"):
                ui.image(begun.qr).classes("qr").props(
                    'alt="QR code for the authenticator" no-spinner no-transition'
                )
                secret("Or type this into the app", begun.secret)
                code = text_field("Code", placeholder="123456")
                code.props("inputmode=numeric autocomplete=one-time-code")

            async def go_on() -> None:
                codes = await self._page.write(
                    lambda unit: second_factor.confirm(unit, code=code.value or "")
                )
                if codes is not None:
                    dialog.close(codes)

            with box("dfoot"):
                button("Cancel", lambda: dialog.close(None))
                button("Switch it on", go_on, kind="pri")
        found = await dialog.answer()
        return found if isinstance(found, tuple) else None

    async def _renew(self) -> None:
        codes = await self._page.write(second_factor.new_recovery_codes)
        if codes is not None:
            await self.show()
            await _show_codes(codes)

    async def _remove(self) -> None:
        is_sure = await confirm(
            "Take the second factor away?",
            "From then on your password alone signs you in. The recovery codes are void.",
            yes="Take it away",
            is_danger=True,
        )
        if is_sure and await self._page.write(second_factor.remove, done="The second factor is off"):
            await self.show()


async def _show_codes(codes: tuple[str, ...]) -> None:
    with Dialog(
        "Keep these recovery codes now",
        "They are shown this once. Each signs you in once when your phone is not at hand.",
    ) as dialog:
        with box("dbody"):
            secret("Recovery codes", "\n".join(codes))
        with box("dfoot"):
            button("I have kept them", lambda: dialog.close(True), kind="pri")
    await dialog.answer()
