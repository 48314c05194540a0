"""What the billing pages share: plans and charges in words, and where the lists are that make up a figure."""

from urllib.parse import urlencode

from core.billing.comparison import PlanCost
from core.billing.money import exact
from data.enums import PlanName
from ui.format import number

PLANS = {plan: plan.value.capitalize() for plan in PlanName}


def conversations(**narrowed: str) -> str:
    """The address of the list that makes up a total."""
    return f"/conversations?{urlencode(narrowed)}"


def price(cost: PlanCost) -> str:
    """What each conversation beyond the included ones costs on that plan."""
    if cost.overage_micros is not None:
        return f"{exact(cost.overage_micros)} USD"
    return "not opened" if cost.plan is PlanName.FREE else "not charged"


def included(plan: PlanName, count: int) -> str:
    """*500*; on Enterprise the number is a fair-use mark, not a limit."""
    return f"{number(count)}, fair use" if plan is PlanName.ENTERPRISE else number(count)
