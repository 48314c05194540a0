from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import Forbidden
from core.mail.commands import send_mail
from core.mail.delivery import POSTMAN, deliver_due
from core.mail.outbox import look
from core.ports.clock import FrozenClock
from core.ports.mail import SmtpMailer
from core.runtime import Runtime
from core.unit import Identity
from data.enums import Role
from tests.conftest import Place


def deliver(runtime: Runtime, clock: FrozenClock, place: Place | None, subject: str) -> None:
    clock.advance(1)
    with runtime.unit(POSTMAN, write=True) as unit:
        workspace_id = place.workspace.id if place else None
        send_mail(
            unit,
            to="mara@example.com",
            subject=subject,
            text="Hello",
            kind="invitation",
            workspace_id=workspace_id,
        )
    assert deliver_due(runtime) == 1


def subjects(runtime: Runtime, identity: Identity) -> list[str]:
    return [letter.subject for letter in look(runtime, identity) or []]


def test_each_workspace_sees_its_own_mail_newest_first(
    runtime: Runtime, clock: FrozenClock, place: Place, other_place: Place
) -> None:
    deliver(runtime, clock, place, "First")
    deliver(runtime, clock, other_place, "Theirs")
    deliver(runtime, clock, None, "Of nobody's workspace")
    deliver(runtime, clock, place, "Second")
    assert subjects(runtime, place.acting(Role.OWNER)) == ["Second", "First"]
    assert subjects(runtime, other_place.acting(Role.OWNER)) == ["Theirs"]
    assert subjects(runtime, place.owner) == ["Second", "Of nobody's workspace", "First"]


def test_p1_only_those_who_manage_settings_read_mail(runtime: Runtime, place: Place) -> None:
    for role in (Role.MANAGER, Role.AGENT, Role.VIEWER, Role.SUPPORT):
        with pytest.raises(Forbidden):
            look(runtime, place.acting(role))


def test_with_a_mail_server_nothing_is_kept(runtime: Runtime, place: Place, tmp_path: Path) -> None:
    sending = replace(runtime, mail=SmtpMailer("smtp://127.0.0.1", sender="Waypost <waypost@example.com>"))
    assert look(sending, place.acting(Role.OWNER)) is None
    assert look(runtime, place.acting(Role.OWNER)) == []


def test_a_file_that_somebody_deleted_is_left_out(
    runtime: Runtime, clock: FrozenClock, place: Place, tmp_path: Path
) -> None:
    deliver(runtime, clock, place, "Gone")
    deliver(runtime, clock, place, "Here")
    min((tmp_path / "outbox").iterdir()).unlink()
    assert subjects(runtime, place.acting(Role.OWNER)) == ["Here"]
