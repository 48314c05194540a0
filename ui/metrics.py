"""``/metrics`` for Prometheus: figures of the installation, and what this process answered over HTTP."""

import asyncio
from collections.abc import Iterator

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.responses import Response

from core.metrics.queries import Family, collect
from core.runtime import Runtime
from core.unit import Identity
from ui.api.route import identity_of, needs, runtime_of
from ui.http_figures import HttpFigures

PATH = "/metrics"
LOCAL = Identity(process="metrics")
LOOPBACK = ("127.0.0.1", "::1")
FORWARDED = ("forwarded", "via", "x-real-ip")

router = APIRouter(include_in_schema=False)


@router.get(PATH)
@needs("monitoring.view")
async def metrics(request: Request) -> Response:
    """For a key with ``monitoring.view``, and for whoever calls from this machine itself."""
    runtime = runtime_of(request)
    identity = LOCAL if is_local(request) else identity_of(request)
    families = await asyncio.to_thread(_collect, runtime, identity)
    http: HttpFigures = request.app.state.http_figures
    said = await asyncio.to_thread(_said, families, http, _build_info(request))
    return Response(said, media_type=CONTENT_TYPE_PLAIN_0_0_4)


def is_local(request: Request) -> bool:
    """From this machine, and through no proxy on it, and with no key that would say otherwise."""
    headers = request.headers
    came_through = any(name.startswith("x-forwarded") or name in FORWARDED for name in headers)
    peer = request.client.host if request.client else ""
    return peer in LOOPBACK and not came_through and "authorization" not in headers


def _collect(runtime: Runtime, identity: Identity) -> list[Family]:
    with runtime.unit(identity) as unit:
        return collect(unit)


def _build_info(request: Request) -> Metric:
    database = "sqlite" if runtime_of(request).database.is_sqlite else "postgresql"
    made = GaugeMetricFamily(
        "waypost_build_info", "This program; always 1.", labels=("version", "database")
    )  # fmt: skip
    made.add_metric((request.app.version, database), 1)
    return made


def _said(families: list[Family], http: HttpFigures, build: Metric) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Collected([*map(_metric, families), build]))
    return generate_latest(registry) + generate_latest(http.registry)


def _metric(family: Family) -> Metric:
    make = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    made = make(family.name, family.help, labels=(family.label,) if family.label else ())
    for label, value in family.values.items():
        made.add_metric((label,) if family.label else (), value)
    return made


class _Collected(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics
