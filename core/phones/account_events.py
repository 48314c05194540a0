"""``account_update``: bans, restrictions, violations, verification, and the rest as events."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from core.phones import history
from core.phones.reading import inner, moment_of, shouted, verification_of
from core.phones.told import Told
from data.enums import NodeAspect
from data.phones import Business

# What Meta says while it takes an account's sending away, and what gives it back.
_LEAVING = frozenset({"ACCOUNT_DELETED", "ACCOUNT_OFFBOARDED"})
_RETURNING = frozenset({"ACCOUNT_RECONNECTED"})
_STOPS = _LEAVING | {"DISABLE"}
_BOTH_WAYS = frozenset({"RESTRICTED_BIZ_INITIATED_MESSAGING", "RESTRICTED_CUSTOMER_INITIATED_MESSAGING"})


def apply_event(told: Told) -> None:
    """The account's state follows; what leaves none behind is an event of its history."""
    event = told.text("event")
    if event is None:
        return
    apply = _EVENTS.get(event)
    if apply is not None:
        apply(told)
    elif event in _LEAVING:
        _restrict(told, event)
    else:
        if event in _RETURNING:
            _return(told)
        history.event(told.unit, told.waba, NodeAspect.EVENT, event, word=told.word, detail=told.value)


def stops_sending(restriction: str | None) -> bool:
    """Whether nothing at all may be sent under it. *DISABLE → yes; only business-initiated → no: replies
    still pass.*"""
    words = set((restriction or "").split(", "))
    return bool(words & _STOPS) or words >= _BOTH_WAYS


def _ban(told: Told) -> None:
    state = shouted(inner(told.value.get("ban_info"), "waba_ban_state"))
    if state == "REINSTATE":
        _restrict(told, None)
    elif state is not None:
        _restrict(told, state)


def _restriction(told: Told) -> None:
    """Several may be in force at once; the latest end of any is when all are over."""
    entries = told.value.get("restriction_info")
    entries = [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    kinds = sorted({kind for each in entries if (kind := shouted(each.get("restriction_type")))})
    ends = [moment_of(each.get("expiration")) for each in entries]
    if kinds and _restrict(told, ", ".join(kinds)):
        told.waba.restricted_until = max((end for end in ends if end), default=None) if all(ends) else None


def _violation(told: Told) -> None:
    kind = shouted(inner(told.value.get("violation_info"), "violation_type"))
    history.event(
        told.unit, told.waba, NodeAspect.VIOLATION, kind or "UNKNOWN", word=told.word, detail=told.value
    )


def _verified(told: Told) -> None:
    _verify(told, "verified")


def _certification(told: Told) -> None:
    """How verification goes where a partner leads it."""
    state = verification_of(inner(told.value.get("partner_client_certification_info"), "status"))
    if state is not None:
        _verify(told, {"approved": "verified"}.get(state, state))


def _verify(told: Told, state: str) -> None:
    history.change(told.unit, told.waba, NodeAspect.VERIFICATION, state, word=told.word, detail=told.value)
    if told.waba.business_id is not None:
        business = told.unit.session.get(Business, (told.waba.workspace_id, told.waba.business_id))
        if business is not None:
            history.change(told.unit, business, NodeAspect.VERIFICATION, state, word=told.word)


def _restrict(told: Told, restriction: str | None) -> bool:
    changed = history.change(
        told.unit, told.waba, NodeAspect.RESTRICTION, restriction, word=told.word, detail=told.value
    )
    if changed:
        told.waba.restricted_until = None
    return changed


def _return(told: Told) -> None:
    """Undoes a leaving, not a ban."""
    if told.waba.restriction is None or told.waba.restriction in _LEAVING:
        _restrict(told, None)


_EVENTS: Mapping[str, Callable[[Told], None]] = MappingProxyType(
    {
        "DISABLED_UPDATE": _ban,
        "ACCOUNT_RESTRICTION": _restriction,
        "ACCOUNT_VIOLATION": _violation,
        "VERIFIED_ACCOUNT": _verified,
        "PARTNER_CLIENT_CERTIFICATION_STATUS_UPDATE": _certification,
    }
)
