"""What people do about webhooks: apply them again."""

from sqlmodel import col, update

from core.errors import Conflict, Impossible
from core.inbox.queries import DeliveryFilter, narrow
from core.moments import rfc3339
from core.ports.bell import Due
from core.unit import Unit
from data.enums import DeliveryState
from data.inbox import Delivery

# One transaction marks them all, and whoever sends waits for it meanwhile: about 0.1 s.
REPLAY_AT_ONCE = 10_000


def replay(unit: Unit, delivery_id: str) -> None:
    """The delivery is applied again, from its raw body. What was applied before stays as it is."""
    unit.require("webhooks.replay")
    found = unit.find(Delivery, delivery_id, called="delivery", lock=True)
    if found.body is None:
        raise Conflict(
            "Its raw body went when somebody whom it named was erased, so it cannot be applied again.",
            code="raw_body_gone",
        )
    if found.state is DeliveryState.PENDING:
        raise Conflict("This delivery is waiting to be applied already.", code="already_pending")
    before = {"state": found.state.value}
    found.state = DeliveryState.PENDING
    unit.session.add(found)
    unit.record("webhook.replayed", f"delivery:{found.id}", before=before)
    unit.ring(Due.WEBHOOKS)


def replay_matching(unit: Unit, wanted: DeliveryFilter) -> int:
    """All deliveries that match are applied again, oldest first; returns how many. At most
    ``REPLAY_AT_ONCE``: Impossible ``too_many`` asks for a narrower filter."""
    unit.require("webhooks.replay")
    matching = (
        narrow(unit, wanted)
        .where(col(Delivery.body).is_not(None), col(Delivery.state) != DeliveryState.PENDING)
        .with_only_columns(col(Delivery.id))
    )
    ids = unit.session.scalars(matching.limit(REPLAY_AT_ONCE + 1)).all()
    if len(ids) > REPLAY_AT_ONCE:
        raise Impossible(
            f"More than {REPLAY_AT_ONCE:,} deliveries match. Choose a narrower range of time, and replay one "
            "after another.",
            code="too_many",
        )
    unit.session.exec(
        update(Delivery).where(col(Delivery.id).in_(matching)).values(state=DeliveryState.PENDING)
    )
    unit.record("webhooks.replayed", "deliveries", after=_facts(wanted) | {"count": len(ids)})
    unit.ring(Due.WEBHOOKS)
    return len(ids)


def _facts(wanted: DeliveryFilter) -> dict[str, str | None]:
    return {
        "state": wanted.state.value if wanted.state else None,
        "phone": wanted.phone_number_id,
        "from": rfc3339(wanted.since) if wanted.since else None,
        "until": rfc3339(wanted.until) if wanted.until else None,
    }
