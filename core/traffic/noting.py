"""Counting what just happened, in the transaction in which it did."""

import json
from collections import Counter

from core.traffic.measures import MINUTE_US, Counts
from core.unit import Unit
from data.columns import to_micros
from data.engine import execute_many

TEXTS = "-"  # what stands for a template's name where there is none

_ADD = (
    "INSERT INTO traffic_change (workspace_id, minute, phone_number_id, template_name, counts) "
    "VALUES (:workspace_id, :minute, :phone_number_id, :template_name, :counts)"
)


class Noted:
    """Gathers counts; ``write`` leaves one row for each workspace, phone and template among them."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str], Counts] = {}

    def of_message(self, workspace_id: str, phone_number_id: str, template_name: str | None) -> Counts:
        """What counts for messages of that phone and template, to add to."""
        return self._counts.setdefault((workspace_id, phone_number_id, template_name or TEXTS), Counter())

    def of_workspace(self, workspace_id: str) -> Counts:
        """What counts for no phone of it."""
        return self._counts.setdefault((workspace_id, "", ""), Counter())

    def write(self, unit: Unit) -> None:
        minute = to_micros(unit.now) // MINUTE_US
        rows = [
            {
                "workspace_id": workspace_id,
                "minute": minute,
                "phone_number_id": phone_number_id,
                "template_name": template_name,
                "counts": json.dumps(counts),
            }
            for (workspace_id, phone_number_id, template_name), counts in self._counts.items()
            if counts
        ]
        if rows:
            execute_many(unit.session.connection(), _ADD, rows)
        self._counts = {}
