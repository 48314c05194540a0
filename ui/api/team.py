"""``/admin/team``: who is in the team, invitations, and what each role may do."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from core import access
from core.team import accepting, invitations, members, queries
from core.team.queries import MemberFilter, MemberRow
from core.team.rules import Standing
from data.enums import Role
from ui.api.messages import Limit, Text
from ui.api.route import ApiRoute, identity_of, needs, open_to_all, runtime_of
from ui.api.shapes import AcceptBody, InviteBody, RoleBody, moment

router = APIRouter(prefix="/admin/team", tags=["Team"], route_class=ApiRoute)

Status = Annotated[Standing | None, Query(alias="status")]


@router.get("/members")
@needs("team.view")
def list_members(
    request: Request,
    status: Status = None,
    role: Role | None = None,
    q: Text = None,
    limit: Limit = 50,
    cursor: Text = None,
) -> dict[str, Any]:
    """Everybody who is or was in the team, or is invited; longest first."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        page = queries.list_members(unit, MemberFilter(status, role, q), cursor=cursor, limit=limit)
    return {"items": [member_json(row) for row in page.items], "nextCursor": page.next_cursor}


@router.post("/invite", status_code=201)
@needs("team.invite")
def invite(request: Request, body: InviteBody) -> dict[str, Any]:
    """Mails an invitation to that address; good once, for seven days."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        return member_json(invitations.invite(unit, email=body.email, role=Role(body.role)))


@router.post("/members/{member_id}/resend-invite")
@needs("team.invite")
def resend(request: Request, member_id: str) -> dict[str, Any]:
    """A new link; the old one is dead."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        return member_json(invitations.resend(unit, member_id))


@router.post("/members/{member_id}/suspend")
@needs("team.suspend")
def suspend(request: Request, member_id: str) -> dict[str, Any]:
    """Signs them out; they cannot come back until reinstated."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        return member_json(members.suspend(unit, member_id))


@router.post("/members/{member_id}/reinstate")
@needs("team.suspend")
def reinstate(request: Request, member_id: str) -> dict[str, Any]:
    """They may sign in again, with the role they had."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        return member_json(members.reinstate(unit, member_id))


@router.put("/members/{member_id}/role")
@needs("team.change_role")
def change_role(request: Request, member_id: str, body: RoleBody) -> dict[str, Any]:
    """Another role, from their next click on."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        return member_json(members.change_role(unit, member_id, role=Role(body.role)))


@router.delete("/members/{member_id}", status_code=204)
@needs("team.remove")
def take_out(request: Request, member_id: str) -> Response:
    """Removes a member, with their sessions and keys; of someone invited, revokes the invitation."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        invitations.take_out(unit, member_id)
    return Response(status_code=204)


@router.post("/invitations/accept")
@open_to_all
def accept(request: Request, body: AcceptBody) -> dict[str, Any]:
    """Takes the place that was offered. Someone known already gives their own password."""
    made = accepting.accept(
        runtime_of(request), identity_of(request), token=body.token, name=body.name, password=body.password
    )
    return {"id": made.member_id, "email": made.email, "workspace": made.workspace_slug}


@router.get("/permissions")
@needs("team.permissions")
def permissions(request: Request) -> dict[str, Any]:
    """The table that every check reads."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        unit.require("team.permissions")
    return {
        "roles": [role.value for role in Role],
        "categories": [
            {
                "name": category,
                "permissions": [
                    {
                        "key": permission.key,
                        "title": permission.title,
                        "description": permission.description,
                        "roles": {role.value: role in permission.roles for role in Role},
                    }
                    for permission in access.PERMISSIONS.values()
                    if permission.category == category
                ],
            }
            for category in access.CATEGORIES
        ],
    }


def member_json(row: MemberRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "email": row.email,
        "role": row.role,
        "status": row.standing,
        "invitedAt": moment(row.invited_at),
        "joinedAt": moment(row.joined_at),
        "lastSeenAt": moment(row.last_seen_at),
    }
