"""``/billing``: conversations, what they cost, and what they would."""

import re
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BeforeValidator

from core.billing import queries
from core.billing.money import exact, rounded
from core.billing.queries import MonthView, WhatIf
from core.conversations import commands as conversations
from core.conversations import queries as conversation_queries
from core.conversations.queries import ConversationFilter, ConversationRow, ConversationStatus
from core.runtime import Runtime
from core.unit import Identity
from data.enums import PlanName
from ui.api.messages import Limit, Text
from ui.api.route import ApiRoute, identity_of, needs, runtime_of
from ui.api.shapes import Body, moment

router = APIRouter(prefix="/billing", tags=["Billing"], route_class=ApiRoute)


def _day(value: Any) -> Any:
    """Pydantic alone would also take a moment at midnight, or seconds."""
    if isinstance(value, str):
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            raise ValueError("must be a day such as 2026-11-23")
        return date.fromisoformat(value)
    return value


Day = Annotated[date, BeforeValidator(_day)]
FirstDay = Annotated[Day, Query(alias="startDate")]
LastDay = Annotated[Day, Query(alias="endDate")]


class WhatIfBody(Body):
    plan: Annotated[PlanName, BeforeValidator(lambda value: PlanName(value))]
    start_date: Day
    end_date: Day


@router.get("/conversations/current-month")
@needs("billing.view")
def current_month(request: Request) -> dict[str, Any]:
    """The running month: conversations, what is included, the amount so far and the forecast."""
    runtime, identity = fresh(request, "billing.view")
    with runtime.unit(identity) as unit:
        return _month_json(queries.current_month(unit))


@router.get("/conversations/metrics")
@needs("billing.view")
def metrics(request: Request, first: FirstDay, last: LastDay) -> dict[str, Any]:
    """Conversations and messages by day, in the workspace's time zone; the last day included."""
    queries.check_days(first, last)
    runtime, identity = fresh(request, "billing.view")
    with runtime.unit(identity) as unit:
        found = queries.metrics(unit, first, last)
    return {
        "startDate": found.first.isoformat(),
        "endDate": found.last.isoformat(),
        "totalConversations": found.total,
        "byDay": [
            {
                "date": one.day.isoformat(),
                "conversations": one.counted.conversations,
                "customerInitiated": one.counted.customer,
                "businessInitiated": one.counted.business,
                "messagesIn": one.counted.messages_in,
                "messagesOut": one.counted.messages_out,
            }
            for one in found.days
        ],
        "asOf": moment(found.as_of),
    }


@router.post("/conversations/calculate-billing")
@needs("billing.view")
def calculate(request: Request, body: WhatIfBody) -> dict[str, Any]:
    """What the conversations of those days would cost on another plan. Writes nothing."""
    queries.check_days(body.start_date, body.end_date)
    runtime, identity = fresh(request, "billing.view")
    with runtime.unit(identity) as unit:
        return _what_if_json(queries.what_if(unit, body.plan, body.start_date, body.end_date))


@router.post("/conversations/close-inactive")
@needs("billing.manage")
def close_inactive(request: Request) -> dict[str, Any]:
    """Writes down which conversations have ended. Money never changes: they ended by time."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        return {"closed": conversations.close_inactive(unit)}


@router.get("/conversations")
@needs("conversations.view")
def list_conversations(
    request: Request,
    status: ConversationStatus | None = None,
    contact: Text = None,
    limit: Limit = 50,
    cursor: Text = None,
) -> dict[str, Any]:
    """Conversations, newest first."""
    runtime, identity = fresh(request, "conversations.view")
    with runtime.unit(identity) as unit:
        wanted = ConversationFilter(status=status, contact=contact)
        page = conversation_queries.list_conversations(unit, wanted, cursor=cursor, limit=limit)
    return {"items": [row_json(row) for row in page.items], "nextCursor": page.next_cursor}


def row_json(row: ConversationRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "contact": row.contact,
        "phoneNumberId": row.phone_number_id,
        "openedAt": moment(row.opened_at),
        "closesAt": moment(row.closes_at),
        "openedBy": row.opened_by,
        "status": row.status,
        "messagesIn": row.messages_in,
        "messagesOut": row.messages_out,
    }


def amounts(micros: int) -> dict[str, Any]:
    """Rounded as a number, and as exact as it is as text."""
    return {"amountUSD": float(rounded(micros)), "amountExact": exact(micros)}


def _month_json(month: MonthView) -> dict[str, Any]:
    return {
        "plan": month.plan,
        "timezone": month.period.zone,
        "startDate": month.period.first_day.isoformat(),
        "endDate": month.period.last_day.isoformat(),
        "totalConversations": month.rating.total,
        "includedConversations": month.rating.included,
        "billableConversations": month.rating.billable,
        **amounts(month.rating.amount_micros),
        "projectedConversations": month.forecast.total,
        "projectedAmountUSD": float(rounded(month.forecast.amount_micros)),
        "asOf": moment(month.as_of),
    }


def _what_if_json(found: WhatIf) -> dict[str, Any]:
    return {
        "plan": found.plan,
        "startDate": found.first.isoformat(),
        "endDate": found.last.isoformat(),
        "prorated": found.is_prorated,
        "totalConversations": found.rating.total,
        "includedConversations": found.rating.included,
        "billableConversations": found.rating.billable,
        "ratePerConversation": float(exact(found.overage_micros or 0)),
        **amounts(found.rating.amount_micros),
    }


def fresh(request: Request, permission: str) -> tuple[Runtime, Identity]:
    """The runtime, once the workspace's conversations are computed, for a caller who may see them."""
    runtime, identity = runtime_of(request), identity_of(request)
    with runtime.unit(identity) as unit:
        unit.require(permission)
        workspace_id = unit.workspace_id
    conversations.bring_up_to_date(runtime, workspace_id)
    return runtime, identity
