"""What changed at Meta, in order of Meta's time: each change is one row, and the newest is what holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlmodel import col, select

from core.alerts.commands import raise_alert, resolve_alert
from core.phones.reading import kept
from core.phones.verdicts import judge
from core.unit import Unit
from data.enums import ChangeSource, NodeAspect, NodeKind
from data.phones import Business, NodeChange
from data.sending import Phone, Waba

Node = Phone | Waba | Business

# Where the present state of an aspect stands.
_COLUMNS: Mapping[NodeAspect, str] = MappingProxyType(
    {
        NodeAspect.NAME: "verified_name",
        NodeAspect.NAME_STATUS: "name_status",
        NodeAspect.NEW_NAME_STATUS: "new_name_status",
        NodeAspect.QUALITY: "quality",
        NodeAspect.TIER: "messaging_tier",
        NodeAspect.THROUGHPUT: "throughput_level",
        NodeAspect.STATUS: "status",
        NodeAspect.REVIEW: "review_status",
        NodeAspect.RESTRICTION: "restriction",
        NodeAspect.VERIFICATION: "verification",
    }
)


@dataclass(frozen=True, slots=True)
class Word:
    """When Meta said it, and how we came to know."""

    at: datetime
    source: ChangeSource


def change(
    unit: Unit,
    node: Node,
    aspect: NodeAspect,
    after: str | None,
    *,
    word: Word,
    detail: dict[str, Any] | None = None,
) -> bool:
    """That aspect of the node is ``after``, unless something newer is known already; whether it changed.

    A word that comes late takes its place in the history and changes nothing else. The same word twice is
    one row. *10:00 GREEN; 10:20 RED; then a webhook of 10:10 that says YELLOW: GREEN → YELLOW → RED, and RED
    holds.* Every word of a webhook is kept, also one that says nothing new (before = after): a late one may
    come to stand before it. Of a sync only what is new is.
    """
    following = _next(unit, node, aspect, after=word.at)
    if following is not None:
        if not (following.source is ChangeSource.SYNC and following.after == after):  # the sync saw it first
            _insert_late(unit, node, aspect, after, following=following, word=word, detail=detail)
        return False
    attribute = _COLUMNS[aspect]
    before: str | None = getattr(node, attribute)
    if after == before and (word.source is ChangeSource.SYNC or _is_known(unit, node, aspect, after, word)):
        return False
    _add(unit, node, aspect, before, after, word=word, detail=detail)
    if after == before:
        return False
    setattr(node, attribute, after)
    unit.session.add(node)
    weigh(unit, node, aspect, before=before, after=after)
    return True


def learn(unit: Unit, node: Node, aspect: NodeAspect, state: str) -> None:
    """The node is seen for the first time: that is no change, though it may be worth an alert."""
    setattr(node, _COLUMNS[aspect], state)
    weigh(unit, node, aspect, before=None, after=state)


def event(
    unit: Unit,
    node: Node,
    aspect: NodeAspect,
    happened: str,
    *,
    word: Word,
    detail: dict[str, Any] | None = None,
) -> bool:
    """Something happened that leaves no state behind; whether it was not known yet."""
    if _is_known(unit, node, aspect, happened, word):
        return False
    _add(unit, node, aspect, None, happened, word=word, detail=detail)
    return True


def weigh(unit: Unit, node: Node, aspect: NodeAspect, *, before: str | None, after: str | None) -> None:
    """What a change is worth is said as an alert, or ends one. A business speaks through its accounts."""
    verdict = judge(aspect, before, after)
    if verdict is None or isinstance(node, Business):
        return
    about: dict[str, Any] = {
        "kind": verdict.kind,
        "subject": f"{kind_of(node)}:{node.id}",
        "workspace_id": node.workspace_id,
    }
    if verdict.severity is None:
        resolve_alert(unit, **about)
        return
    raise_alert(
        unit,
        **about,
        severity=verdict.severity,
        title=f"{name_of(node)} {verdict.happened}",
        link=f"/phones/{node.id}" if isinstance(node, Phone) else "/phones",
    )


def kind_of(node: Node) -> NodeKind:
    match node:
        case Phone():
            return NodeKind.PHONE
        case Waba():
            return NodeKind.WABA
        case Business():
            return NodeKind.BUSINESS


def name_of(node: Node) -> str:
    return (node.verified_name if isinstance(node, Phone) else node.name) or node.id


def _of(node: Node, aspect: NodeAspect) -> Any:
    return select(NodeChange).where(
        col(NodeChange.workspace_id) == node.workspace_id,
        col(NodeChange.subject) == node.id,
        col(NodeChange.aspect) == aspect,
    )


def _next(unit: Unit, node: Node, aspect: NodeAspect, *, after: datetime) -> NodeChange | None:
    """The first that Meta said later than ``after``."""
    later = _of(node, aspect).where(col(NodeChange.at) > after)
    found: NodeChange | None = unit.session.exec(
        later.order_by(col(NodeChange.at), col(NodeChange.id)).limit(1)
    ).first()
    return found


def _is_known(unit: Unit, node: Node, aspect: NodeAspect, after: str | None, word: Word) -> bool:
    same = _of(node, aspect).where(col(NodeChange.at) == word.at, col(NodeChange.after) == after)
    return unit.session.exec(same.limit(1)).first() is not None


def _insert_late(
    unit: Unit,
    node: Node,
    aspect: NodeAspect,
    after: str | None,
    *,
    following: NodeChange,
    word: Word,
    detail: dict[str, Any] | None,
) -> None:
    if _is_known(unit, node, aspect, after, word):
        return
    _add(unit, node, aspect, following.before, after, word=word, detail=detail)
    following.before = after
    unit.session.add(following)


def _add(
    unit: Unit,
    node: Node,
    aspect: NodeAspect,
    before: str | None,
    after: str | None,
    *,
    word: Word,
    detail: dict[str, Any] | None,
) -> None:
    unit.session.add(
        NodeChange(
            id=unit.new_id("chg"),
            workspace_id=node.workspace_id,
            kind=kind_of(node),
            subject=node.id,
            aspect=aspect,
            before=before,
            after=after,
            detail=kept(detail) if detail else None,
            at=word.at,
            noticed_at=unit.now,
            source=word.source,
        )
    )
    unit.session.flush()
