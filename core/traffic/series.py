"""Traffic over a span of time, for a picture of it: the same few rows whatever was sent."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import col, or_, select

from core.errors import Malformed
from core.traffic.folding import DAY, HOUR, KEPT_MINUTES, MINUTE
from core.traffic.measures import MINUTE_US, Counts
from core.traffic.noting import TEXTS
from core.unit import Unit
from data.columns import from_micros, to_micros
from data.traffic import Traffic

BARS_MAX = 72
SPAN_MAX = timedelta(days=366)
# Widths of a bar in minutes that a clock or calendar knows.
WIDTHS = (1, 2, 5, 10, 15, 20, 30, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 7 * DAY)


@dataclass(frozen=True, slots=True)
class Slot:
    """What was counted from ``at`` on, for the width of a bar."""

    at: datetime
    counts: Counts


@dataclass(frozen=True, slots=True)
class Series:
    """``slots``: oldest first, without a gap, each ``width`` wide. ``total`` of them; ``before``: the total
    of the span that it is compared with."""

    slots: tuple[Slot, ...]
    width: timedelta
    total: Counts
    before: Counts


def series(
    unit: Unit,
    *,
    since: datetime,
    until: datetime,
    phone_number_id: str = "",
    template_name: str = "",
    apart: timedelta | None = None,
) -> Series:
    """The whole bars that touch the span. Days are those of UTC. What lies further back than minutes or hours
    are kept is told by the next wider slot that is. ``apart``: how far back the span lies that it is compared
    with; the one just before it when that is not said."""
    unit.require("monitoring.view")
    if not timedelta(0) < until - since <= SPAN_MAX:
        raise Malformed.field("until", "must be later than from, by a year at most")
    first, last = to_micros(since) // MINUTE_US, -(-to_micros(until) // MINUTE_US)
    back = last - first if apart is None else apart // timedelta(minutes=1)
    step, width = plan(first, last, now=to_micros(unit.now) // MINUTE_US, back=back)
    first, last = first - first % width, last + -last % width
    back = last - first if apart is None else back
    found: dict[int, Counts] = {slot: Counter() for slot in range(first, last, width)}
    before: Counts = Counter()
    rows = unit.session.execute(
        select(Traffic.slot, Traffic.counts).where(
            col(Traffic.workspace_id) == unit.workspace_id,
            col(Traffic.step) == step,
            col(Traffic.phone_number_id) == phone_number_id,
            col(Traffic.template_name) == template_name,
            or_(
                col(Traffic.slot).between(first, last - 1),
                col(Traffic.slot).between(first - back, last - back - 1),
            ),
        )
    )
    for slot, counts in rows:
        place = before if slot < first else found[slot - slot % width]
        place.update(counts)
    total: Counts = Counter()
    for counts in found.values():
        total.update(counts)
    slots = tuple(Slot(from_micros(slot * MINUTE_US), counts) for slot, counts in sorted(found.items()))
    return Series(slots, timedelta(minutes=width), total, before)


def templates_of(unit: Unit) -> list[str]:
    """The names of templates that something was counted for, texts left out."""
    unit.require("monitoring.view")
    names = (
        select(Traffic.template_name)
        .where(
            col(Traffic.workspace_id) == unit.workspace_id,
            col(Traffic.step) == DAY,
            col(Traffic.phone_number_id) == "",
            col(Traffic.template_name).not_in(["", TEXTS]),
        )
        .distinct()
        .order_by(col(Traffic.template_name))
    )
    return list(unit.session.exec(names))


def plan(first: int, last: int, *, now: int, back: int) -> tuple[int, int]:
    """(step of the rows, width of a bar) in minutes, for a span of minutes counted from 1970 and the one that
    lies ``back`` before it: the finest that is still kept, in so few bars that each can be seen.

    >>> plan(0, 60, now=60, back=60), plan(0, 1440, now=1440, back=1440)
    ((1, 1), (1, 20))
    """
    reach = now - (first - back)
    step = next((each for each in (MINUTE, HOUR) if reach <= KEPT_MINUTES[each]), DAY)
    least = max(step, -(-(last - first) // BARS_MAX))
    return step, next((each for each in WIDTHS if each >= least and each % step == 0), WIDTHS[-1])
