"""A workspace whose alerts go somewhere, and a receiver that listens."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlmodel import col, select

from core.alerts import channels
from core.alerts.channel_forms import ChannelForm
from core.alerts.channel_queries import ChannelView, get_channel
from core.alerts.commands import raise_alert, resolve_alert
from core.alerts.delivery import tell_due
from core.alerts.kinds import kind_of
from core.runtime import Runtime
from core.unit import Identity
from data.alerts import Alert, Mail
from data.enums import ChannelKind, Role, Severity
from tests.conftest import PHONE_ID, Place, with_settings
from tests.receiver import Receiver, receiving

PROCESS = Identity(process="test")


@dataclass(frozen=True)
class Tower:
    """Raises alerts, and lets the clock tell of them."""

    runtime: Runtime
    place: Place

    def make(self, **form: Any) -> tuple[str, str | None]:
        given: dict[str, Any] = {"name": "On call", "kind": ChannelKind.MAIL, "roles": [Role.OWNER]}
        with self.runtime.unit(self.place.owner, write=True) as unit:
            return channels.make_channel(unit, ChannelForm(**given | form))

    def webhook(self, receiver: Receiver, **form: Any) -> tuple[str, str]:
        channel_id, secret = self.make(
            kind=ChannelKind.WEBHOOK, roles=[], target=f"{receiver.url}/hook/a-secret-path", **form
        )
        assert secret is not None
        return channel_id, secret

    def raise_(self, kind: str = "lane_held", subject: str = PHONE_ID, **said: Any) -> str:
        known = kind_of(kind)
        about: dict[str, Any] = {
            "severity": known.severity,
            "title": known.title,
            "workspace_id": self.place.workspace.id,
        }
        self.advance(0.001)
        with self.runtime.unit(PROCESS, write=True) as unit:
            return raise_alert(unit, kind=kind, subject=subject, **about | said).id

    def resolve(self, kind: str = "lane_held", subject: str = PHONE_ID, outcome: str | None = None) -> bool:
        self.advance(0.001)
        with self.runtime.unit(PROCESS, write=True) as unit:
            return resolve_alert(
                unit, kind=kind, subject=subject, workspace_id=self.place.workspace.id, outcome=outcome
            )

    def tell(self) -> int:
        self.advance(0.001)
        return tell_due(self.runtime)

    def advance(self, seconds: float) -> None:
        self.runtime.clock.advance(seconds)  # type: ignore[attr-defined]

    def view(self, channel_id: str) -> ChannelView:
        with self.runtime.unit(self.place.owner) as unit:
            return get_channel(unit, channel_id)

    def states(self, channel_id: str) -> list[tuple[str, str]]:
        """What was said through it and where that stands, oldest first."""
        return [(one.event.value, one.state.value) for one in reversed(self.view(channel_id).notices)]

    def mails(self) -> list[tuple[str, str]]:
        """Recipient and subject of each, oldest first."""
        with self.runtime.unit(PROCESS) as unit:
            found = unit.session.exec(
                select(Mail).where(col(Mail.kind) == "alert").order_by(col(Mail.id), col(Mail.recipient))
            )
            return [(mail.recipient, mail.subject) for mail in found]

    def open_alerts(self) -> list[tuple[str, str]]:
        with self.runtime.unit(PROCESS) as unit:
            found = unit.session.exec(select(Alert).where(col(Alert.resolved_at).is_(None)))
            return [(alert.kind, alert.subject) for alert in found]


@pytest.fixture
def tower(runtime: Runtime, place: Place) -> Tower:
    return Tower(with_settings(runtime, waypost_alerts_private_targets=True), place)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def strict(tower: Tower) -> Tower:
    """As it is unless somebody sets the setting."""
    return replace(tower, runtime=with_settings(tower.runtime, waypost_alerts_private_targets=False))


CRITICAL, WARNING, INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO
