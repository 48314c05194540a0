"""What a bulk redrive would do, before it does (Q10)."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select as select_columns
from sqlmodel import col, func

from core.dead_letters.skipping import held_phones, skip_reason, template_of_message
from core.lanes.pace import PhonePace, limits_now
from core.ports.meta_errors import ErrorClass, explain
from core.unit import Unit
from data.messages import DeadLetter, Message
from data.sending import Phone, Template


@dataclass(frozen=True, slots=True)
class DryRun:
    """``count`` match, of which ``going`` would be sent. ``by_error_code`` and ``by_class`` are of those that
    match; ``skipped``: reason → letters that stay, most first. ``pace``: messages a second that the lanes
    let through of what was asked for."""

    count: int
    going: int
    by_error_code: dict[str, int]
    by_class: dict[ErrorClass, int]
    skipped: dict[str, int]
    pace: float
    estimated_s: int


def try_redrive(unit: Unit, letter_ids: Any, *, rate_per_second: int, include_unknown: bool) -> DryRun:
    """``letter_ids`` selects the ids of what matches; those that are open count."""
    reason = skip_reason(held=held_phones(unit), include_unknown=include_unknown, now=unit.now)
    letters = (
        select_columns(
            col(DeadLetter.error_code).label("code"),
            col(DeadLetter.phone_number_id).label("phone"),
            reason.label("reason"),
        )
        .join(Message, col(Message.id) == col(DeadLetter.message_id))
        .join(Phone, col(Phone.id) == col(Message.phone_number_id))
        .outerjoin(Template, template_of_message())
        .where(
            col(DeadLetter.workspace_id) == unit.workspace_id,
            col(DeadLetter.state) == "open",
            col(DeadLetter.id).in_(letter_ids),
        )
        .subquery()
    )
    key = (letters.c.code, letters.c.phone, letters.c.reason)
    codes: Counter[str] = Counter()
    classes: Counter[ErrorClass] = Counter()
    skipped: Counter[str] = Counter()
    phones: set[str] = set()
    for code, phone, why, count in unit.session.execute(select_columns(*key, func.count()).group_by(*key)):
        codes[code] += count
        classes[explain(code).klass] += count
        if why is not None:
            skipped[why] += count
        else:
            phones.add(phone)
    count = codes.total()
    going = count - skipped.total()
    pace = min(float(rate_per_second), float(sum(lane_limits(unit, phones).values()) or rate_per_second))
    return DryRun(
        count=count,
        going=going,
        by_error_code=dict(codes.most_common()),
        by_class=dict(classes.most_common()),
        skipped=dict(skipped.most_common()),
        pace=pace,
        estimated_s=math.ceil(going / pace),
    )


def lane_limits(unit: Unit, phones: set[str]) -> dict[str, int]:
    """phone → messages it may send a second now, at least one."""
    plan = unit.workspace().plan
    rows = unit.session.exec(unit.scoped(Phone).where(col(Phone.id).in_(phones)))
    paces = [PhonePace(row.id, plan, row.throughput_level, row.own_limit) for row in rows]
    return {phone: max(1, limit) for phone, limit in limits_now(unit, paces).items()}
