"""What a notice says: to people as a subject and a text, to webhooks as JSON (A3)."""

import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.alerts.kinds import KINDS
from data.enums import AlertEvent

_BEGINS = {
    AlertEvent.OPENED: "",
    AlertEvent.ESCALATED: "More urgent: ",
    AlertEvent.RESOLVED: "Resolved: ",
}
TEST_SUBJECT = "A test of this channel"
TEST_TEXT = "Alerts of {workspace} arrive here. Nothing is wrong: somebody pressed the test button."


def subject_of(event: AlertEvent, said: dict[str, Any], *, workspace: str) -> str:
    """*Northwind: A number sends nothing*, *Northwind: 3 alerts in quiet hours*."""
    if event is AlertEvent.TEST:
        return f"{workspace}: {TEST_SUBJECT}"
    if event is AlertEvent.DIGEST:
        count = len({one["alert"]["id"] for one in said["notices"]})
        return f"{workspace}: {count} {'alert' if count == 1 else 'alerts'} in quiet hours"
    return f"{workspace}: {_BEGINS[event]}{said['alert']['title']}"


def text_of(event: AlertEvent, said: dict[str, Any], *, workspace: str, zone: ZoneInfo) -> str:
    """For people to read, with what it means, what to do and where."""
    if event is AlertEvent.TEST:
        return TEST_TEXT.format(workspace=workspace)
    if event is AlertEvent.DIGEST:
        return "\n\n".join(_lines_of_digest(said["notices"], zone))
    alert = said["alert"]
    kind = KINDS.get(alert["kind"])
    parts = [alert["detail"]]
    if event is AlertEvent.RESOLVED:
        parts += [alert["outcome"] or "", f"Over since {_clock(alert['resolvedAt'], zone)}."]
    else:
        parts += [kind.meaning if kind else "", f"What to do: {kind.advice}" if kind else ""]
        parts += [f"Since {_clock(alert['openedAt'], zone)}."]
    parts += [f"About: {alert['subject']}"]
    return "\n\n".join([part for part in parts if part] + [alert["link"]])


def body_of(event: AlertEvent, said: dict[str, Any], *, notice_id: str, workspace: str) -> bytes:
    """The JSON that a webhook gets: the same bytes however often it is tried."""
    if event is AlertEvent.TEST:
        what: dict[str, Any] = {"event": event.value, "at": said["at"]}
    elif event is AlertEvent.DIGEST:
        what = {"event": event.value, "at": said["at"], "notices": [_full(one) for one in said["notices"]]}
    else:
        what = _full(said)
    return json.dumps({"id": notice_id, "workspace": workspace, **what}, ensure_ascii=False).encode()


def _full(said: dict[str, Any]) -> dict[str, Any]:
    kind = KINDS.get(said["alert"]["kind"])
    more = {"meaning": kind.meaning, "advice": kind.advice} if kind else {}
    return {**said, "alert": {**said["alert"], **more}}


def _lines_of_digest(notices: list[dict[str, Any]], zone: ZoneInfo) -> list[str]:
    """One paragraph an alert, in the order in which they were first heard of."""
    by_alert: dict[str, list[dict[str, Any]]] = {}
    for one in notices:
        by_alert.setdefault(one["alert"]["id"], []).append(one)
    return [_paragraph(told, zone) for told in by_alert.values()]


def _paragraph(told: list[dict[str, Any]], zone: ZoneInfo) -> str:
    alert = told[-1]["alert"]
    happened = ", ".join(f"{one['event']} {_clock(one['at'], zone)}" for one in told)
    lines = [f"{alert['title']} ({happened})", alert["detail"], alert["outcome"] or "", alert["link"]]
    return "\n".join(line for line in lines if line)


def _clock(moment: str, zone: ZoneInfo) -> str:
    """*2026-11-23T08:30:00Z → 23 Nov 09:30 CET* in Berlin."""
    local = datetime.fromisoformat(moment).astimezone(zone)
    return f"{local.day} {local:%b %H:%M %Z}"
