"""Direct sends that join the queue: their template is held (Q7), or their pair has to wait (Q5)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from core.lanes.now import LaneNow
from core.lanes.queries import held_templates
from core.messaging import pairs
from core.messaging.pairs import Pair
from core.unit import Unit
from data.sending import Template


@dataclass(slots=True)
class Detours:
    """What a batch of sends has to know. Nothing is asked where nothing is held or slowed."""

    held: frozenset[str]
    limits: dict[Pair, tuple[datetime | None, datetime | None]]
    is_strict: bool
    now: datetime
    _ahead: dict[Pair, datetime] = field(default_factory=dict)

    def must_wait(self, template: Template | None, pair: Pair) -> bool:
        """Whether a send of that template (None: a text) joins the queue. One that need not takes its share
        of the pair's."""
        if template is not None and template.id in self.held:
            return True
        until, owed_until = self.limits.get(pair, (None, None))
        if until is not None and until > self.now:
            return True
        if not self.is_strict:
            return False
        owed_until = self._ahead.get(pair, owed_until)
        if pairs.may_go_at(owed_until, now=self.now) > self.now:
            return True
        self._ahead[pair] = pairs.owed_after(owed_until, now=self.now)
        return False


def detours(unit: Unit, lanes: Collection[LaneNow], wanted: Iterable[Pair]) -> Detours:
    """``lanes``: those of the batch; ``wanted``: the pairs of its sends to contacts that there are."""
    is_strict = unit.settings.waypost_pair_limit
    slowed = {lane.phone_number_id for lane in lanes if is_strict or lane.has_slowed_pairs}
    return Detours(
        held=held_templates(unit) if any(lane.has_held_templates for lane in lanes) else frozenset(),
        limits=pairs.limits_of(unit, {pair for pair in wanted if pair[0] in slowed}),
        is_strict=is_strict,
        now=unit.now,
    )


def charge(unit: Unit, sent: Iterable[Pair]) -> None:
    """Each of those that go at once counts for its pair, where a setting asks for Meta's rule beforehand."""
    if not unit.settings.waypost_pair_limit:
        return
    counted = list(sent)
    owed: dict[Pair, datetime] = {}
    limits = pairs.limits_of(unit, set(counted))
    for pair in counted:
        owed_until = owed.get(pair, limits.get(pair, (None, None))[1])
        owed[pair] = pairs.owed_after(owed_until, now=unit.now)
    pairs.write_owed(unit, owed.items())
