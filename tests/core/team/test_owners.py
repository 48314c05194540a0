import pytest
from sqlmodel import select

from core.errors import Conflict, Impossible
from core.runtime import Runtime
from core.team.owners import COMMAND, create_owner
from core.team.passwords import is_password
from data.enums import MemberStatus, Role
from data.operations import AuditEntry
from data.people import Member, User, Workspace
from tests.conftest import PASSWORD, Place

EMAIL = "owner@northwind.example"


def test_a_new_workspace_has_its_owner_and_the_first_of_all_is_platform_admin(runtime: Runtime) -> None:
    hashed = "$argon2id$not-asked"
    with runtime.unit(COMMAND, write=True) as unit:
        first = create_owner(
            unit, workspace_name="Nordlicht & Söhne", email=" Ada@X.example ", password_hash=hashed
        )
        create_owner(unit, workspace_name="Second", email="bo@x.example", password_hash=hashed)
    assert first.slug == "nordlicht-söhne"
    with runtime.unit(COMMAND) as unit:
        users = {user.email: user.is_platform_admin for user in unit.session.exec(select(User))}
        roles = [(one.role, one.status) for one in unit.session.exec(select(Member))]
        entries = unit.session.exec(select(AuditEntry)).all()
    assert users == {"ada@x.example": True, "bo@x.example": False}
    assert roles == [(Role.OWNER, MemberStatus.ACTIVE)] * 2
    assert [entry.action for entry in entries] == ["workspace.created"] * 2


def test_a_workspace_exists_once_and_a_known_person_keeps_their_password(
    runtime: Runtime, place: Place
) -> None:
    with runtime.unit(COMMAND, write=True) as unit:
        with pytest.raises(Conflict) as refusal:
            create_owner(unit, workspace_name="northwind", email="x@x.example", password_hash="h")
        create_owner(unit, workspace_name="Other", email=EMAIL.upper(), password_hash="another")
        with pytest.raises(Impossible):
            create_owner(unit, workspace_name="Third", email=EMAIL, password_hash="h", timezone="Mars/Base")
    assert refusal.value.code == "workspace_exists"
    with runtime.unit(COMMAND) as unit:
        (user,) = unit.session.exec(select(User))
        assert len(unit.session.exec(select(Workspace)).all()) == 2
    assert is_password(PASSWORD, user.password_hash)
