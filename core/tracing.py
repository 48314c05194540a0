"""Traces, as OpenTelemetry has them: of requests, attempts to send, webhooks applied, and schedules.

They go where ``OTEL_EXPORTER_OTLP_ENDPOINT`` says. Without it nothing of the library is loaded, and a span
costs a microsecond. No number, text or token is in one: ids of ours, outcomes and codes alone.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from core.settings import Settings

Value = str | int | float | bool | None

_tracer: Any = None
_wanted_trace: ContextVar[int | None] = ContextVar("wanted_trace", default=None)


class Span(Protocol):
    def set(self, **attributes: Value) -> None:
        """What is known only later; None says nothing."""

    def rename(self, name: str) -> None: ...


class _Nothing:
    def set(self, **attributes: Value) -> None:
        return None

    def rename(self, name: str) -> None:
        return None


class _Recorded:
    def __init__(self, span: Any) -> None:
        self._span = span

    def set(self, **attributes: Value) -> None:
        for name, value in attributes.items():
            if value is not None:
                self._span.set_attribute(f"waypost.{name}", value)

    def rename(self, name: str) -> None:
        self._span.update_name(name)


_NOTHING = _Nothing()


def set_up_tracing(settings: Settings, *, process: str, version: str) -> None:
    """``process`` is web, worker or clock. What is recorded is sent in the background, the rest at exit."""
    global _tracer
    endpoint = settings.otel_exporter_otlp_endpoint
    if not endpoint:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Ids(RandomIdGenerator):
        def generate_trace_id(self) -> int:
            return _wanted_trace.get() or super().generate_trace_id()

    about = {"service.name": "waypost", "service.version": version, "waypost.process": process}
    provider = TracerProvider(resource=Resource.create(about), id_generator=Ids())
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = provider.get_tracer("waypost", version)


@contextmanager
def span(name: str, **attributes: Value) -> Iterator[Span]:
    """What happens within it is a span, beneath the one that is under way."""
    if _tracer is None:
        yield _NOTHING
        return
    with _tracer.start_as_current_span(name) as recorded:
        found = _Recorded(recorded)
        found.set(**attributes)
        yield found


@contextmanager
def attempt(message_id: str) -> Iterator[Span]:
    """An attempt to send. Those that no request is waiting for share a trace: the message's, whatever process
    makes them."""
    if _tracer is None:
        yield _NOTHING
        return
    wanted = _wanted_trace.set(trace_of(message_id))
    try:
        with span("attempt", message=message_id) as found:
            yield found
    finally:
        _wanted_trace.reset(wanted)


def trace_of(message_id: str) -> int:
    """The id of the trace that a message's attempts share."""
    return int.from_bytes(hashlib.sha256(message_id.encode()).digest()[:16], "big")
