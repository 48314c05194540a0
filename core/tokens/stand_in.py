"""An account to try with, where what stands at Meta's address is a sandbox."""

import secrets
from urllib.parse import urlsplit

from core.errors import DomainError
from core.ports.sandbox import SandboxAccount, SandboxControl
from core.runtime import Runtime
from core.tokens.connect import Connection, connect
from core.unit import Identity

META = "graph.facebook.com"


def find_stand_in(runtime: Runtime) -> SandboxAccount | None:
    """The first account of the sandbox at ``WAYPOST_GRAPH_URL``; None where that is Meta, or does not answer
    as a sandbox does. A call over the network."""
    if urlsplit(runtime.settings.waypost_graph_url).hostname == META:
        return None
    try:
        accounts = SandboxControl(runtime.settings.waypost_graph_url).state().accounts
    except DomainError:
        return None
    return accounts[0] if accounts else None


async def connect_stand_in(runtime: Runtime, identity: Identity, *, waba_id: str) -> Connection:
    """As ``connect``, with a token such as the sandbox takes."""
    token = f"sandbox-{secrets.token_urlsafe(16)}"
    return await connect(runtime, identity, waba_id=waba_id, access_token=token)
