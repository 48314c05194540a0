"""What a channel is made of, as a person fills it in, and what may be in it (A3)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from core import access
from core.alerts.kinds import KINDS
from core.errors import Impossible, Malformed
from core.mail.rules import mail_address
from core.ports import outward, services
from core.settings import Settings
from data.enums import ChannelKind, Role, Severity

NAME_MAX = 80
ADDRESSES_MAX = 20
SEEN_BY = "alerts.view"
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class ChannelForm:
    """``target``: the address of a webhook or service; empty keeps the one there is. ``kinds`` empty: all.
    ``quiet_from`` and ``quiet_until``: *22:00*, *07:00*, or both empty."""

    name: str
    kind: ChannelKind
    roles: Sequence[Role] = ()
    addresses: Sequence[str] = ()
    target: str = field(default="", repr=False)
    least: Severity = Severity.WARNING
    kinds: Sequence[str] = ()
    quiet_from: str = ""
    quiet_until: str = ""
    critical_passes: bool = True
    of_platform: bool = False


def make_ready(form: ChannelForm) -> None:
    """To be called before the transaction that takes the form: the first service takes a second to check."""
    if form.kind is ChannelKind.SERVICE:
        services.make_ready()


def told_roles() -> tuple[Role, ...]:
    """Who may see alerts, and so be told of them by role."""
    return access.who_can(SEEN_BY)


def sound_name(form: ChannelForm) -> str:
    name = " ".join("".join(each if each.isprintable() else " " for each in form.name).split())
    if not 1 <= len(name) <= NAME_MAX:
        raise Malformed.field("name", f"must have 1 to {NAME_MAX} characters")
    return name


def sound_people(form: ChannelForm) -> tuple[list[str], list[str]]:
    """Roles and addresses of a mail channel, each once."""
    beyond = [role for role in form.roles if role not in told_roles()]
    if beyond:
        raise Impossible(
            f"{beyond[0].value.capitalize()}s may not see alerts, so they are not told of them by role. "
            "Add their addresses.",
            code="channel_role",
        )
    addresses = list(dict.fromkeys(mail_address(each) for each in form.addresses if each.strip()))
    if len(addresses) > ADDRESSES_MAX:
        raise Impossible(f"A channel has at most {ADDRESSES_MAX} addresses.", code="too_many_addresses")
    if not form.roles and not addresses:
        raise Impossible("Choose a role or give an address: nobody would be told.", code="channel_empty")
    return [role.value for role in told_roles() if role in form.roles], addresses


def sound_target(form: ChannelForm, settings: Settings) -> tuple[str, str]:
    """The address, and as much of it as may be seen. Impossible ``channel_target`` says what is wrong,
    without repeating it."""
    url = form.target.strip()
    port = outward if form.kind is ChannelKind.WEBHOOK else services
    may_be_private = settings.waypost_alerts_private_targets
    if len(url) > outward.URL_MAX or not url.isprintable():
        raise Impossible("The address is too long, or not one line.", code="channel_target")
    problem = port.wrong_with(url, may_be_private=may_be_private)
    if problem:
        raise Impossible(problem, code="channel_target")
    return url, port.shown(url)


def sound_kinds(form: ChannelForm) -> list[str]:
    unknown = [kind for kind in form.kinds if kind not in KINDS]
    if unknown:
        raise Malformed.field("kinds", "must be kinds of alert")
    return [kind for kind in KINDS if kind in form.kinds]


def sound_quiet(form: ChannelForm) -> tuple[int, int] | tuple[None, None]:
    """Minutes since midnight. *22:00 to 07:00 → 1320, 420.*"""
    begin, end = form.quiet_from.strip(), form.quiet_until.strip()
    if not begin and not end:
        return None, None
    if not begin or not end:
        raise Impossible("Quiet hours need a beginning and an end, or neither.", code="quiet_hours")
    if begin == end:
        raise Impossible("Quiet hours that begin when they end would never end.", code="quiet_hours")
    return _minutes("quietFrom", begin), _minutes("quietUntil", end)


def clock(minutes: int | None) -> str:
    """*420 → 07:00*; empty for None."""
    return "" if minutes is None else f"{minutes // 60:02}:{minutes % 60:02}"


def _minutes(name: str, text: str) -> int:
    found = _CLOCK.fullmatch(text)
    if found is None:
        raise Malformed.field(name, "must be a time of day such as 07:00")
    return int(found[1]) * 60 + int(found[2])
