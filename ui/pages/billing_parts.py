"""The parts of the billing page that only show: warnings, use of what is included, by number, by opener."""

from collections.abc import Mapping, Sequence

from core.billing.queries import MonthView, PhoneCount
from core.phones.queries import PhoneChoice
from data.enums import BudgetMode, PlanName
from ui.format import day_name, number, plural, usd
from ui.pages.billing_words import conversations
from ui.parts.badge import Tone
from ui.parts.callout import callout
from ui.parts.empty import empty
from ui.parts.facts import lines
from ui.parts.figures import Figure, figures
from ui.parts.text import box, text

Warning_ = tuple[str, str, str, Tone]  # title, what it means, what to do, tone


def warnings(month: MonthView) -> list[Warning_]:
    """What a person must know before anything else; of a month that is over nothing."""
    if not month.is_running:
        return []
    said: list[Warning_] = []
    is_reached = "Replies where a conversation is open still go, and customers can always write."
    if month.is_at_its_stop:
        said.append(
            (
                "The free plan's conversations are used up",
                f"Sends that would open a new conversation are refused until the month ends. {is_reached}",
                "To send on, change the plan below.",
                "red",
            )
        )
    if month.budget_micros is not None and month.is_over_budget:
        is_hard = month.budget_mode is BudgetMode.HARD
        said.append(
            (
                f"The month's budget of {usd(month.budget_micros)} is reached",
                f"Sends that would open a new conversation are refused. {is_reached}"
                if is_hard
                else "It is soft: nothing is refused.",
                "An owner can raise it below.",
                "red" if is_hard else "amber",
            )
        )
    return said


def draw_warnings(said: Sequence[Warning_]) -> None:
    for title, happened, advice, tone in said:
        callout(title, happened, advice=advice, tone=tone)


def draw_usage(month: MonthView) -> None:
    """The included conversations as a bar: used, beyond, and where the pace leads."""
    rating, expected = month.rating, month.forecast
    with box("usedof"):
        text(number(month.used), "big num", tag="b")
        text(f"of {number(rating.included)} used", "num")
        if rating.total > rating.included:
            text(f"and {number(rating.total - rating.included)} beyond", "num ink-amber")
        if month.plan is PlanName.ENTERPRISE:
            text("a mark of fair use: nothing beyond it is charged")
    whole = max(1, rating.included, rating.total, expected.total)
    with box("usebar", role="img", label=_bar_in_words(month)):
        _part("used", month.used, whole)
        _part("beyond", rating.total - month.used, whole)
        _part("expected", expected.total - rating.total, whole)
        if rating.included < whole:
            box("mark").style(f"left: {100 * rating.included / whole:.2f}%")
    with box("legend"):
        for name, tone, is_there in (
            ("Used", "brand", True),
            ("Beyond what is included", "amber", rating.total > rating.included),
            ("Forecast", "grey", month.is_running),
            ("Included", "mark", rating.included < whole),
        ):
            if is_there:
                with box(f"tone-{tone}", tag="span"):
                    text(name)
    shown = [("Explained", f"{month.explanation} USD" if rating.billable else month.explanation)]
    if month.is_running:
        shown.append(("Pace", f"{plural(month.per_day, 'conversation')} a day"))
        shown.append(("Forecast", f"{_forecast(month)} if it goes on like this"))
    lines(shown)


def draw_phones(month: str, counts: Sequence[PhoneCount], names: Mapping[str, PhoneChoice]) -> None:
    if not counts:
        empty("Nothing yet", "Each number that had a conversation stands here.", icon_name="smartphone")
        return
    figures(
        "Conversations by number",
        ("Number", "By customers", "By you", "Together"),
        [
            (
                _number(each, names),
                _linked(each.customer, month=month, phone=each.phone_number_id, by="customer"),
                _linked(each.business, month=month, phone=each.phone_number_id, by="business"),
                _linked(each.customer + each.business, month=month, phone=each.phone_number_id),
            )
            for each in counts
        ],
    )


def draw_openers(month: str, counts: Sequence[PhoneCount]) -> None:
    customer = sum(each.customer for each in counts)
    business = sum(each.business for each in counts)
    if not customer + business:
        empty("Nothing yet", "Either side opens a conversation with its first message.", icon_name="users")
        return
    figures(
        "Conversations by who opened them",
        ("Opened by", "Conversations"),
        [
            ("Customers", _linked(customer, month=month, by="customer")),
            ("You", _linked(business, month=month, by="business")),
        ],
        total=("Together", _linked(customer + business, month=month)),
    )


def _number(each: PhoneCount, names: Mapping[str, PhoneChoice]) -> Figure:
    choice = names.get(each.phone_number_id)
    if choice is None:
        return Figure(each.phone_number_id)
    return Figure(choice.verified_name or choice.display_number, sub=choice.display_number)


def _linked(count: int, **narrowed: str) -> Figure:
    return Figure(number(count), target=conversations(**narrowed) if count else "")


def _part(name: str, count: int, whole: int) -> None:
    if count > 0:
        box(name).style(f"width: {100 * count / whole:.2f}%")


def _forecast(month: MonthView) -> str:
    expected = month.forecast
    said = f"{plural(expected.total, 'conversation')} by {day_name(month.period.last_day)}"
    if month.plan is PlanName.FREE:
        return said
    return f"{said}, {usd(expected.amount_micros)},"


def _bar_in_words(month: MonthView) -> str:
    rating = month.rating
    said = f"{number(rating.total)} used, {number(rating.included)} included"
    return f"{said}, {number(month.forecast.total)} expected" if month.is_running else said
