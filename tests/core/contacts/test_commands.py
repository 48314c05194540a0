from datetime import timedelta

import pytest
from sqlmodel import col, select

from core.contacts.commands import change_number, find_or_add, lift, suppress
from core.contacts.detail import ContactDetail, contact_detail
from core.contacts.queries import suppressed
from core.errors import Conflict, Forbidden, Impossible, NotFound
from data.enums import Role, SuppressionKind
from data.operations import AuditEntry
from tests.conftest import PHONE_ID, Place
from tests.core.desk import WORKER, Desk, envelope, inbound

MARA, ELIF = "4915112300001", "4915112300002"


@pytest.fixture
def mara(desk: Desk) -> str:
    """The id of a contact that opted out of marketing."""
    with desk.runtime.unit(WORKER, write=True) as unit:
        contact = find_or_add(unit, workspace_id=desk.place.workspace.id, wa_id=MARA, name="Mara Vogel")
        suppress(
            unit,
            workspace_id=desk.place.workspace.id,
            contact_id=contact.id,
            kind=SuppressionKind.MARKETING,
            error_code="meta_131050",
            message_id="msg_1",
        )
        return contact.id


def detail(desk: Desk, contact_id: str, role: Role = Role.MANAGER) -> ContactDetail:
    with desk.runtime.unit(desk.place.acting(role)) as unit:
        return contact_detail(unit, contact_id)


def test_lifting_a_suppression_says_who_and_why_and_lets_messages_go_again(desk: Desk, mara: str) -> None:
    [before] = detail(desk, mara).suppressions
    with desk.runtime.unit(desk.place.acting(Role.MANAGER), write=True) as unit:
        lift(unit, mara, before.id, reason=" Asked for it by phone ")
    found = detail(desk, mara)
    [lifted] = found.suppressions
    assert (lifted.lifted_at, lifted.lifted_by) == (desk.now, "manager")
    assert lifted.lift_reason == "Asked for it by phone"
    assert found.row.suppressed == frozenset()
    with desk.runtime.unit(desk.place.owner) as unit:
        assert suppressed(unit.session, [mara]) == {}
        [entry] = unit.session.exec(select(AuditEntry).where(col(AuditEntry.action) == "suppression.lifted"))
    assert (entry.target, entry.after) == (f"contact:{mara}", {"reason": "Asked for it by phone"})
    assert entry.before == {"kind": "marketing", "because": "meta_131050"}


def test_a_suppression_is_lifted_once_with_a_reason_by_those_who_may(
    desk: Desk, mara: str, other_place: Place
) -> None:
    [known] = detail(desk, mara).suppressions
    for role in (Role.AGENT, Role.VIEWER, Role.SUPPORT):
        with pytest.raises(Forbidden), desk.runtime.unit(desk.place.acting(role), write=True) as unit:
            lift(unit, mara, known.id, reason="No")
    with pytest.raises(NotFound), desk.runtime.unit(other_place.owner, write=True) as unit:
        lift(unit, mara, known.id, reason="No")
    with pytest.raises(Impossible), desk.runtime.unit(desk.place.owner, write=True) as unit:
        lift(unit, mara, known.id, reason="  ")
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        elsewhere = find_or_add(unit, workspace_id=desk.place.workspace.id, wa_id=ELIF)
        with pytest.raises(NotFound):
            lift(unit, elsewhere.id, known.id, reason="Wrong contact")
        lift(unit, mara, known.id, reason="Yes")
    with pytest.raises(Conflict) as refusal, desk.runtime.unit(desk.place.owner, write=True) as unit:
        lift(unit, mara, known.id, reason="Again")
    assert refusal.value.code == "not_in_force"


def test_what_is_told_of_a_contact(desk: Desk, mara: str) -> None:
    desk.advance(60)
    with desk.runtime.unit(WORKER, write=True) as unit:
        workspace = desk.place.workspace.id
        now = change_number(unit, workspace_id=workspace, old_wa_id=MARA, new_wa_id=ELIF)
        find_or_add(unit, workspace_id=workspace, wa_id=ELIF, business_user_id="DE.a1")
    wrote_at = desk.now.replace(microsecond=0)
    desk.hear(envelope(messages=[inbound(wamid="wamid.1", at=wrote_at, sender=MARA)]))
    for asked in (mara, now.id):
        found = detail(desk, asked)
        assert (found.row.id, found.row.number, found.row.business_user_id) == (now.id, f"+{ELIF}", "DE.a1")
        assert found.former_numbers == ["+49 1511 2300001"]
        assert found.row.first_seen_at == desk.now - timedelta(seconds=60)
        assert (found.last_wrote_at, found.messages) == (wrote_at, 1)
        assert found.windows == {PHONE_ID: wrote_at + timedelta(hours=24)}
        [why] = found.suppressions
        assert (why.title, why.message_id) == ("This person opted out of your marketing", "msg_1")
        assert found.can_manage


def test_a_viewer_is_told_no_number(desk: Desk, mara: str) -> None:
    with desk.runtime.unit(WORKER, write=True) as unit:
        change_number(unit, workspace_id=desk.place.workspace.id, old_wa_id=MARA, new_wa_id=ELIF)
    found = detail(desk, mara, Role.VIEWER)
    assert (found.row.number, found.row.business_user_id) == ("+49•••••0002", None)
    assert found.former_numbers == ["+49•••••0001"]
    assert not found.can_manage
    with pytest.raises(Forbidden):
        detail(desk, mara, Role.SUPPORT)


def test_p5_another_workspaces_contact_is_not_there(desk: Desk, mara: str, other_place: Place) -> None:
    with desk.runtime.unit(other_place.owner) as unit, pytest.raises(NotFound):
        contact_detail(unit, mara)
