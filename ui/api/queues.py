"""``/queues``: the state of sending, pause and resume."""

from typing import Any

from fastapi import APIRouter, Request

from core.inbox.figures import inbox_status
from core.lanes import commands as lanes
from core.messaging.queries import queue_status
from core.monitoring.queries import health
from ui.api.route import ApiRoute, identity_of, needs, runtime_of
from ui.api.shapes import PauseBody

router = APIRouter(prefix="/queues", tags=["Queues"], route_class=ApiRoute)


@router.get("/status")
@needs("queues.view")
def status(request: Request) -> dict[str, Any]:
    """Counts of the workspace's messages by what they wait for."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        queue = queue_status(unit)
        inbox = inbox_status(unit)
        webhooks = health(unit).webhooks
    return {
        "messageRetry": {
            "state": queue.state,
            "ready": queue.ready,
            "delayed": queue.delayed,
            "inFlight": queue.in_flight,
            "held": queue.held,
            "unknown": queue.unknown,
            "dead": queue.dead,
            "oldestReadySeconds": round(queue.oldest_ready_s, 3),
            "sentLastMinute": queue.sent_last_minute,
        },
        "webhooks": {
            "state": webhooks,
            "pending": inbox.pending,
            "failed": inbox.failed,
            "oldestPendingSeconds": round(inbox.oldest_pending_s, 3),
        },
    }


@router.post("/messageRetry/pause")
@needs("queues.pause")
def pause(request: Request, body: PauseBody | None = None) -> dict[str, Any]:
    """Stops sending of the workspace, or of one phone or template, until it is resumed or until ``until``;
    messages wait and use up no retry."""
    wanted = body or PauseBody()
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        lanes.pause(
            unit,
            phone_number_id=wanted.phone_number_id,
            template_id=wanted.template_id,
            reason=wanted.reason,
            until=wanted.until,
        )
    return status(request)


@router.post("/messageRetry/resume")
@needs("queues.pause")
def resume(request: Request, body: PauseBody | None = None) -> dict[str, Any]:
    """Sends again, whatever it was that held the workspace, phone or template."""
    wanted = body or PauseBody()
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        lanes.resume(
            unit,
            phone_number_id=wanted.phone_number_id,
            template_id=wanted.template_id,
            reason=wanted.reason,
        )
    return status(request)
