"""Traces and logs of real processes: whose they are, and that nothing in them is a secret."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from core.tracing import trace_of
from tests.commands.conftest import TOKEN, Place, wait_for
from tests.commands.test_serve import send, status
from tests.receiver import Receiver, receiving

pytestmark = pytest.mark.crash


def spans(collector: Receiver) -> list[tuple[str, Any]]:
    """(process, span) of all that came."""
    found = []
    for each in collector.received:
        assert each.path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(each.body).resource_spans:
            about = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
            assert about["service.name"] == "waypost"
            found += [
                (about["waypost.process"], span) for scope in resource.scope_spans for span in scope.spans
            ]
    return found


def values(span: Any) -> dict[str, str | int]:
    return {
        pair.key.removeprefix("waypost."): pair.value.string_value or pair.value.int_value
        for pair in span.attributes
    }


def test_requests_attempts_and_webhooks_are_traced_and_no_secret_is_in_them(
    place: Place, key: dict[str, str]
) -> None:
    with receiving() as collector:
        serve = place.start("serve", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, WAYPOST_LOG_FORMAT="json")
        place.wait_until_healthy()
        direct = send(place, key).json()["id"]
        queued = send(place, key, mode="queued").json()["id"]
        wait_for(lambda: status(place, key, queued) == "sent" or None, within_s=15)
        asked = httpx.get(
            f"{place.url}/api/v1/messages", params={"q": "+4915112345678"}, headers=key, trust_env=False
        )
        assert asked.status_code == 200
        serve.terminate()
        assert serve.wait(20) == 0
        told = spans(collector)

    attempts = {values(span)["message"]: (who, span) for who, span in told if span.name == "attempt"}
    assert set(attempts) == {direct, queued}
    who, span = attempts[queued]
    assert who == "worker"
    assert int.from_bytes(span.trace_id, "big") == trace_of(queued)
    assert (values(span)["outcome"], values(span)["http_status"]) == ("accepted", 200)
    who, span = attempts[direct]
    parents = {span.span_id: span for _, span in told}
    assert who == "web"
    assert parents[span.parent_span_id].name == "POST /api/v1/messages/template"

    names = Counter(span.name for _, span in told)
    assert names["POST /api/v1/messages/template"] == 2
    assert names["GET /api/v1/messages"] == 1
    everything = b"".join(each.body for each in collector.received)
    for secret in (TOKEN, key["Authorization"].removeprefix("Bearer "), "4915112345678", "hello_world"):
        assert secret.encode() not in everything
    for line in place.log.read_text().splitlines():
        if line.startswith("{"):
            assert {"event", "level", "timestamp"} <= json.loads(line).keys()


def test_without_an_address_nothing_of_it_is_loaded(place: Place, key: dict[str, str]) -> None:
    place.start("serve")
    place.wait_until_healthy()
    assert send(place, key).status_code == 200
    loaded = {path for pid in place.pids() for path in Path(f"/proc/{pid}/maps").read_text().split()}
    assert not [path for path in loaded if "google/_upb" in path or "protobuf" in path]


def test_an_address_that_is_none_is_refused_at_the_start(place: Place) -> None:
    said = place.run("web", OTEL_EXPORTER_OTLP_ENDPOINT="collector:4318")
    assert said.returncode == 2
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in said.stderr
    assert "give the http:// or https:// address of a collector" in said.stderr
