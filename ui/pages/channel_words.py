"""What the channels page says of channels and of what was said through them, in words."""

from core.alerts.channel_queries import ChannelRow, NoticeRow
from core.alerts.kinds import KINDS
from data.enums import ChannelKind, NoticeState, Severity
from ui.format import plural
from ui.pages.team_words import ROLE
from ui.parts.badge import Word

KIND: dict[ChannelKind, str] = {
    ChannelKind.MAIL: "Mail",
    ChannelKind.WEBHOOK: "Webhook",
    ChannelKind.SERVICE: "Service",
}
LEAST: dict[Severity, str] = {
    Severity.WARNING: "Warnings, and what is critical",
    Severity.CRITICAL: "What is critical, alone",
    Severity.INFO: "Everything, down to what is worth knowing",
}


def state(row: ChannelRow) -> Word:
    """On or off, and whether it gets through."""
    if not row.is_on:
        return ("Off", "grey")
    if row.last_error is not None:
        return ("Fails", "red")
    return ("Works", "green") if row.told_at is not None else ("Not tried yet", "blue")


def where(row: ChannelRow) -> str:
    """*Owners, oncall@northwind.example*, *https://hooks.example.com/…*, *Slack*."""
    if row.kind is not ChannelKind.MAIL:
        return row.target
    return ", ".join([*(f"{ROLE[role]}s" for role in row.form.roles), *row.form.addresses])


def tells(row: ChannelRow) -> str:
    """What it hears of."""
    least = LEAST[row.form.least]
    if not row.form.kinds:
        return least
    return f"{least}; {plural(len(row.form.kinds), 'kind')}"


def kinds(row: ChannelRow) -> str:
    return "; ".join(KINDS[kind].title for kind in row.form.kinds if kind in KINDS) or "All"


def quiet(row: ChannelRow) -> str:
    if not row.form.quiet_from:
        return "None"
    passing = "critical ones pass" if row.form.critical_passes else "critical ones wait too"
    return f"{row.form.quiet_from} to {row.form.quiet_until}, {passing}"


def standing(row: ChannelRow, notice: NoticeRow) -> Word:
    """What became of a notice."""
    match notice.state:
        case NoticeState.SENT:
            return ("Handed to the mail" if row.kind is ChannelKind.MAIL else "Taken", "green")
        case NoticeState.FAILED:
            return ("Failed", "red")
        case NoticeState.WAITING:
            return ("Waits for the end of quiet hours", "blue")
        case NoticeState.GATHERED:
            return ("In the digest", "grey")
        case NoticeState.UNSAID:
            return ("Not told: it was back at once", "grey")
    return ("Tried again soon", "amber") if notice.attempts else ("On its way", "blue")
