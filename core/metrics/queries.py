"""What ``/metrics`` says, read at each scrape: every figure from an index, no label with endless values."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import text
from sqlmodel import col, select

from core import access
from core.monitoring.commands import CLOCK, INBOX, WEB, WORKER
from core.monitoring.queries import last_beats
from core.tokens.queries import token_state
from core.tokens.rules import TokenState
from core.unit import Unit
from data.columns import from_micros, to_micros
from data.enums import HoldCause, HoldScope, Outcome, Severity
from data.operations import Tally
from data.schedules import Schedule
from data.sending import AccessToken, Hold, Lane

SENDS, REJECTED = "sends", "webhooks_rejected"

# The first reads the index of due messages alone; of those parked for their template there are few.
_WAITING = text(
    "SELECT phone_number_id, count(*) FILTER (WHERE due_at <= :now) AS ready, "
    "count(*) FILTER (WHERE due_at > :now) AS delayed, min(due_at) AS oldest "
    "FROM message WHERE state IN ('queued', 'retry_queued') GROUP BY phone_number_id"
)
_PARKED = text(
    "SELECT phone_number_id, count(*) FILTER (WHERE due_at <= :now) AS ready, "
    "count(*) FILTER (WHERE due_at > :now) AS delayed "
    "FROM message WHERE waiting_for = 'template' GROUP BY phone_number_id"
)
# Every one has a lease; without a word about it SQLite would count through all messages, along another index.
_IN_FLIGHT = text("SELECT count(*) FROM message WHERE state IN ('claimed', 'sending') AND lease_until > 0")
# A step through an index for each workspace, where no index is of all.
_UNKNOWN = text(
    "SELECT sum((SELECT count(*) FROM message WHERE message.workspace_id = workspace.id "
    "AND message.state = 'unknown')) FROM workspace"
)
_DEAD = text(
    "SELECT sum((SELECT count(*) FROM dead_letter WHERE dead_letter.workspace_id = workspace.id "
    "AND dead_letter.state = 'open')) FROM workspace"
)
_WEBHOOKS_FAILED = text(
    "SELECT sum((SELECT count(*) FROM delivery WHERE delivery.workspace_id = workspace.id "
    "AND delivery.state = 'failed')) FROM workspace"
)
_WEBHOOKS_PENDING = text("SELECT count(*), min(id) FROM delivery WHERE state = 'pending'")
_RECEIVED_AT = text("SELECT received_at FROM delivery WHERE id = :id")
_ALERTS = text("SELECT severity, count(*) FROM alert WHERE open_key > '' GROUP BY severity")
STATEMENTS = {
    "waiting": _WAITING,
    "parked": _PARKED,
    "in flight": _IN_FLIGHT,
    "unknown": _UNKNOWN,
    "dead": _DEAD,
    "webhooks failed": _WEBHOOKS_FAILED,
    "webhooks pending": _WEBHOOKS_PENDING,
    "alerts": _ALERTS,
}


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. ``values``: the label's value → the figure; without a ``label`` the one under ``""``."""

    name: str
    kind: Literal["gauge", "counter"]
    help: str
    label: str
    values: Mapping[str, float]


def collect(unit: Unit) -> list[Family]:
    """All of them, as of now, of all workspaces together."""
    if not unit.actor.can(access.PLATFORM_SUPPORT):
        unit.require("monitoring.view")
    return [*_sending(unit), *_webhooks(unit), *_attention(unit), *_schedules(unit), _beats(unit)]


def _sending(unit: Unit) -> list[Family]:
    connection, now = unit.session.connection(), {"now": to_micros(unit.now)}
    parked = {row.phone_number_id: row for row in connection.execute(_PARKED, now)}
    held = _held_lanes(unit)
    waiting: Counter[str] = Counter()
    oldest_s = 0.0
    for row in connection.execute(_WAITING, now):
        aside = parked.get(row.phone_number_id)
        ready = row.ready - (aside.ready if aside else 0)
        delayed = row.delayed - (aside.delayed if aside else 0)
        waiting["held"] += row.ready + row.delayed - ready - delayed
        if row.phone_number_id in held:
            waiting["held"] += ready + delayed
            continue
        waiting["ready"] += ready
        waiting["delayed"] += delayed
        if ready:
            oldest_s = max(oldest_s, (unit.now - from_micros(row.oldest)).total_seconds())
    waiting["in_flight"] = connection.execute(_IN_FLIGHT).scalar_one()
    waiting["unknown"] = connection.execute(_UNKNOWN).scalar_one() or 0
    states = {state: waiting[state] for state in ("ready", "delayed", "in_flight", "held", "unknown")}
    causes = Counter(held.values())
    return [
        Family(
            "waypost_sends",
            "counter",
            "Attempts to send that have ended, by what came of them.",
            "outcome",
            {outcome.value: 0.0 for outcome in Outcome} | _tallied(unit, SENDS),
        ),
        Family("waypost_queue_messages", "gauge", "Messages that wait, by what for.", "state", states),
        Family(
            "waypost_queue_oldest_ready_seconds",
            "gauge",
            "How long the oldest message that could go now has waited; 0 when none does.",
            "",
            {"": oldest_s},
        ),
        Family(
            "waypost_lanes_held",
            "gauge",
            "Numbers that send nothing, by why; of several causes the first.",
            "cause",
            {cause.value: causes[cause] for cause in HoldCause},
        ),
        _one("waypost_dead_letters_open", "Dead letters that wait for a person.", _count(unit, "dead")),
    ]


def _held_lanes(unit: Unit) -> dict[str, HoldCause]:
    """phone number id → why it is held: itself, its workspace, or everything."""
    holds = {
        (hold.scope, hold.subject): hold.cause
        for hold in unit.session.exec(select(Hold).where(text("released_at IS NULL")))
    }
    everything = next((cause for (scope, _), cause in holds.items() if scope is HoldScope.EVERYTHING), None)
    found = {}
    for phone, workspace in unit.session.exec(select(Lane.phone_number_id, Lane.workspace_id)):
        cause = (
            holds.get((HoldScope.LANE, phone)) or holds.get((HoldScope.WORKSPACE, workspace)) or everything
        )
        if cause is not None:
            found[phone] = cause
    return found


def _webhooks(unit: Unit) -> list[Family]:
    connection = unit.session.connection()
    pending, oldest_id = connection.execute(_WEBHOOKS_PENDING).one()
    lag_s = 0.0
    if oldest_id is not None:
        received = connection.execute(_RECEIVED_AT, {"id": oldest_id}).scalar_one()
        lag_s = (unit.now - from_micros(received)).total_seconds()
    states = {"pending": float(pending), "failed": _count(unit, "webhooks failed")}
    rejected = {"signature": 0.0} | _tallied(unit, REJECTED)
    return [
        Family("waypost_webhooks", "gauge", "Webhooks not applied, or not wholly.", "state", states),
        _one("waypost_webhooks_oldest_pending_seconds", "How far applying them is behind.", lag_s),
        Family("waypost_webhooks_rejected", "counter", "Webhooks refused, by why.", "reason", rejected),
    ]


def _attention(unit: Unit) -> list[Family]:
    tokens = Counter(token_state(unit, row) for row in unit.session.exec(select(AccessToken)))
    alerts = {row[0]: row[1] for row in unit.session.connection().execute(_ALERTS)}
    return [
        Family(
            "waypost_tokens",
            "gauge",
            "Access tokens, by how they are.",
            "state",
            {state.value: tokens[state] for state in TokenState},
        ),
        Family(
            "waypost_alerts_open",
            "gauge",
            "Alerts that are open, the installation's included.",
            "severity",
            {severity.value: alerts.get(severity.value, 0) for severity in Severity},
        ),
    ]


def _schedules(unit: Unit) -> list[Family]:
    rows = list(unit.session.exec(select(Schedule)))
    succeeded = {row.name: row.succeeded_at.timestamp() for row in rows if row.succeeded_at is not None}
    return [
        Family(
            "waypost_schedule_last_success_timestamp_seconds",
            "gauge",
            "When each schedule last ran well, in seconds since 1970.",
            "schedule",
            succeeded,
        ),
        Family(
            "waypost_schedule_failures",
            "gauge",
            "How often each schedule has failed since it last ran well.",
            "schedule",
            {row.name: row.failures for row in rows},
        ),
    ]


def _beats(unit: Unit) -> Family:
    ages = {
        part: (unit.now - at).total_seconds()
        for part, at in last_beats(unit).items()
        if part in (WEB, WORKER, INBOX, CLOCK)
    }
    return Family(
        "waypost_heartbeat_age_seconds",
        "gauge",
        "How long ago a process of each kind was last alive; a kind that never was is missing.",
        "part",
        ages,
    )


def _one(name: str, help_: str, value: float) -> Family:
    return Family(name, "gauge", help_, "", {"": value})


def _count(unit: Unit, what: str) -> float:
    return float(unit.session.connection().execute(STATEMENTS[what]).scalar_one() or 0)


def _tallied(unit: Unit, name: str) -> dict[str, float]:
    rows = unit.session.exec(select(Tally.label, Tally.count).where(col(Tally.name) == name))
    return {label: float(count) for label, count in rows}
