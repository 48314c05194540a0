"""Making a key, and showing it once."""

from collections.abc import Awaitable, Callable, Sequence

from core.team.keys import expiry_in, make_key
from data.enums import Role
from ui.page import PageContext
from ui.pages.team_words import ROLE
from ui.parts.button import button
from ui.parts.confirm import Dialog
from ui.parts.field import choice_field, text_field
from ui.parts.secret import secret
from ui.parts.text import box

# Days until it expires; 0 is never.
LIFETIMES = {90: "90 days", 30: "30 days", 365: "1 year", 0: "Never"}


class KeyForm:
    """``done()`` is awaited once a key was made."""

    def __init__(
        self, page: PageContext, *, roles: Sequence[Role], done: Callable[[], Awaitable[None]]
    ) -> None:
        self._page = page
        self._roles = roles
        self._done = done

    async def open(self) -> None:
        with Dialog("Make a key", "Give it the least role that its script needs.") as dialog:
            with box("dbody"):
                name = text_field("Name", placeholder="Order service", hint="What will use it")
                role = choice_field("Role", {each: ROLE[each] for each in self._roles}, _least(self._roles))
                lifetime = choice_field("Expires after", LIFETIMES, 90)

            async def make() -> None:
                made = await self._page.write(
                    lambda unit: make_key(
                        unit,
                        role=role.value,
                        name=name.value or "",
                        expires_at=expiry_in(unit, days=lifetime.value),
                    )
                )
                if made is not None:
                    dialog.close(made[1])

            with box("dfoot"):
                button("Cancel", lambda: dialog.close(None))
                button("Make the key", make, kind="pri")
        made = await dialog.answer()
        if isinstance(made, str):
            await self._done()
            await _show_once(made)


def _least(roles: Sequence[Role]) -> Role:
    return Role.VIEWER if Role.VIEWER in roles else roles[-1]


async def _show_once(key: str) -> None:
    with Dialog(
        "Keep this key now", "It is shown this once. Whoever has it can do what its role can."
    ) as dialog:
        with box("dbody"):
            secret("The key", key)
        with box("dfoot"):
            button("I have kept it", lambda: dialog.close(True), kind="pri")
    await dialog.answer()
