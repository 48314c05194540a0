"""Whether a workspace may open another conversation: the free plan's stop and a hard budget (B7, B11).

Asked when a send is stored and again when it is claimed. What comes from customers is never refused.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import bindparam, text

from core.billing import periods
from core.billing.history import zones_of
from core.billing.money import exact
from core.billing.queries import MonthView, month_view
from core.conversations.commands import catch_up
from core.conversations.events import Pair
from core.errors import PlanLimit
from core.unit import Unit
from data.columns import to_micros
from data.enums import BudgetMode, PlanName
from data.people import Workspace

# What a limited workspace is, for statements that read workspaces anyway.
IS_LIMITED = (
    "(workspace.plan = 'free' "
    "OR (workspace.budget_mode = 'hard' AND workspace.monthly_budget_micros IS NOT NULL))"
)
_LIMITED = text(
    "SELECT phone.id, workspace.id FROM phone JOIN workspace ON workspace.id = phone.workspace_id "  # noqa: S608
    f"WHERE phone.id IN :phones AND {IS_LIMITED}"
).bindparams(bindparam("phones", expanding=True))
_OPEN = text(
    "SELECT phone_number_id, contact_id FROM conversation "
    "WHERE workspace_id = :workspace_id AND opened_at > :since AND closes_at > :now "
    "AND messages_in + messages_out > 0"
)
_ON_THE_WAY = text(
    "SELECT DISTINCT phone_number_id, contact_id FROM message "
    "WHERE workspace_id = :workspace_id AND state IN ('claimed', 'sending')"
)


@dataclass(slots=True)
class Gate:
    """``room``: how many more conversations may open. ``passing``: pairs whose conversation is open, or will
    be by a send that is on its way; replies to them need no room."""

    room: int
    refusal: Callable[[], PlanLimit]
    passing: set[Pair] = field(default_factory=set)

    def admit(self, pair: Pair) -> PlanLimit | None:
        """None, with the room taken, if a send to that pair may go; else why not."""
        if pair in self.passing:
            return None
        if self.room <= 0:
            return self.refusal()
        self.room -= 1
        self.passing.add(pair)
        return None


def beyond(unit: Unit, claimed: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """Of (message id, phone, contact) that are to go now, in that order: those that would open a conversation
    their workspace has no room for → the code of the refusal."""
    waiting = list(claimed)
    phones = list({phone for _, phone, _ in waiting})
    rows = unit.session.connection().execute(_LIMITED, {"phones": phones}).all() if phones else []
    workspaces = {row[0]: row[1] for row in rows}
    gates = {workspace_id: gate_of(unit, workspace_id) for workspace_id in sorted(set(workspaces.values()))}
    codes = {}
    for message_id, phone, contact in waiting:
        gate = gates.get(workspaces.get(phone, ""))
        refusal = gate.admit((phone, contact)) if gate is not None else None
        if refusal is not None:
            codes[message_id] = refusal.code
    return codes


def gate_of(unit: Unit, workspace_id: str) -> Gate | None:
    """The workspace's gate at this moment, held until the transaction ends; None where nothing limits it.

    *Free, 99 of 100 used, one send to somebody new on its way → room 0, and its pair passes.*
    """
    catch_up(unit, workspace_id)
    workspace = unit.session.get_one(Workspace, workspace_id)
    period = periods.period_of(zones_of(unit, workspace), unit.now)
    room, refusal = _room(workspace, month_view(unit, workspace, period))
    if refusal is None:
        return None
    opened = _pairs(unit, workspace_id)
    coming = _on_the_way(unit, workspace_id) - opened
    return Gate(room - len(coming), refusal, opened | coming)


def _room(workspace: Workspace, month: MonthView) -> tuple[int, Callable[[], PlanLimit] | None]:
    """How many conversations may still open this month, and what is said when none may."""
    rating, term = month.rating, month.terms[-1]
    covered = max(0, rating.included - rating.total)
    if workspace.plan is PlanName.FREE:
        return covered, partial(
            PlanLimit,
            f"The {rating.included:,} conversations that the free plan includes this month are used up. "
            "Answer where a conversation is open, or change the plan.",
            plan=workspace.plan.value,
            included=rating.included,
        )
    budget = workspace.monthly_budget_micros
    if workspace.budget_mode is not BudgetMode.HARD or budget is None or not term.overage_micros:
        return 0, None
    left = max(0, budget - rating.amount_micros)
    return covered + left // term.overage_micros, partial(
        PlanLimit,
        f"The month's budget of {exact(budget)} USD is reached. Answer where a conversation is open, or "
        "raise the budget.",
        code="budget_reached",
        budgetUSD=exact(budget),
        amountUSD=exact(rating.amount_micros),
    )


def _pairs(unit: Unit, workspace_id: str) -> set[Pair]:
    now = to_micros(unit.now)
    asked = {"workspace_id": workspace_id, "now": now, "since": now - 86_400_000_000}
    return {(row[0], row[1]) for row in unit.session.connection().execute(_OPEN, asked)}


def _on_the_way(unit: Unit, workspace_id: str) -> set[Pair]:
    rows = unit.session.connection().execute(_ON_THE_WAY, {"workspace_id": workspace_id})
    return {(row[0], row[1]) for row in rows}
