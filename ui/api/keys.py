"""``/keys``: keys for this API."""

from typing import Any

from fastapi import APIRouter, Request, Response

from core.team import keys
from core.team.keys import KeyRow
from data.enums import Role
from ui.api.messages import Limit, Text
from ui.api.route import ApiRoute, identity_of, needs, runtime_of
from ui.api.shapes import KeyBody, moment

router = APIRouter(prefix="/keys", tags=["Keys"], route_class=ApiRoute)


@router.get("")
@needs("keys.manage")
def list_keys(request: Request, limit: Limit = 50, cursor: Text = None) -> dict[str, Any]:
    """One's own keys, or all with ``keys.manage_all``; newest first, never a key itself."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        page = keys.list_keys(unit, cursor=cursor, limit=limit)
    return {"items": [key_json(row) for row in page.items], "nextCursor": page.next_cursor}


@router.post("", status_code=201)
@needs("keys.manage")
def make_key(request: Request, body: KeyBody) -> dict[str, Any]:
    """A new key. ``key`` is shown here, once, and never again."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        row, secret = keys.make_key(unit, role=Role(body.role), name=body.name, expires_at=body.expires_at)
    return {**key_json(row), "key": secret}


@router.delete("/{key_id}", status_code=204)
@needs("keys.manage")
def revoke_key(request: Request, key_id: str) -> Response:
    """The key opens nothing from now on."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        keys.revoke_key(unit, key_id)
    return Response(status_code=204)


def key_json(row: KeyRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "role": row.role,
        "state": row.state,
        "createdBy": row.made_by,
        "createdAt": moment(row.created_at),
        "expiresAt": moment(row.expires_at),
        "lastUsedAt": moment(row.last_used_at),
    }
