"""What is pasted into Meta's form, and the trial of the way back, over HTTP."""

import json
import socket
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlmodel import col, select

from core.errors import Forbidden, Impossible
from core.inbox import trial
from core.inbox.lane import apply_due
from core.ports.clock import FrozenClock
from core.runtime import Runtime
from core.team.owners import COMMAND
from data.enums import DeliveryState, Role
from data.inbox import Delivery, MetaUpdate
from data.operations import AuditEntry
from data.people import Workspace
from data.sending import Waba
from tests.api.conftest import Server
from tests.conftest import WABA_ID, Place, with_settings


@pytest.fixture
def reachable(api: httpx.Client, server: Server, runtime: Runtime) -> Runtime:
    """A console whose public address leads to itself."""
    server.work_on(with_settings(runtime, waypost_public_url=server.url))
    return server.runtime


def actions(runtime: Runtime) -> list[str]:
    with runtime.unit(COMMAND) as unit:
        return list(
            unit.session.exec(select(AuditEntry.action).where(col(AuditEntry.action).like("webhook.%")))
        )


def refusal(runtime: Runtime, place: Place, code: str) -> str:
    with pytest.raises(Impossible) as refused:
        trial.try_out(runtime, place.acting(Role.OWNER))
    assert refused.value.code == code
    return refused.value.sentence


def test_the_sample_takes_the_real_way_and_changes_nothing(reachable: Runtime, place: Place) -> None:
    done = trial.try_out(reachable, place.acting(Role.OWNER))
    assert 0 < done.handshake_s < 10
    assert 0 < done.delivery_s < 10
    apply_due(reachable)
    with reachable.unit(place.owner) as unit:
        (delivery,) = unit.session.exec(unit.scoped(Delivery))
        (said,) = unit.session.exec(unit.scoped(MetaUpdate))
    assert delivery.state is DeliveryState.APPLIED
    assert delivery.body is not None
    assert json.loads(delivery.body)["entry"][0]["id"] == WABA_ID
    assert (said.field, said.effect_at) == (trial.FIELD, None)
    assert actions(reachable) == ["webhook.tried"]


def test_each_trial_is_a_delivery_of_its_own(reachable: Runtime, place: Place, clock: FrozenClock) -> None:
    for _ in range(2):
        clock.advance(1)
        trial.try_out(reachable, place.acting(Role.OWNER))
    with reachable.unit(place.owner) as unit:
        assert len(unit.session.exec(unit.scoped(Delivery)).all()) == 2


def test_what_is_wrong_is_said_in_a_sentence(reachable: Runtime, place: Place, server: Server) -> None:
    def under(**changes: Any) -> Runtime:
        return with_settings(reachable, **changes)

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    sentence = refusal(under(waypost_public_url=f"http://127.0.0.1:{port}"), place, "callback_unreachable")
    assert "WAYPOST_PUBLIC_URL" in sentence
    elsewhere = under(waypost_public_url=f"{server.url}/elsewhere")
    assert "HTTP 303" in refusal(elsewhere, place, "callback_wrong_answer")
    refusal(under(waypost_meta_app_secret=None), place, "app_secret_unset")
    refusal(under(waypost_webhook_verify_token=None), place, "verify_token_unset")


def test_a_secret_that_is_not_the_servers_is_noticed(reachable: Runtime, place: Place) -> None:
    other = with_settings(reachable, waypost_meta_app_secret=SecretStr("another secret"))
    assert "HTTP 401" in refusal(other, place, "callback_wrong_answer")


def test_a_workspace_without_an_account_connects_one_first(reachable: Runtime, place: Place) -> None:
    with reachable.unit(COMMAND, write=True) as unit:
        elsewhere = Workspace(
            **unit.session.get_one(Workspace, place.workspace.id).model_dump()
            | {"id": "ws_elsewhere", "slug": "elsewhere"}
        )
        unit.session.add(elsewhere)
        unit.session.flush()
        unit.session.add(unit.session.get_one(Waba, WABA_ID).sqlmodel_update({"workspace_id": elsewhere.id}))
    refusal(reachable, place, "no_account")


def test_p1_who_may_try_and_who_may_see_the_token(reachable: Runtime, place: Place) -> None:
    for role in (Role.MANAGER, Role.AGENT, Role.VIEWER, Role.SUPPORT):
        with pytest.raises(Forbidden) as refused:
            trial.try_out(reachable, place.acting(role))
        assert refused.value.facts["permission"] == "settings.manage"
        with pytest.raises(Forbidden), reachable.unit(place.acting(role), write=True) as unit:
            trial.reveal_verify_token(unit)
    assert actions(reachable) == []


def test_the_token_is_shown_once_asked_for_and_the_log_says_so_without_it(
    reachable: Runtime, place: Place
) -> None:
    with reachable.unit(place.acting(Role.OWNER), write=True) as unit:
        assert trial.reveal_verify_token(unit) == "test-verify-token"
    assert actions(reachable) == ["webhook.verify_token_shown"]
    with reachable.unit(COMMAND) as unit:
        entries = unit.session.exec(select(AuditEntry)).all()
    assert "test-verify-token" not in repr(entries)


def test_the_setup_says_what_is_there_and_never_the_token(reachable: Runtime, place: Place) -> None:
    with reachable.unit(place.acting(Role.OWNER)) as unit:
        found = trial.setup(unit)
    assert found.callback_url == f"{reachable.settings.public_url}/webhooks/whatsapp"
    assert (found.has_verify_token, found.has_app_secret, found.can_reveal, found.can_try) == (True,) * 4
    assert "test-verify-token" not in repr(found)
    with reachable.unit(place.acting(Role.MANAGER)) as unit:
        assert not trial.setup(unit).can_reveal
    with pytest.raises(Forbidden), reachable.unit(place.acting(Role.AGENT)) as unit:
        trial.setup(unit)
