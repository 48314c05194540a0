"""``/metrics``: who may read it, what it says, and that it says all of it in docs/metrics.md."""

import re
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from core.metrics.queries import STATEMENTS
from core.monitoring.commands import beat, write_counts
from core.ports.clock import FrozenClock
from core.runtime import Runtime
from core.schedules import running
from core.schedules.running import Ended, Line
from core.team.keys import create_api_key
from core.team.owners import COMMAND
from core.unit import Identity
from data.columns import to_micros
from data.enums import Role
from tests.api.conftest import Caller, Server, bearer, template
from tests.conftest import PHONE_ID, Place

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"
PROCESS = Identity(process="test")
FORWARDED = {"X-Forwarded-For": "203.0.113.9"}


def read(api: httpx.Client, **headers: str) -> httpx.Response:
    return api.get("/metrics", headers=headers)


def figures(api: httpx.Client) -> dict[tuple[str, str], float]:
    """(name, its first label's value) → figure."""
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(read(api).text)
        for sample in family.samples
    }


def test_this_machine_reads_it_and_others_need_a_key(
    api: httpx.Client, runtime: Runtime, place: Place
) -> None:
    assert read(api).status_code == 200
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host"):
        assert read(api, **{name: "203.0.113.9"}).json()["code"] == "unauthenticated"
    assert read(api, **bearer("wp_made_up")).status_code == 401
    assert read(api, **FORWARDED, **bearer(place.keys[Role.SUPPORT])).status_code == 200
    with runtime.unit(COMMAND, write=True) as unit:
        _, platform = create_api_key(unit, workspace=None, role=None, name="prometheus")
    assert read(api, **FORWARDED, **bearer(platform)).status_code == 200


def test_it_says_how_sending_and_webhooks_stand(
    api: httpx.Client, owner: Caller, runtime: Runtime, server: Server, clock: FrozenClock
) -> None:
    before = figures(api)[("waypost_sends_total", "accepted")]
    owner.post("/messages/template", template())
    owner.post("/messages/template", template(mode="queued"))
    owner.post("/messages/template", template("+4915110000002"))
    owner.post("/messages/template", template("+4915110000003"))
    clock.advance(2.5)
    with runtime.unit(PROCESS, write=True) as unit:
        beat(unit, kind="worker", holder="test")
    write_counts(server.runtime)
    found = figures(api)
    assert found[("waypost_sends_total", "accepted")] == before + 1
    assert found[("waypost_queue_messages", "ready")] == found[("waypost_queue_messages", "delayed")] == 1
    assert found[("waypost_queue_oldest_ready_seconds", "")] == 2.5
    assert found[("waypost_dead_letters_open", "")] == 1
    assert found[("waypost_heartbeat_age_seconds", "worker")] == 0
    owner.post("/queues/messageRetry/pause", {"phoneNumberId": PHONE_ID, "reason": "Wrong prices"})
    found = figures(api)
    assert found[("waypost_queue_messages", "held")] == 2
    assert (found[("waypost_lanes_held", "person")], found[("waypost_queue_messages", "ready")]) == (1, 0)
    said = read(api).text
    for secret in ("4915110000002", PHONE_ID, "Northwind", "msg_", "Wrong prices"):
        assert secret not in said


def test_routes_are_ours_as_written_down_whatever_was_asked_for(api: httpx.Client, owner: Caller) -> None:
    owner.get("/messages/msg_made_up")
    api.get("/api/v1/made/up/4915112345678")
    api.get("/made-up/4915112345678")
    api.get("/messages/msg_made_up")
    api.post("/webhooks/whatsapp", content=b"{}")
    said = read(api).text
    for route, status in (
        ("/api/v1/messages/{message_id}", 404),
        ("other", 404),
        ("/webhooks/whatsapp", 401),
        ("/metrics", 200),
    ):
        assert f'waypost_http_requests_total{{route="{route}",status="{status}"}}' in said
    assert "4915112345678" not in said
    assert "made" not in said


def test_every_metric_and_label_is_documented_and_no_other(api: httpx.Client, runtime: Runtime) -> None:
    with runtime.unit(PROCESS, write=True) as unit:
        beat(unit, kind="web", holder="test")
        running.take_the_lead(unit, [Line("tick", "", 1.0)])
        running.note_ticks(unit, {"tick": Ended(unit.now, 0.0, "")}, holder="test")
    read(api)  # itself the first request
    said = {}
    for family in text_string_to_metric_families(read(api).text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        said[name] = (family.type, labels)
    rows = re.findall(r"^\| `(waypost_\w+)` \| (\w+) \|([^|]*)\|", DOCS.read_text(), re.M)
    assert said == {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def test_every_figure_comes_from_an_index(runtime: Runtime, place: Place) -> None:
    if not runtime.database.is_sqlite:
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by statistics")
    with runtime.database.read.connect() as connection:
        for what, statement in STATEMENTS.items():
            explained = text(f"EXPLAIN QUERY PLAN {statement.text}")
            values = {"now": to_micros(runtime.clock.now())} if ":now" in statement.text else {}
            plan = [row[3] for row in connection.execute(explained, values)]
            scans = [step for step in plan if step.startswith("SCAN") and "INDEX" not in step]
            assert scans in ([], ["SCAN workspace"]), (what, plan)
