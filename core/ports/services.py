"""Services that people read anyway, such as Slack, through the apprise library. Its addresses hold secrets:
nothing of one is ever said again, and the library's own log, which repeats them, is kept to ourselves."""

import logging
import re
import threading
from functools import cache
from typing import Any

from core.ports.outward import NotTold
from core.ports.unit_guard import refuse_inside_unit

CONNECT_S = 4.0
READ_S = 8.0
# Those whose address names no host: they lead to where the service is, and nowhere else.
_OF_THE_WORLD = {
    "slack": "Slack",
    "discord": "Discord",
    "tgram": "Telegram",
    "gchat": "Google Chat",
    "wxteams": "Webex",
    "webex": "Webex",
    "pagerduty": "PagerDuty",
    "opsgenie": "Opsgenie",
    "ilert": "ilert",
    "incidentio": "incident.io",
    "squadcast": "Squadcast",
    "signl4": "SIGNL4",
    "pover": "Pushover",
    "pbul": "Pushbullet",
}
# Those that run on a host of one's own. The library looks its name up by itself, so where it leads cannot be
# seen beforehand.
_OF_ONES_OWN = {
    "ntfy": "ntfy",
    "ntfys": "ntfy",
    "gotify": "Gotify",
    "gotifys": "Gotify",
    "mmost": "Mattermost",
    "mmosts": "Mattermost",
    "rocket": "Rocket.Chat",
    "rockets": "Rocket.Chat",
    "matrix": "Matrix",
    "matrixs": "Matrix",
}
_TEAMS = {"workflow": "Microsoft Teams", "workflows": "Microsoft Teams"}
_TEAMS_HOSTS = (".logic.azure.com", ".powerplatform.com")
NAMES = tuple(dict.fromkeys((*_OF_THE_WORLD.values(), *_TEAMS.values(), *_OF_ONES_OWN.values())))
# What else an address may say. Others make the library read local files, or wait for hours.
_PARAMETERS = frozenset(
    ("api-version", "channel", "key", "mode", "region", "sig", "sp", "sv", "thread", "to", "token", "topic")
)
_STATUS = re.compile(r"error=(\d{3})\b")


def make_ready() -> None:
    """The library is loaded, which takes a second the first time: to be called before a transaction."""
    _read("")


def wrong_with(url: str, *, may_be_private: bool) -> str:
    """What is wrong with the address, in a sentence that does not repeat it; empty when nothing is."""
    known = _read(url)
    name = _name(known)
    if not name:
        return f"This is no address of a service that is known here. Known are {', '.join(NAMES)}."
    odd = sorted(set(known.get("qsd") or {}) - _PARAMETERS)
    if odd or any(known.get(group) for group in ("qsd+", "qsd-", "qsd:")):
        return f"The address may not say {', '.join(odd) or 'more than where it leads'}."
    if not may_be_private and not _leads_outside(known):
        return (
            f"{name} at this address may be in a private network, which is not called. If it is your own, "
            "set WAYPOST_ALERTS_PRIVATE_TARGETS."
        )
    return "" if _service(url) is not None else f"The address is not complete for {name}."


def shown(url: str) -> str:
    """*Slack*: the service's name, and nothing of the address."""
    return _name(_read(url))


def tell(url: str, *, subject: str, text: str, is_urgent: bool, may_be_private: bool) -> None:
    """The service took it. Raises NotTold."""
    refuse_inside_unit()
    problem = wrong_with(url, may_be_private=may_be_private)
    service = None if problem else _service(url)
    if service is None:
        raise NotTold(problem, is_final=True)
    heard = _listen()
    try:
        was_taken = service.notify(
            title=subject, body=text, notify_type="failure" if is_urgent else "info", body_format="text"
        )
    except Exception as error:  # noqa: BLE001 - a library of two hundred services; its words may hold secrets
        raise NotTold(f"{shown(url)} could not be told ({type(error).__name__}).") from None
    if not was_taken:
        status = _STATUS.search(" ".join(heard))
        why = f"refused: {status[1]}" if status else "cannot be reached, or did not take it"
        raise NotTold(f"{shown(url)} {why}.")


def _read(url: str) -> dict[str, Any]:
    from apprise.plugins import url_to_dict  # slow to import, and few processes need it

    _keep_to_ourselves()
    known: dict[str, Any] | None = url_to_dict(url.strip(), secure_logging=True)  # type: ignore[no-untyped-call]
    return known or {}


def _name(known: dict[str, Any]) -> str:
    schema = str(known.get("schema", ""))
    return {**_OF_THE_WORLD, **_OF_ONES_OWN, **_TEAMS}.get(schema, "")


def _leads_outside(known: dict[str, Any]) -> bool:
    schema, host = known.get("schema"), str(known.get("host") or "")
    if schema in _TEAMS:
        return host.endswith(_TEAMS_HOSTS)
    if schema in ("ntfy", "ntfys"):  # without a host it is the public one
        return not known.get("host") or (known.get("qsd") or {}).get("mode") == "cloud"
    return schema in _OF_THE_WORLD


def _service(url: str) -> Any:
    from apprise import Apprise, AppriseAsset

    asset = AppriseAsset(app_id="Waypost", app_desc="Waypost", http_redirects=False, secure_logging=True)
    service = Apprise.instantiate(url.strip(), asset=asset, suppress_exceptions=True)
    if service is not None:
        service.socket_connect_timeout, service.socket_read_timeout = CONNECT_S, READ_S
    return service


class _Ear(logging.Handler):
    """Keeps what the library says in this thread."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.here = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        heard = getattr(self.here, "heard", None)
        if heard is not None:
            heard.append(record.getMessage())


@cache
def _keep_to_ourselves() -> _Ear:
    ear = _Ear()
    library = logging.getLogger("apprise")
    library.propagate = False
    library.setLevel(logging.WARNING)
    library.addHandler(ear)
    return ear


def _listen() -> list[str]:
    ear = _keep_to_ourselves()
    heard: list[str] = []
    ear.here.heard = heard
    return heard
