"""Tokens to keep alive, and a sandbox that lives in today's time."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import col, select

from core.ports.clock import FrozenClock
from core.ports.graph import Graph
from core.ports.graph_tokens import MetaApp
from core.ports.vault import token_field
from core.runtime import Runtime
from core.sandbox.config import SandboxConfig
from core.schedules.rules import next_tick
from core.tokens import refresh
from core.tokens.queries import TokenView, list_tokens
from core.unit import Identity
from data.alerts import Alert, Mail
from data.operations import AuditEntry
from data.sending import AccessToken
from tests.conftest import APP_SECRET, WABA_ID, Place, with_settings
from tests.core.desk import Meta

APP_ID = SandboxConfig().app_id
SWEEP_EVERY_S = 6 * 3600.0


@pytest.fixture
def clock() -> FrozenClock:
    """The sandbox's tokens expire in real time, so the clock stands at nine of this very day."""
    return FrozenClock(datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0))


@dataclass(frozen=True)
class Keeper:
    """One account's token, and the clock process that keeps it alive."""

    runtime: Runtime
    place: Place
    waba_id: str = WABA_ID

    def give(self, token: str, **columns: Any) -> None:
        """The account sends with that token; whatever was known of the former is forgotten."""
        with self.runtime.unit(self.place.owner, write=True) as unit:
            row = unit.session.exec(select(AccessToken).where(col(AccessToken.waba_id) == self.waba_id)).one()
            row.sealed = unit.vault.seal(
                token, workspace_id=row.workspace_id, field=token_field(self.waba_id)
            )
            for name, value in columns.items():
                setattr(row, name, value)
            unit.session.add(row)

    def tick(self) -> None:
        refresh.keep_alive(self.runtime)

    def advance(self, seconds: float) -> None:
        self.runtime.clock.advance(seconds)  # type: ignore[attr-defined]

    def tick_after(self, seconds: float) -> TokenView:
        """As the clock would after that time: when a sweep came due meanwhile, it is made up for once."""
        due_at = next_tick(self.now, every_s=SWEEP_EVERY_S, at_s=0.0)
        self.advance(seconds)
        if due_at <= self.now:
            refresh.look_at_all(self.runtime)
        self.tick()
        return self.view

    @property
    def now(self) -> datetime:
        return self.runtime.clock.now()

    @property
    def view(self) -> TokenView:
        with self.runtime.unit(self.place.owner) as unit:
            return next(one for one in list_tokens(unit).items if one.waba_id == self.waba_id)

    @property
    def row(self) -> AccessToken:
        with self.runtime.unit(self.place.owner) as unit:
            return unit.session.exec(
                select(AccessToken).where(col(AccessToken.waba_id) == self.waba_id)
            ).one()

    @property
    def token(self) -> str:
        """The one that sends would be made with."""
        row = self.row
        return self.runtime.vault.open(
            row.sealed, workspace_id=row.workspace_id, field=token_field(self.waba_id)
        )

    def entries(self) -> list[AuditEntry]:
        with self.runtime.unit(Identity(process="test")) as unit:
            return list(
                unit.session.exec(
                    select(AuditEntry)
                    .where(col(AuditEntry.action).startswith("token."))
                    .order_by(col(AuditEntry.number))
                )
            )

    def actions(self) -> list[str]:
        return [entry.action for entry in self.entries()]

    def alerts(self) -> list[Alert]:
        """Open ones about the token."""
        with self.runtime.unit(Identity(process="test")) as unit:
            found = select(Alert).where(
                col(Alert.kind) == "token_refresh_failed", col(Alert.resolved_at).is_(None)
            )
            return list(unit.session.exec(found))

    def mails(self) -> list[Mail]:
        with self.runtime.unit(Identity(process="test")) as unit:
            return list(unit.session.exec(select(Mail).where(col(Mail.kind) == "token")))


def as_app(runtime: Runtime) -> Runtime:
    """With the app in whose name tokens are exchanged."""
    graph = Graph(
        base_url=runtime.settings.waypost_graph_url,
        version=runtime.settings.waypost_graph_version,
        timeout_s=runtime.settings.waypost_graph_timeout,
        app=MetaApp(APP_ID, APP_SECRET),
    )
    return replace(with_settings(runtime, waypost_meta_app_id=APP_ID), graph=graph)


@pytest.fixture
def keeper(runtime: Runtime, place: Place, meta: Meta) -> Keeper:
    """The clock's first look at the token is still to come."""
    return Keeper(as_app(runtime), place)
