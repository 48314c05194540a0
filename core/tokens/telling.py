"""Telling people of a token that needs one of them (K2): one alert, and mail as its end comes nearer."""

from datetime import datetime

from core.alerts.commands import raise_alert, resolve_alert
from core.alerts.kinds import kind_of
from core.mail.commands import send_mail
from core.team.people import addresses
from core.tokens import rules
from core.unit import Unit
from data.enums import Role
from data.sending import AccessToken, Waba

ALERT = "token_refresh_failed"
PAGE = "/tokens"
_REPLACE = (
    "Make a new token in Meta's Business Settings, under Users, System users, and put it in on the Tokens "
    "page with Replace. Messages that wait then go by themselves."
)


def needs_person(unit: Unit, token: AccessToken, why: str) -> None:
    """An alert is open and says why. Owners and platform admins have mail, once now and once again when 7, 3
    and 1 days are left, and when none is."""
    token.needs_attention = True
    token.last_error = why
    account = unit.session.get_one(Waba, token.waba_id)
    ends = _ends(token.expires_at, now=unit.now)
    is_over = token.refused_at is not None or ends.startswith("It expired")
    title = "An access token no longer works" if is_over else kind_of(ALERT).title
    days = 0 if is_over else rules.days_told(token.expires_at, now=unit.now)
    is_nearer = token.told_days is not None and days < token.told_days
    raise_alert(
        unit,
        kind=ALERT,
        subject=token.waba_id,
        severity=kind_of(ALERT).severity,
        title=title,
        detail=f"{account.name}: {why} {ends}".strip(),
        workspace_id=token.workspace_id,
        link=PAGE,
        escalates=is_nearer,
    )
    if token.told_days is None or is_nearer:
        token.told_days = days
        _mail(unit, token, f"{title}: {account.name}", why=f"{why} {ends}".strip())


def is_well_again(unit: Unit, token: AccessToken, *, let_go: int) -> None:
    """Nobody needs to do anything: the alert is over and says how many messages were let go, and the next
    trouble is told anew."""
    token.needs_attention = False
    token.told_days = None
    token.last_error = None
    released = f"{let_go:,} {'message was' if let_go == 1 else 'messages were'} released."
    resolve_alert(
        unit,
        kind=ALERT,
        subject=token.waba_id,
        workspace_id=token.workspace_id,
        outcome=f"Token renewed: {released}" if let_go else "Token renewed; no message waited.",
    )


def _mail(unit: Unit, token: AccessToken, subject: str, *, why: str) -> None:
    for address in addresses(unit, token.workspace_id, roles=(Role.OWNER,)):
        send_mail(
            unit,
            to=address,
            subject=subject,
            text=(
                f"The access token of WhatsApp Business Account {token.waba_id} needs you.\n\n{why}\n\n"
                f"What to do: {_REPLACE}\n\n{unit.settings.public_url}{PAGE}\n"
            ),
            kind="token",
            workspace_id=token.workspace_id,
        )


def _ends(expires_at: datetime | None, *, now: datetime) -> str:
    if expires_at is None:
        return ""
    if expires_at <= now:
        return "It expired; the numbers of the account send nothing."
    hours = int((expires_at - now).total_seconds() // 3600)
    if hours < 48:
        return f"It expires in {hours} {'hour' if hours == 1 else 'hours'}."
    return f"It expires in {hours // 24} days."
