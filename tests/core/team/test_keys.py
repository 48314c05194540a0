from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import select

from core.errors import ConfirmRequired, Forbidden, Impossible, NotFound
from core.runtime import Runtime
from core.team.keys import create_api_key, expiry_in, list_keys, make_key, narrow, note_uses, revoke_key
from core.team.members import change_role
from core.team.names import hash_key
from core.team.owners import COMMAND
from core.unit import FRESH_FOR, NOBODY, Identity
from data.enums import Role
from data.operations import AuditEntry
from data.people import ApiKey
from tests.conftest import Place
from tests.core.office import Office


def test_p7_a_key_is_shown_once_and_audited_without_its_secret(runtime: Runtime, place: Place) -> None:
    with runtime.unit(COMMAND, write=True) as unit:
        key, secret = create_api_key(unit, workspace=place.workspace, role=Role.AGENT, name=" ERP ")
        for name in ("", "  ", "x" * 201):
            with pytest.raises(Impossible):
                create_api_key(unit, workspace=place.workspace, role=Role.AGENT, name=name)
    assert (key.name, key.key_hash) == ("ERP", hash_key(secret))
    assert secret.startswith("wp_")
    with runtime.unit(COMMAND) as unit:
        entries = unit.session.exec(select(AuditEntry)).all()
    assert not any(secret in str(entry.model_dump()) for entry in entries)
    assert entries[-1].after == {"name": "ERP", "role": "agent"}


def test_p7_a_key_has_a_role_no_higher_than_its_makers(office: Office) -> None:
    manager = office.hire(Role.MANAGER)
    row, secret = office.do(manager.browser, make_key, role=Role.MANAGER, name="CRM")
    assert (row.name, row.role, row.state, row.made_by, row.is_own) == (
        "CRM",
        Role.MANAGER,
        "active",
        "Manager",
        True,
    )
    with office.runtime.unit(Identity(key_hash=hash_key(secret))) as unit:
        assert unit.actor.can("team.invite")
    office.refused(Forbidden, manager.browser, make_key, role=Role.OWNER, name="CRM")
    office.refused(Forbidden, office.hire(Role.AGENT).browser, make_key, role=Role.VIEWER, name="CRM")


def test_making_and_revoking_a_key_asks_for_the_password_again(office: Office) -> None:
    owner = office.owner()
    row, _ = office.do(owner.browser, make_key, role=Role.VIEWER, name="CRM")
    office.later(FRESH_FOR.total_seconds() + 1)
    office.refused(ConfirmRequired, owner.browser, make_key, role=Role.VIEWER, name="ERP")
    office.refused(ConfirmRequired, owner.browser, revoke_key, row.id)


def test_p7_a_key_falls_with_its_makers_role(office: Office) -> None:
    manager = office.hire(Role.MANAGER)
    _, secret = office.do(manager.browser, make_key, role=Role.MANAGER, name="CRM")
    key = Identity(key_hash=hash_key(secret))
    office.do(office.owner().browser, change_role, manager.member_id, role=Role.AGENT)
    with office.runtime.unit(key) as unit:
        assert (unit.actor.role, unit.actor.can("team.invite")) == (Role.AGENT, False)
        assert unit.actor.can("messages.send")
    agent = office.hire(Role.AGENT)
    office.refused(Forbidden, key, change_role, agent.member_id, role=Role.VIEWER)


def test_an_expiry_lies_in_the_future_and_ends_the_key(office: Office) -> None:
    owner = office.owner()
    soon = office.now + timedelta(seconds=60)
    _, secret = office.do(owner.browser, make_key, role=Role.AGENT, name="short", expires_at=soon)
    for wrong in (office.now, office.now + timedelta(days=4000)):
        office.refused(Impossible, owner.browser, make_key, role=Role.AGENT, name="x", expires_at=wrong)
    office.later(60)
    with office.runtime.unit(Identity(key_hash=hash_key(secret))) as unit:
        assert unit.actor is NOBODY
    states = {row.name: row.state for row in office.ask(owner.browser, list_keys).items}
    assert (states["short"], states["agent"]) == ("expired", "active")


def test_a_manager_sees_and_revokes_their_own_keys_an_owner_all(office: Office) -> None:
    owner, manager, other = office.owner(), office.hire(Role.MANAGER), office.hire(Role.MANAGER)
    mine, secret = office.do(manager.browser, make_key, role=Role.AGENT, name="mine")
    theirs, _ = office.do(other.browser, make_key, role=Role.AGENT, name="theirs")
    assert [row.name for row in office.ask(manager.browser, list_keys).items] == ["mine"]
    assert len(office.ask(owner.browser, list_keys).items) == len(Role) + 2
    refused = office.refused(Forbidden, manager.browser, revoke_key, theirs.id)
    assert refused.facts["permission"] == "keys.manage_all"
    office.do(manager.browser, revoke_key, mine.id)
    office.do(owner.browser, revoke_key, theirs.id)
    with office.runtime.unit(Identity(key_hash=hash_key(secret))) as unit:
        assert unit.actor is NOBODY
    entry = office.last_entry()
    assert (entry.action, entry.target, entry.before) == (
        "api_key.revoked",
        f"api_key:{theirs.id}",
        {"name": "theirs", "role": "agent"},
    )
    office.do(owner.browser, revoke_key, theirs.id)
    assert office.last_entry().number == entry.number


def test_p5_a_key_of_another_workspace_is_not_found(office: Office, other_office: Office) -> None:
    theirs, _ = other_office.do(other_office.owner().browser, make_key, role=Role.AGENT, name="theirs")
    office.refused(NotFound, office.owner().browser, revoke_key, theirs.id)
    office.refused(NotFound, office.hire(Role.MANAGER).browser, revoke_key, theirs.id)


def test_a_key_made_by_command_looks_after_its_kind_and_none_above(office: Office) -> None:
    manager = office.place.acting(Role.MANAGER)
    rows = office.ask(manager, list_keys).items
    assert {row.role for row in rows} == set(Role) - {Role.OWNER}
    row, _ = office.do(manager, make_key, role=Role.VIEWER, name="more")
    assert row.made_by is None
    office.do(manager, revoke_key, row.id)


def test_the_uses_of_many_keys_are_noted_at_once(office: Office) -> None:
    used = {hash_key(office.place.keys[role]) for role in (Role.AGENT, Role.OWNER)}
    note_uses(office.runtime, used | {hash_key("wp_unknown")})
    note_uses(office.runtime, set())
    rows = office.ask(office.owner().browser, list_keys).items
    assert {row.role for row in rows if row.last_used_at == office.now} == {Role.AGENT, Role.OWNER}


def test_keys_are_turned_by_pages(office: Office) -> None:
    owner = office.owner()
    first = office.ask(owner.browser, list_keys, limit=3)
    rest = office.ask(owner.browser, list_keys, limit=3, cursor=first.next_cursor)
    assert len({row.id for row in first.items + rest.items}) == len(Role)
    assert rest.next_cursor is None


def test_the_list_of_keys_is_read_through_an_index(office: Office) -> None:
    if not office.runtime.database.is_sqlite:
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by statistics")
    for role in (Role.OWNER, Role.MANAGER):
        with office.runtime.unit(office.place.acting(role)) as unit:
            sql = narrow(unit).compile(unit.session.get_bind(), compile_kwargs={"literal_binds": True})
            plan = [row[3] for row in unit.session.execute(text(f"EXPLAIN QUERY PLAN {sql}"))]
        assert "USING INDEX ix_api_key_workspace_id" in plan[0], plan


def test_no_row_holds_a_secret(office: Office) -> None:
    with office.runtime.unit(office.place.owner) as unit:
        stored = str([row.model_dump() for row in unit.session.exec(select(ApiKey)).all()])
    assert not any(secret in stored for secret in office.place.keys.values())


def test_a_key_lives_so_many_days_or_for_ever(runtime: Runtime) -> None:
    with runtime.unit(COMMAND) as unit:
        assert expiry_in(unit, days=30) == unit.now + timedelta(days=30)
        assert expiry_in(unit, days=0) is None
