"""Whose a webhook is: messages find their workspace by the phone, everything else by the account."""

from collections.abc import Iterable

from core.unit import Unit
from data.engine import Keyed

_OWNERS = Keyed(
    "SELECT id, workspace_id FROM phone WHERE id {among} "
    "UNION ALL SELECT id, workspace_id FROM waba WHERE id {among}"
)


def owners(unit: Unit, named: Iterable[str]) -> dict[str, str]:
    """Phone number id or WABA id → its workspace; those of nobody are absent."""
    return {row[0]: row[1] for row in _OWNERS.rows(unit.session.connection(), sorted(named))}
