"""A token is exchanged in time by every path, and one that works stays in use, whatever happens (K1, K2)."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import col, select

from core.alerts.channel_forms import ChannelForm
from core.alerts.channels import make_channel
from core.errors import Forbidden, Impossible, NotFound
from core.ports.graph import Graph
from core.tokens import commands, refresh
from core.tokens.due import has_due, take_due
from core.tokens.queries import get_token, list_tokens
from core.tokens.rules import TokenState
from core.unit import Identity
from data.channels import AlertNotice
from data.enums import AlertEvent, ChannelKind, Role
from data.people import User
from tests.conftest import Place, with_settings
from tests.core.desk import Desk, Meta, carry_out
from tests.core.tokens.conftest import Keeper

DAY = 86_400
NEVER_HEARD = Identity(process="test")


def test_k1_a_token_with_60_days_left_is_inspected_and_left_alone(keeper: Keeper) -> None:
    keeper.give("fine-token")
    keeper.tick()
    view = keeper.view
    assert (view.state, view.needs_attention, view.attempts) == (TokenState.VALID, False, 0)
    assert (view.kind, view.scopes, view.missing_scopes) == (
        "SYSTEM_USER",
        ("whatsapp_business_management", "whatsapp_business_messaging"),
        (),
    )
    assert (view.inspected_at, view.refreshed_at, keeper.token) == (keeper.now, None, "fine-token")
    assert view.expires_at is not None
    assert timedelta(days=59) < view.expires_at - keeper.now < timedelta(days=61)
    assert keeper.actions() == []


def test_k1_a_token_60_days_old_is_exchanged_proven_and_switched(keeper: Keeper) -> None:
    keeper.give("soon-token")
    keeper.tick()
    view = keeper.view
    assert (view.state, view.refreshed_at, view.next_attempt_at) == (TokenState.VALID, keeper.now, None)
    assert keeper.token.startswith("EAAW")
    assert view.expires_at is not None
    assert view.expires_at - keeper.now > timedelta(days=59)
    (entry,) = keeper.entries()
    assert (entry.action, entry.target) == ("token.refreshed", f"token:{view.id}")
    assert keeper.token not in str(entry.after)


def test_k1_a_token_that_never_expires_is_only_inspected_even_when_asked(keeper: Keeper) -> None:
    keeper.give("never-token")
    keeper.tick()
    assert (keeper.view.never_expires, keeper.view.state) == (True, TokenState.VALID)
    with keeper.runtime.unit(keeper.place.owner, write=True) as unit:
        commands.refresh(unit, keeper.view.id)
    keeper.tick()
    assert keeper.token == "never-token"
    assert keeper.actions() == ["token.refresh_asked", "token.proven"]


def test_k1_all_are_looked_at_at_00_06_12_and_18_and_a_missed_sweep_runs_once(keeper: Keeper) -> None:
    keeper.give("fine-token")
    keeper.tick()
    looked = keeper.view.inspected_at
    assert keeper.tick_after(2 * 3600).inspected_at == looked  # eleven
    assert keeper.tick_after(3600).inspected_at == keeper.now  # noon
    assert keeper.tick_after(1).inspected_at != keeper.now
    assert keeper.tick_after(3 * DAY).inspected_at == keeper.now
    with keeper.runtime.unit(NEVER_HEARD) as unit:
        assert not has_due(unit)


def test_k1_a_start_looks_at_all_but_leaves_the_ladder_as_it_is(keeper: Keeper) -> None:
    keeper.give("fine-token")
    keeper.tick()
    keeper.advance(60)
    refresh.look_at_all(keeper.runtime)
    keeper.tick()
    assert keeper.view.inspected_at == keeper.now
    keeper.give("stuck-token", expires_at=keeper.now + timedelta(days=5))
    keeper.tick_after(6 * 3600)
    waits_until = keeper.view.next_attempt_at
    refresh.look_at_all(keeper.runtime)
    assert keeper.view.next_attempt_at == waits_until


def test_k2_what_fails_once_is_tried_again_after_a_minute(keeper: Keeper) -> None:
    keeper.give("flaky-token")
    keeper.tick()
    view = keeper.view
    assert (view.state, view.attempts, view.needs_attention) == (TokenState.REFRESHING, 1, False)
    assert view.next_attempt_at == keeper.now + timedelta(seconds=60)
    assert view.last_error is not None
    assert keeper.token == "flaky-token"
    assert keeper.tick_after(59).attempts == 1
    view = keeper.tick_after(1)
    assert (view.state, view.attempts, view.last_error) == (TokenState.VALID, 0, None)
    assert keeper.token.startswith("EAAW")
    assert keeper.actions() == ["token.refresh_failed", "token.refreshed"]
    assert (keeper.alerts(), keeper.mails()) == ([], [])


def test_k2_after_the_third_failed_retry_there_is_an_alert_and_mail(keeper: Keeper) -> None:
    keeper.give("stuck-token")
    keeper.tick()
    for wait_s in (60, 300):
        keeper.tick_after(wait_s)
    assert (keeper.alerts(), keeper.mails(), keeper.view.attempts) == ([], [], 3)
    view = keeper.tick_after(900)
    assert (view.state, view.needs_attention, view.attempts, view.next_attempt_at) == (
        TokenState.FAILING,
        True,
        4,
        None,
    )
    (alert,) = keeper.alerts()
    assert (alert.workspace_id, alert.subject, alert.link) == (
        keeper.place.workspace.id,
        keeper.waba_id,
        "/tokens",
    )
    assert "It expires in" in alert.detail
    assert [mail.recipient for mail in keeper.mails()] == ["owner@northwind.example"]
    assert keeper.actions() == ["token.refresh_failed"] * 4
    assert keeper.token == "stuck-token"


def test_k2_owners_and_platform_admins_have_mail_once_each(keeper: Keeper, other_place: Place) -> None:
    with keeper.runtime.unit(NEVER_HEARD, write=True) as unit:
        # The first owner of all is platform admin; make it somebody else's business too.
        admin = User(
            id="usr_admin",
            email="admin@host.example",
            name="A",
            password_hash="",
            is_platform_admin=True,
            created_at=unit.now,
        )
        unit.session.add(admin)
    keeper.give("stuck-token", attempts=3)
    keeper.tick()
    assert sorted(mail.recipient for mail in keeper.mails()) == [
        "admin@host.example",
        "owner@northwind.example",
    ]


def test_k2_people_are_told_again_at_7_3_and_1_days_and_when_it_is_over(keeper: Keeper) -> None:
    """Meta cannot be reached all the while, so what is known of its end is from before."""
    nowhere = Graph(base_url="http://127.0.0.1:9", version="v23.0", timeout_s=1)
    lost = replace(keeper, runtime=replace(keeper.runtime, graph=nowhere))
    keeper.give("a-token", expires_at=keeper.now + timedelta(days=9), attempts=3)
    with keeper.runtime.unit(keeper.place.owner, write=True) as unit:
        make_channel(unit, ChannelForm("Pager", ChannelKind.MAIL, roles=[Role.OWNER]))
    lost.tick()
    told = [(0, len(keeper.mails()))]
    for quarter in range(1, 4 * 12):
        lost.tick_after(DAY / 4)
        if len(keeper.mails()) > told[-1][1]:
            told.append((quarter, len(keeper.mails())))
    assert [days / 4 for days, _ in told] == [0, 2, 6, 8, 9]
    assert [count for _, count in told] == [1, 2, 3, 4, 5]
    (alert,) = keeper.alerts()
    assert "It expired" in alert.detail
    assert keeper.view.state is TokenState.INVALID
    with keeper.runtime.unit(NEVER_HEARD) as unit:
        events = list(unit.session.exec(select(AlertNotice.event).order_by(col(AlertNotice.id))))
    assert events == [AlertEvent.OPENED] + [AlertEvent.ESCALATED] * 4


def test_k2_a_failing_token_is_tried_at_every_sweep_and_ends_its_alert_when_that_works(
    keeper: Keeper,
) -> None:
    keeper.give("stuck-token", attempts=3)
    keeper.tick()
    assert keeper.view.state is TokenState.FAILING
    keeper.give("soon-token")
    view = keeper.tick_after(3 * 3600)
    assert (view.state, view.needs_attention, view.attempts) == (TokenState.VALID, False, 0)
    assert keeper.alerts() == []


def test_k1_an_exchanged_token_that_does_not_work_is_never_put_in_use(keeper: Keeper) -> None:
    keeper.give("hollow-token")
    keeper.tick()
    assert keeper.token == "hollow-token"
    assert keeper.row.new_sealed is None
    assert "The new token does not work" in (keeper.view.last_error or "")
    for wait_s in (60, 300, 900):
        keeper.tick_after(wait_s)
    assert (keeper.token, keeper.view.state) == ("hollow-token", TokenState.FAILING)
    assert len(keeper.alerts()) == 1


def test_k1_a_proof_that_fails_in_passing_keeps_the_new_token_and_proves_it_again(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper.give("soon-token")
    nowhere = Graph(base_url="http://127.0.0.1:9", version="v23.0", timeout_s=1)
    with monkeypatch.context() as patch:
        patch.setattr(Graph, "prove_token", lambda _, **options: _through(nowhere, **options))
        keeper.tick()
    assert (keeper.token, keeper.view.attempts) == ("soon-token", 1)
    kept = keeper.row.new_sealed
    assert kept is not None
    keeper.tick_after(60)
    assert keeper.row.sealed == kept
    assert keeper.actions() == ["token.refresh_failed", "token.refreshed"]


async def _through(graph: Graph, **options: str) -> None:
    try:
        await graph._get("/", token=options["token"], params={})
    finally:
        await graph.close()


@pytest.mark.parametrize("token", ["expired-token", "revoked-token"])
@pytest.mark.parametrize("has_app", [True, False])
def test_k1_a_dead_token_needs_a_person_at_once(keeper: Keeper, token: str, has_app: bool) -> None:
    if not has_app:
        keeper = without_app(keeper)
    keeper.give(token)
    keeper.tick()
    view = keeper.view
    assert (view.state, view.needs_attention, view.next_attempt_at) == (TokenState.INVALID, True, None)
    assert keeper.actions() == ["token.refused"]
    (alert,) = keeper.alerts()
    assert alert.title == "An access token no longer works"
    assert len(keeper.mails()) == 1
    keeper.tick_after(6 * 3600)
    assert (len(keeper.mails()), keeper.actions()) == (1, ["token.refused"])


def without_app(keeper: Keeper) -> Keeper:
    graph = Graph(
        base_url=keeper.runtime.settings.waypost_graph_url,
        version=keeper.runtime.settings.waypost_graph_version,
        timeout_s=keeper.runtime.settings.waypost_graph_timeout,
    )
    runtime = with_settings(replace(keeper.runtime, graph=graph), waypost_meta_app_id=None)
    return replace(keeper, runtime=runtime)


def test_k2_without_an_app_the_alert_names_the_settings_and_nothing_is_retried(keeper: Keeper) -> None:
    keeper = without_app(keeper)
    keeper.give("soon-token")
    keeper.tick()
    view = keeper.view
    assert (view.state, view.attempts, view.next_attempt_at) == (TokenState.FAILING, 1, None)
    (alert,) = keeper.alerts()
    assert "WAYPOST_META_APP_ID is not set" in alert.detail
    with keeper.runtime.unit(keeper.place.owner) as unit:
        assert list_tokens(unit).missing_settings == ("WAYPOST_META_APP_ID",)
    with pytest.raises(Impossible, match="WAYPOST_META_APP_ID") as refused:
        ask(keeper, keeper.place.owner)
    assert refused.value.code == "app_not_configured"


def test_meta_that_is_down_at_a_sweep_is_no_reason_to_call_a_person(keeper: Keeper) -> None:
    keeper.give("fine-token", expires_at=keeper.now + timedelta(days=50))
    nowhere = Graph(base_url="http://127.0.0.1:9", version="v23.0", timeout_s=1)
    lost = replace(keeper, runtime=replace(keeper.runtime, graph=nowhere))
    lost.tick()
    for wait_s in (60, 300, 900):
        lost.tick_after(wait_s)
    view = keeper.view
    assert (view.attempts, view.needs_attention, view.next_attempt_at) == (4, False, None)
    assert (view.state, keeper.alerts()) == (TokenState.VALID, [])
    assert keeper.tick_after(3 * 3600).last_error is None


def ask(keeper: Keeper, identity: Identity) -> None:
    with keeper.runtime.unit(identity, write=True) as unit:
        commands.refresh(unit, keeper.view.id)


def test_a_refresh_by_hand_exchanges_however_many_days_are_left(keeper: Keeper) -> None:
    keeper.give("fine-token")
    keeper.tick()
    ask(keeper, keeper.place.acting(Role.MANAGER))
    assert keeper.view.state is TokenState.REFRESHING
    keeper.tick()
    assert (keeper.token.startswith("EAAW"), keeper.view.state) == (True, TokenState.VALID)
    assert keeper.actions() == ["token.refresh_asked", "token.refreshed"]


def test_who_may_not_ask_and_whose_token_it_is_not(keeper: Keeper, other_place: Place) -> None:
    for role in (Role.AGENT, Role.VIEWER, Role.SUPPORT):
        with pytest.raises(Forbidden):
            ask(keeper, keeper.place.acting(role))
        with pytest.raises(Forbidden), keeper.runtime.unit(keeper.place.acting(role)) as unit:
            list_tokens(unit)
    with pytest.raises(NotFound):
        ask(keeper, other_place.owner)
    with pytest.raises(NotFound), keeper.runtime.unit(other_place.owner) as unit:
        get_token(unit, keeper.view.id)
    with pytest.raises(Forbidden):
        carry_out(
            keeper.runtime,
            commands.replace(
                keeper.runtime, keeper.place.acting(Role.MANAGER), keeper.view.id, access_token="a-new-token"
            ),
        )


def test_a_sick_token_touches_no_other(keeper: Keeper, other_place: Place) -> None:
    other = replace(keeper, place=other_place, waba_id="100200300400600")
    keeper.give("stuck-token", attempts=3)
    other.give("soon-token")
    keeper.tick()
    assert keeper.view.state is TokenState.FAILING
    assert (other.view.state, other.token[:4]) == (TokenState.VALID, "EAAW")


def test_a_turn_that_was_overtaken_writes_nothing(keeper: Keeper) -> None:
    keeper.give("soon-token")
    with keeper.runtime.unit(NEVER_HEARD, write=True) as unit:
        (turn,) = take_due(unit)
    ask(keeper, keeper.place.owner)
    carry_out(keeper.runtime, refresh.take(keeper.runtime, turn))
    assert (keeper.token, keeper.row.new_sealed) == ("soon-token", None)
    assert keeper.actions() == ["token.refresh_asked"]


def test_two_clocks_take_a_token_once(keeper: Keeper) -> None:
    keeper.give("soon-token")
    with keeper.runtime.unit(NEVER_HEARD, write=True) as unit:
        assert len(take_due(unit)) == 1
    with keeper.runtime.unit(NEVER_HEARD, write=True) as unit:
        assert take_due(unit) == []
    assert keeper.view.is_working
    keeper.tick_after(3600)  # its lease ran out long ago
    assert keeper.token.startswith("EAAW")


def test_a_token_put_in_by_hand_ends_the_trouble(keeper: Keeper, desk: Desk, meta: Meta) -> None:
    keeper.give("expired-token")
    keeper.tick()
    assert len(keeper.alerts()) == 1
    carry_out(
        keeper.runtime,
        commands.replace(
            keeper.runtime, keeper.place.acting(Role.OWNER), keeper.view.id, access_token="a-new-token"
        ),
    )
    view = keeper.view
    assert (view.state, view.needs_attention, view.last_error) == (TokenState.VALID, False, None)
    assert (view.replaced_at, view.inspected_at, keeper.token) == (keeper.now, keeper.now, "a-new-token")
    assert keeper.alerts() == []
    assert "token.replaced" in keeper.actions()
