"""Who may call: the bearer token and the proof that goes with it."""

import hashlib
import hmac

from starlette.requests import Request

from core.sandbox.answers import sandbox_of
from core.sandbox.errors import MetaError, bad_parameter
from core.sandbox.world import unix_now


def token_of(request: Request) -> str:
    """From the Authorization header, else from the query; empty if there is none."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() in ("bearer", "oauth"):
        return token.strip()
    return request.query_params.get("access_token", "")


def require_access(request: Request) -> None:
    """Raises Meta's 190 for a missing or dead token, 100 for a wrong appsecret_proof (none is fine)."""
    sandbox = sandbox_of(request)
    token = token_of(request)
    sandbox.tokens.require(token, now=unix_now())
    proof = request.query_params.get("appsecret_proof")
    if proof is not None:
        wanted = hmac.new(sandbox.config.app_secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(proof.encode(), wanted.encode()):
            raise bad_parameter("Invalid appsecret_proof provided in the API argument")


def require_app(request: Request) -> None:
    """Raises Meta's errors 101 and 1 unless client_id and client_secret are this app's."""
    config = sandbox_of(request).config
    if request.query_params.get("client_id") != config.app_id:
        raise MetaError(
            101, title="Error validating application. Cannot get application info due to a system error."
        )
    if request.query_params.get("client_secret") != config.app_secret:
        raise MetaError(1, title="Error validating client secret.", http=400)
