from dataclasses import replace

import pyotp
from cryptography.fernet import Fernet
from sqlmodel import select

from core import audit
from core.ports.vault import Vault, token_field
from core.rotation import count_stale, reseal
from core.runtime import Runtime
from core.team import second_factor
from core.team.invitations import invite
from data.enums import Role
from data.sending import AccessToken
from data.tables import sealed_columns
from tests.conftest import Place
from tests.core.office import Office

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def filled(runtime: Runtime, place: Place, password_hash: str) -> Office:
    """A workspace with a token, a mail on its way and somebody's second factor."""
    office = Office(runtime, place, password_hash)
    owner = office.owner()
    office.do(owner.browser, invite, email="mara@x.example", role=Role.AGENT)
    enrolment = office.do(owner.browser, second_factor.begin)
    code = pyotp.TOTP(enrolment.secret).at(office.now)
    office.do(owner.browser, second_factor.confirm, code=code)
    return office


def test_k3_everything_opens_with_the_new_key_alone_and_nothing_is_signed_anew(
    runtime: Runtime, place: Place, password_hash: str, vault_key: str
) -> None:
    filled(runtime, place, password_hash)
    key = Fernet.generate_key().decode()
    both = replace(runtime, vault=Vault((key, vault_key)))
    assert count_stale(both) >= 4
    assert reseal(both) >= 4
    assert (count_stale(both), reseal(both)) == (0, 0)
    alone = Office(replace(runtime, vault=Vault((key,))), place, password_hash)
    assert "/invite/" in alone.mail("mara@x.example")
    with alone.runtime.unit(place.owner) as unit:
        token = unit.session.exec(select(AccessToken)).one()
        opened = unit.vault.open(
            token.sealed, workspace_id=place.workspace.id, field=token_field(token.waba_id)
        )
        assert audit.verify(unit.session, unit.vault).whole
    assert opened == "test-token"
    assert alone.last_entry().action == "keys.rotated"


def test_k3_a_rotation_that_was_cut_off_goes_on_where_it_stopped(
    runtime: Runtime, place: Place, password_hash: str, vault_key: str
) -> None:
    filled(runtime, place, password_hash)
    both = replace(runtime, vault=Vault((Fernet.generate_key().decode(), vault_key)))
    everything = count_stale(both)
    with both.unit(place.owner, write=True) as unit:
        token = unit.session.exec(select(AccessToken)).one()
        token.sealed = unit.vault.reseal(token.sealed)
        unit.session.add(token)
    assert reseal(both) == everything - 1


def test_every_sealed_column_is_known_to_the_rotation() -> None:
    known = {f"{column.table.name}.{column.name}" for column in sealed_columns()}
    assert {
        *("access_token.sealed", "audit_head.sealed_key", "mail.sealed_text", "second_factor.sealed"),
    } <= known
    assert all(len(column.table.primary_key.columns) == 1 for column in sealed_columns())


def test_a_running_process_opens_what_a_newer_key_sealed() -> None:
    keys = [OLD]
    running = Vault((OLD,), again=lambda: tuple(keys))
    keys.insert(0, NEW)
    sealed = Vault((NEW, OLD)).seal("token", workspace_id="ws", field="f")
    assert running.open(sealed, workspace_id="ws", field="f") == "token"
    assert running.is_newest(running.seal("token", workspace_id="ws", field="f"))
    assert not Vault((NEW, OLD)).is_newest(Vault((OLD,)).seal("token", workspace_id="ws", field="f"))
