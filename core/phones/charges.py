"""Copying what Meta says it charged (``pricing_analytics``), every day: it forgets it after a year (B12)."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from core.phones.due import Reading
from core.phones.queries import token_of, waba_of
from core.phones.reading import word
from core.phones.sync import refusal
from core.ports.graph_replies import GraphError
from core.runtime import Runtime
from core.unit import Identity, Unit
from data.billing import MetaCost
from data.sending import Waba

EVERY = timedelta(days=1)
# Many a token may not read it at all.
AGAIN_AFTER = timedelta(hours=6)
# Meta answers for a year back, and corrects its newest figures for a few days.
LOOKS_BACK = timedelta(days=364)
CORRECTED_FOR = timedelta(days=7)
_MOST = 2**53  # what is larger is no count and no amount


@dataclass(frozen=True, slots=True)
class Charge:
    """One day, category and pricing type, in Meta's words in lower case. ``cost_micros`` None: none named."""

    start_at: datetime
    category: str
    kind: str
    messages: int
    cost_micros: int | None


def read_charges(said: Any) -> Iterator[Charge]:
    """Every data point that can be understood; others are passed over.

    *start 1764547200, volume 12, cost 0.54, pricing_category UTILITY, pricing_type REGULAR → on 2025-12-01,
    utility, regular: 12 messages for 540 000 micros.*
    """
    series = said.get("data") if isinstance(said, dict) else None
    for one in series if isinstance(series, list) else []:
        points = one.get("data_points") if isinstance(one, dict) else None
        for point in points if isinstance(points, list) else []:
            charge = _charge(point) if isinstance(point, dict) else None
            if charge is not None:
                yield charge


def store(unit: Unit, *, waba: Waba, since: datetime, charges: Iterator[Charge]) -> int:
    """Those of days that began at ``since`` or later replace what was known of them; a day that was asked for
    in part says too little. Returns how many are kept."""
    currency = word((waba.described or {}).get("currency"))
    kept: dict[tuple[datetime, str, str], Charge] = {}
    for charge in charges:
        key = (charge.start_at, charge.category, charge.kind)
        if charge.start_at >= since:
            kept[key] = _sum(kept[key], charge) if key in kept else charge
    for charge in kept.values():
        unit.session.merge(
            MetaCost(
                waba_id=waba.id,
                start_at=charge.start_at,
                category=charge.category,
                kind=charge.kind,
                workspace_id=waba.workspace_id,
                messages=charge.messages,
                cost_micros=charge.cost_micros if currency else None,
                currency=currency,
            )
        )
    waba.costs_read_at, waba.costs_due_at, waba.costs_error = unit.now, unit.now + EVERY, None
    unit.session.add(waba)
    return len(kept)


async def _copy(runtime: Runtime, identity: Identity, waba_id: str) -> None:
    def prepare() -> tuple[str, datetime]:
        with runtime.unit(identity) as unit:
            waba = waba_of(unit, waba_id)
            return token_of(unit, waba_id=waba.id), _since(waba, unit.now)

    token, since = await asyncio.to_thread(prepare)
    until = int(runtime.clock.now().timestamp())
    try:
        said = await runtime.graph.charges(
            waba_id=waba_id, token=token, since=int(since.timestamp()), until=until
        )
    except GraphError as error:
        raise refusal(error) from None

    def keep() -> None:
        with runtime.unit(identity, write=True) as unit:
            store(unit, waba=waba_of(unit, waba_id), since=since, charges=read_charges(said))

    await asyncio.to_thread(keep)


READING = Reading("costs_due_at", "costs_error", _copy, again_after=AGAIN_AFTER)


def _since(waba: Waba, now: datetime) -> datetime:
    oldest = now - LOOKS_BACK
    return oldest if waba.costs_read_at is None else max(oldest, waba.costs_read_at - CORRECTED_FOR)


def _charge(point: dict[str, Any]) -> Charge | None:
    start, messages = _whole(point.get("start")), _whole(point.get("volume"))
    if start is None or messages is None or start > 253_402_300_799:  # the year 9999
        return None
    return Charge(
        start_at=datetime.fromtimestamp(start, UTC),
        category=(word(point.get("pricing_category")) or "unknown").lower(),
        kind=(word(point.get("pricing_type")) or "unknown").lower(),
        messages=messages,
        cost_micros=_micros(point.get("cost")),
    )


def _whole(said: Any) -> int | None:
    return said if isinstance(said, int) and not isinstance(said, bool) and 0 <= said <= _MOST else None


def _micros(said: Any) -> int | None:
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said <= _MOST / 1_000_000:
        return None
    return int((Decimal(str(said)) * 1_000_000).to_integral_value(ROUND_HALF_UP))


def _sum(one: Charge, other: Charge) -> Charge:
    known = one.cost_micros is not None and other.cost_micros is not None
    cost = (one.cost_micros or 0) + (other.cost_micros or 0) if known else None
    return replace(one, messages=one.messages + other.messages, cost_micros=cost)
