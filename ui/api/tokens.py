"""``/tokens``: how they are and what keeps them alive; never a token itself."""

from typing import Any

from fastapi import APIRouter, Request

from core.tokens import commands, queries
from core.tokens.queries import TokenView
from ui.api.messages import Limit, Text
from ui.api.route import ApiRoute, identity_of, needs, runtime_of
from ui.api.shapes import moment

router = APIRouter(prefix="/tokens", tags=["Tokens"], route_class=ApiRoute)


@router.get("")
@needs("tokens.view")
def list_tokens(request: Request, limit: Limit = 50, cursor: Text = None) -> dict[str, Any]:
    """One an account, in the order in which they were connected."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        page = queries.list_tokens(unit, cursor=cursor, limit=limit)
    return {"items": [_token_json(token) for token in page.items], "nextCursor": page.next_cursor}


@router.post("/{token_id}/refresh", status_code=202)
@needs("tokens.refresh")
def refresh(request: Request, token_id: str) -> dict[str, Any]:
    """Exchanges it now, however many days it has left; the answer is how it stands until then. One that never
    expires is inspected instead."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        commands.refresh(unit, token_id)
        unit.session.flush()
        view = queries.get_token(unit, token_id)
    return _token_json(view)


def _token_json(token: TokenView) -> dict[str, Any]:
    return {
        "id": token.id,
        "wabaId": token.waba_id,
        "state": token.state,
        "needsAttention": token.needs_attention,
        "expiresAt": moment(token.expires_at),
        "lastRefreshedAt": moment(token.refreshed_at),
        "attempts": token.attempts,
        "nextAttemptAt": moment(token.next_attempt_at),
        "lastError": token.last_error,
    }
