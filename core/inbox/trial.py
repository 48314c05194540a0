"""How Meta is told where our webhooks are, and a trial of the way that they take."""

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass

from sqlmodel import col, select

from core.errors import Impossible
from core.moments import rfc3339
from core.ports import callback
from core.ports.callback import Answer, NoAnswer
from core.runtime import Runtime
from core.settings import Settings
from core.unit import Identity, Unit
from data.sending import Waba

PATH = "/webhooks/whatsapp"
# A field that Meta does not have, so nothing of ours acts on the sample.
FIELD = "waypost_test"


@dataclass(frozen=True, slots=True)
class Setup:
    """What goes into Meta's form. The verify token itself is shown by ``reveal_verify_token`` alone."""

    callback_url: str
    has_verify_token: bool
    has_app_secret: bool
    can_reveal: bool
    can_try: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """Both halves worked, and took so long."""

    handshake_s: float
    delivery_s: float


def setup(unit: Unit) -> Setup:
    unit.require("webhooks.view")
    manages = unit.actor.can("settings.manage")
    return Setup(
        callback_url=_url(unit.settings),
        has_verify_token=unit.settings.waypost_webhook_verify_token is not None,
        has_app_secret=bool(unit.settings.app_secrets),
        can_reveal=manages,
        can_try=manages,
    )


def reveal_verify_token(unit: Unit) -> str:
    """The token that Meta's form asks for; that it was shown is in the audit log."""
    unit.require("settings.manage")
    token = _verify_token(unit.settings)
    unit.record("webhook.verify_token_shown", "setting:WAYPOST_WEBHOOK_VERIFY_TOKEN")
    return token


def try_out(runtime: Runtime, identity: Identity) -> Trial:
    """Meta's handshake, then a signed sample, both over HTTP to the public address. The sample arrives as a
    delivery of its own, and changes nothing. Impossible says what did not work."""
    with runtime.unit(identity, write=True) as unit:
        unit.require("settings.manage")
        token = _verify_token(unit.settings)
        secret = _app_secret(unit.settings)
        body = _sample(unit)
        unit.record("webhook.tried", "webhooks")
    url = _url(runtime.settings)
    challenge = secrets.token_hex(8)
    asked = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": challenge}
    signature = "sha256=" + hmac.digest(secret.encode(), body, hashlib.sha256).hex()
    try:
        handshake = callback.ask(url, params=asked)
        if handshake.status != 200 or handshake.text != challenge:
            raise _wrong(url, "the handshake", handshake)
        delivery = callback.deliver(url, body=body, signature=signature)
        if delivery.status != 200:
            raise _wrong(url, "a signed webhook", delivery)
    except NoAnswer:
        raise Impossible(
            f"Nothing answers at {url}. Set WAYPOST_PUBLIC_URL to the address under which this console is "
            "reached from outside.",
            code="callback_unreachable",
        ) from None
    return Trial(handshake.seconds, delivery.seconds)


def _url(settings: Settings) -> str:
    return settings.public_url + PATH


def _verify_token(settings: Settings) -> str:
    token = settings.waypost_webhook_verify_token
    if token is None:
        raise Impossible(
            "No verify token is set. Set WAYPOST_WEBHOOK_VERIFY_TOKEN to words of your own, and start "
            "Waypost again.",
            code="verify_token_unset",
        )
    return token.get_secret_value()


def _app_secret(settings: Settings) -> str:
    """The newest, which is the one that Meta signs with once a rotation is through."""
    if not settings.app_secrets:
        raise Impossible(
            "No app secret is set, so every webhook is refused. Set WAYPOST_META_APP_SECRET to the one in "
            "Meta's app dashboard, and start Waypost again.",
            code="app_secret_unset",
        )
    return settings.app_secrets[0]


def _sample(unit: Unit) -> bytes:
    """A webhook for the workspace's first account that nothing acts on."""
    account = unit.session.exec(
        select(Waba.id).where(col(Waba.workspace_id) == unit.workspace_id).order_by(col(Waba.id)).limit(1)
    ).first()
    if account is None:
        raise Impossible(
            "This workspace has no WhatsApp Business Account yet. Connect one first; webhooks are told apart "
            "by it.",
            code="no_account",
        )
    change = {"field": FIELD, "value": {"tried_at": rfc3339(unit.now)}}
    entry = {"id": account, "time": int(unit.now.timestamp()), "changes": [change]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def _wrong(url: str, what: str, answer: Answer) -> Impossible:
    return Impossible(
        f"{url} answered {what} with HTTP {answer.status}. Check that WAYPOST_PUBLIC_URL leads to this "
        "console, and that nothing on the way changes requests.",
        code="callback_wrong_answer",
    )
