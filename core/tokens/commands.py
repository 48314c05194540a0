"""What a person asks for about a token: a new one now, or one of theirs in its place."""

import asyncio

from core.errors import Impossible
from core.runtime import Runtime
from core.tokens.connect import Connection, connect
from core.tokens.refresh import missing_words
from core.unit import Identity, Unit
from data.sending import AccessToken


def refresh(unit: Unit, token_id: str) -> None:
    """The clock exchanges it at its next tick, however many days it has left. One that never expires is
    looked at instead: an exchange would give it an end.

    Impossible ``app_not_configured`` without the app in whose name Meta exchanges tokens.
    """
    unit.require("tokens.refresh")
    token = unit.find(AccessToken, token_id, called="token", lock=True)
    missing = unit.settings.missing_app_settings
    if missing:
        raise Impossible(f"{missing_words(missing)} Set them and restart.", code="app_not_configured")
    token.turn += 1  # whoever has it in hand is overtaken
    token.wants_new = True
    token.attempts = 0
    token.due_at = unit.now
    unit.session.add(token)
    unit.record("token.refresh_asked", f"token:{token.id}")


async def replace(runtime: Runtime, identity: Identity, token_id: str, *, access_token: str) -> Connection:
    """The account sends with this token from now on, and what waited for it goes. As ``connect``, which says
    what is refused; the password is asked for again first."""

    def account() -> str:
        with runtime.unit(identity) as unit:
            unit.require("tokens.manage")
            return unit.find(AccessToken, token_id, called="token").waba_id

    waba_id = await asyncio.to_thread(account)
    return await connect(runtime, identity, waba_id=waba_id, access_token=access_token)
