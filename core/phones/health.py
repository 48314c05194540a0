"""``health_status``: why a number can or cannot send, in Meta's own words, whatever their shape."""

from dataclasses import dataclass
from typing import Any

from core.phones.reading import clean, shouted, word

TEXT_MAX = 1_000
AT_MOST = 20


@dataclass(frozen=True, slots=True)
class HealthProblem:
    code: str | None
    description: str
    solution: str


@dataclass(frozen=True, slots=True)
class HealthPart:
    """One part that sending needs. ``kind`` and ``can_send`` are Meta's words, UNKNOWN where it gave none."""

    kind: str
    id: str | None
    can_send: str
    problems: list[HealthProblem]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class PhoneHealth:
    """``can_send``: AVAILABLE, LIMITED, BLOCKED, or whatever Meta says; UNKNOWN when it says nothing."""

    can_send: str
    parts: list[HealthPart]


def understand(said: Any) -> PhoneHealth:
    """``health_status`` read without trusting its shape: what is not there or not right is UNKNOWN."""
    whole = said if isinstance(said, dict) else {}
    return PhoneHealth(
        can_send=shouted(whole.get("can_send_message")) or "UNKNOWN",
        parts=[_part(each) for each in _objects(whole.get("entities"))],
    )


def _part(entity: dict[str, Any]) -> HealthPart:
    notes = entity.get("additional_info")
    return HealthPart(
        kind=shouted(entity.get("entity_type")) or "UNKNOWN",
        id=word(entity.get("id")),
        can_send=shouted(entity.get("can_send_message")) or "UNKNOWN",
        problems=[
            HealthProblem(
                code=word(each.get("error_code")),
                description=_text(each.get("error_description")),
                solution=_text(each.get("possible_solution")),
            )
            for each in _objects(entity.get("errors"))
        ],
        notes=[_text(each) for each in notes[:AT_MOST] if _text(each)] if isinstance(notes, list) else [],
    )


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value[:AT_MOST] if isinstance(each, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return clean(value[:TEXT_MAX]).strip() if isinstance(value, str) else word(value) or ""
