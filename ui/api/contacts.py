"""``/contacts``: whom the workspace writes with, what keeps messages from them, their data."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from core.contacts import commands
from core.contacts.detail import ContactDetail, SuppressionView, contact_detail
from core.contacts.erase import erase as erase_contact
from core.contacts.export import export as export_contact
from core.contacts.lists import ContactFilter, ContactRow, list_contacts
from ui.api.messages import Limit, Text
from ui.api.route import ApiRoute, identity_of, needs, runtime_of
from ui.api.shapes import ReasonBody, moment

router = APIRouter(prefix="/contacts", tags=["Contacts"], route_class=ApiRoute)

OptedOut = Annotated[bool, Query(alias="optedOut")]


@router.get("")
@needs("contacts.view")
def contacts(
    request: Request, q: Text = None, opted_out: OptedOut = False, limit: Limit = 50, cursor: Text = None
) -> dict[str, Any]:
    """Contacts, newest activity first. ``q``: the beginning of a name's words, of a number, or a user id."""
    wanted = ContactFilter(q=q, opted_out=opted_out)
    with runtime_of(request).unit(identity_of(request)) as unit:
        page = list_contacts(unit, wanted, cursor=cursor, limit=limit)
    return {"items": [row_json(row) for row in page.items], "nextCursor": page.next_cursor}


@router.get("/{contact_id}")
@needs("contacts.view")
def get_contact(request: Request, contact_id: str) -> dict[str, Any]:
    """One contact, with service windows and suppressions."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        return _detail_json(contact_detail(unit, contact_id))


@router.post("/{contact_id}/suppressions/{suppression_id}/lift")
@needs("contacts.manage")
def lift(request: Request, contact_id: str, suppression_id: str, body: ReasonBody) -> dict[str, Any]:
    """The contact may be sent such messages again."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        commands.lift(unit, contact_id, suppression_id, reason=body.reason)
    return get_contact(request, contact_id)


@router.get("/{contact_id}/export")
@needs("contacts.manage")
def export(request: Request, contact_id: str) -> dict[str, Any]:
    """Everything held about the contact, row by row; an audit entry says who asked."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        return export_contact(unit, contact_id)


@router.post("/{contact_id}/erase", status_code=202)
@needs("contacts.manage")
def erase(request: Request, contact_id: str, body: ReasonBody) -> dict[str, Any]:
    """The contact's data is gone; raw webhooks that name them follow within minutes."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        return {"id": erase_contact(unit, contact_id, reason=body.reason)}


def row_json(row: ContactRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "number": row.number,
        "businessUserId": row.business_user_id,
        "firstSeenAt": moment(row.first_seen_at),
        "lastActivityAt": moment(row.last_activity_at),
        "windowEndsAt": moment(row.window_ends_at),
        "suppressed": sorted(kind.value for kind in row.suppressed),
    }


def _detail_json(detail: ContactDetail) -> dict[str, Any]:
    return {
        **row_json(detail.row),
        "lastWroteAt": moment(detail.last_wrote_at),
        "windows": [
            {"phoneNumberId": phone, "endsAt": moment(ends)} for phone, ends in sorted(detail.windows.items())
        ],
        "suppressions": [_suppression_json(each) for each in detail.suppressions],
    }


def _suppression_json(each: SuppressionView) -> dict[str, Any]:
    return {
        "id": each.id,
        "kind": each.kind.value,
        "because": each.error_code,
        "title": each.title,
        "messageId": each.message_id,
        "since": moment(each.since),
        "liftedAt": moment(each.lifted_at),
        "liftedBy": each.lifted_by,
        "liftReason": each.lift_reason,
    }
