"""What tests of the team do over and over: people with browsers of their own, and what happened."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import pytest
from sqlmodel import col, func, select

from core.errors import DomainError
from core.mail.commands import SEALED_AS
from core.runtime import Runtime
from core.team.names import hash_key, new_secret
from core.team.owners import COMMAND
from core.unit import Identity
from data.alerts import Mail
from data.enums import MemberStatus, Role
from data.operations import AuditEntry
from data.people import BrowserSession, Member, User
from tests.conftest import Place

Found = TypeVar("Found")
Refused = TypeVar("Refused", bound=DomainError)


@dataclass(frozen=True)
class Person:
    """A member with a browser that is signed in, and was just now."""

    id: str
    member_id: str
    email: str
    browser: Identity


@dataclass(frozen=True)
class Office:
    """A workspace's team, and the database it lives in."""

    runtime: Runtime
    place: Place
    password_hash: str

    def owner(self) -> Person:
        """The one that the workspace was made with."""
        with self.runtime.unit(self.place.owner) as unit:
            member = unit.session.exec(unit.scoped(Member).where(col(Member.role) == Role.OWNER)).first()
            assert member is not None
            user = unit.session.get_one(User, member.user_id)
        return Person(user.id, member.id, user.email, self.browser(user.id))

    def browser_of_owner(self) -> Identity:
        """A fresh session of the owner: time has passed since the last."""
        return self.owner().browser

    def hire(self, role: Role, *, name: str = "", status: MemberStatus = MemberStatus.ACTIVE) -> Person:
        with self.runtime.unit(COMMAND, write=True) as unit:
            user_id, member_id = unit.new_id("usr"), unit.new_id("mem")
            email = f"{name or user_id}@x.example".lower()
            user = User(
                id=user_id,
                email=email,
                name=name or role.value.capitalize(),
                password_hash=self.password_hash,
                created_at=unit.now,
            )
            unit.session.add(user)
        self.join(user_id, role, member_id=member_id, status=status)
        return Person(user_id, member_id, email, self.browser(user_id))

    def join(
        self, user_id: str, role: Role, *, member_id: str, status: MemberStatus = MemberStatus.ACTIVE
    ) -> None:
        """Someone who is known already is in this team too."""
        with self.runtime.unit(COMMAND, write=True) as unit:
            unit.session.add(
                Member(
                    id=member_id,
                    workspace_id=self.place.workspace.id,
                    user_id=user_id,
                    role=role,
                    status=status,
                    joined_at=unit.now,
                )
            )

    def browser(self, user_id: str, **more: Any) -> Identity:
        """A fresh session of that person in this workspace."""
        token = new_secret()
        with self.runtime.unit(COMMAND, write=True) as unit:
            row = BrowserSession(
                token_hash=hash_key(token),
                user_id=user_id,
                workspace_id=self.place.workspace.id,
                created_at=unit.now,
                last_seen_at=unit.now,
                confirmed_at=unit.now,
                address="192.0.2.1",
                agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0",
            )
            unit.session.add(row.sqlmodel_update(more))
        return Identity(session_hash=hash_key(token), address="192.0.2.1")

    def do(self, identity: Identity, command: Callable[..., Found], *words: Any, **more: Any) -> Found:
        with self.runtime.unit(identity, write=True) as unit:
            return command(unit, *words, **more)

    def ask(self, identity: Identity, query: Callable[..., Found], *words: Any, **more: Any) -> Found:
        with self.runtime.unit(identity) as unit:
            return query(unit, *words, **more)

    def refused(
        self,
        kind: type[Refused],
        identity: Identity,
        command: Callable[..., Any],
        *words: Any,
        **more: Any,
    ) -> Refused:
        """The refusal, of exactly that kind; nothing but an audit entry was written."""
        with pytest.raises(kind) as refusal:
            self.do(identity, command, *words, **more)
        return refusal.value

    def member(self, member_id: str) -> Member:
        with self.runtime.unit(COMMAND) as unit:
            return unit.session.get_one(Member, member_id)

    def change(self, model: type[Any], key: Any, **values: Any) -> None:
        """Sets columns of a row by hand."""
        with self.runtime.unit(COMMAND, write=True) as unit:
            unit.session.add(unit.session.get_one(model, key).sqlmodel_update(values))

    def is_in(self, identity: Identity) -> bool:
        with self.runtime.unit(identity) as unit:
            return unit.actor.can("workspace.view")

    def mail(self, email: str) -> str:
        """The text of the newest mail to that address, as it will go out."""
        with self.runtime.unit(COMMAND) as unit:
            newest = select(Mail).where(col(Mail.recipient) == email).order_by(col(Mail.id).desc())
            mail = unit.session.exec(newest).first()
            assert mail is not None
            assert mail.sealed_text is not None
            return unit.vault.open(mail.sealed_text, workspace_id=mail.workspace_id or "", field=SEALED_AS)

    def link_secret(self, email: str, *, kind: str = "invite") -> str:
        """The secret at the end of the link in the newest mail to that address."""
        found = re.search(rf"/{kind}/(\S+)", self.mail(email))
        assert found is not None
        return found[1]

    def mails(self) -> int:
        with self.runtime.unit(COMMAND) as unit:
            return unit.session.exec(select(func.count()).select_from(Mail)).one()

    def entries(self) -> list[AuditEntry]:
        """The audit log of the installation, oldest first."""
        with self.runtime.unit(COMMAND) as unit:
            return list(unit.session.exec(select(AuditEntry).order_by(col(AuditEntry.number))))

    def last_entry(self) -> AuditEntry:
        return self.entries()[-1]

    @property
    def now(self) -> datetime:
        return self.runtime.clock.now()

    def later(self, seconds: float) -> None:
        self.runtime.clock.advance(seconds)  # type: ignore[attr-defined]
