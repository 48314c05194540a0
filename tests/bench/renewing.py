"""``python renewing.py SANDBOX MESSAGES``: seconds from a replaced token to the first send with it.

Works on the database that the environment names, with a worker and its clock in a process of their own. The
token is revoked while the messages go out; the lane is held; the token is replaced as the Tokens page does.
Prints two numbers: seconds until the first send, and until the last.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from processes import running
from sqlmodel import col, func, select

import main as waypost
from core.messaging import intake
from core.messaging.requests import SendRequest, template_payload
from core.runtime import Runtime
from core.sandbox.config import SandboxConfig
from core.team.owners import COMMAND, create_owner
from core.tokens.connect import connect
from core.unit import Identity
from data.enums import PlanName
from data.messages import Message
from data.sending import Hold, Phone

WABA_ID = "100200300400500"
GIVE_UP_S = 120.0


def measure(runtime: Runtime, sandbox: httpx.Client, *, messages: int) -> tuple[float, float]:
    with runtime.unit(COMMAND, write=True) as unit:
        workspace = create_owner(
            unit,
            workspace_name="Bench",
            email="bench@example.com",
            password_hash="nobody signs in",
            plan=PlanName.ENTERPRISE,
        )
    identity = Identity(process="bench", workspace_id=workspace.id)
    give(runtime, identity, "first-token")
    queue(runtime, identity, messages)
    with running("main.py", "worker", "--with-clock", cwd=Path.cwd(), settings=waypost_settings()):
        until(lambda: accepted(sandbox) >= messages // 4)
        revoke(sandbox, "first-token")
        until(lambda: is_held(runtime))
        before = accepted(sandbox)
        give(runtime, identity, "second-token")
        replaced_at = time.monotonic()
        until(lambda: accepted(sandbox) > before)
        first_s = time.monotonic() - replaced_at
        until(lambda: accepted(sandbox) == messages)
        return first_s, time.monotonic() - replaced_at


def waypost_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("WAYPOST_")}


def give(runtime: Runtime, identity: Identity, token: str) -> None:
    async def connected() -> None:
        try:
            await connect(runtime, identity, waba_id=WABA_ID, access_token=token)
        finally:
            await runtime.graph.close()

    asyncio.run(connected())


def queue(runtime: Runtime, identity: Identity, messages: int) -> None:
    words = [{"type": "text", "text": word} for word in ("Mara", "NW-20418")]
    components = [{"type": "body", "parameters": words}]
    with runtime.unit(identity, write=True) as unit:
        phone = unit.session.exec(select(Phone.id).order_by(col(Phone.id)).limit(1)).one()
        for number in range(messages):
            payload = template_payload(
                f"+49151123{number:05d}", name="order_update", language="en_US", components=components
            )
            intake.store(unit, SendRequest(payload=payload, phone_number_id=phone, queued=True))


def revoke(sandbox: httpx.Client, token: str) -> None:
    app = SandboxConfig()
    params = {"revoke_token": token, "client_id": app.app_id, "client_secret": app.app_secret}
    answer = sandbox.get("/v23.0/oauth/revoke", params=params, headers={"Authorization": "Bearer t"})
    answer.raise_for_status()


def accepted(sandbox: httpx.Client) -> int:
    count: int = sandbox.get("/sandbox/counts").json()["accepted"]
    return count


def is_held(runtime: Runtime) -> bool:
    with runtime.unit(COMMAND) as unit:
        held = select(func.count()).select_from(Hold).where(col(Hold.released_at).is_(None))
        under_way = select(func.count()).select_from(Message).where(col(Message.state) == "sending")
        return bool(unit.session.exec(held).one()) and not unit.session.exec(under_way).one()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + GIVE_UP_S
    while not is_so():
        if time.monotonic() > deadline:
            raise RuntimeError(f"it did not come to pass within {GIVE_UP_S:.0f} s")
        time.sleep(0.02)


if __name__ == "__main__":
    settings = waypost._settings()
    waypost._migrate(settings)
    with (
        waypost._runtime(settings) as composed,
        httpx.Client(base_url=sys.argv[1], timeout=10, trust_env=False) as client,
    ):
        print(*measure(composed, client, messages=int(sys.argv[2])))
