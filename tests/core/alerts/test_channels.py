"""Channels: who makes them, what they are told and when, and what they never say (A3)."""

import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from core.alerts import channels, telling
from core.alerts.channel_forms import ChannelForm
from core.alerts.channel_queries import get_channel, list_channels
from core.alerts.telling import purge
from core.errors import Conflict, DomainError, Forbidden, Impossible, Malformed, NotFound
from core.unit import Identity
from data.channels import AlertChannel, AlertNotice
from data.enums import ChannelKind, NoticeState, Role, Severity
from data.operations import AuditEntry
from data.people import Workspace
from tests.conftest import Place
from tests.core.alerts.conftest import CRITICAL, INFO, PROCESS, WARNING, Tower, strict
from tests.receiver import Receiver

SLACK = "https://hooks.slack.com/services/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"


def entries(tower: Tower) -> list[AuditEntry]:
    with tower.runtime.unit(PROCESS) as unit:
        found = unit.session.exec(select(AuditEntry).order_by(AuditEntry.number))  # type: ignore[arg-type]
        return [one for one in found if one.action.startswith("alert_channel.")]


# What is told


def test_a3_opened_escalated_and_resolved_are_told_once_each(tower: Tower) -> None:
    channel_id, _ = tower.make()
    tower.raise_("webhook_silence", severity=WARNING, title="No webhooks")
    tower.raise_("webhook_silence", severity=WARNING, title="No webhooks")
    tower.raise_("webhook_silence", severity=CRITICAL, title="No webhooks")
    tower.raise_("webhook_silence", severity=CRITICAL, title="No webhooks")
    tower.raise_("webhook_silence", severity=CRITICAL, title="No webhooks", escalates=True)
    assert tower.resolve("webhook_silence")
    assert not tower.resolve("webhook_silence")
    for _ in range(3):
        tower.tell()
    assert len(tower.mails()) == 3
    tower.advance(120)
    tower.tell()
    assert [subject for _, subject in tower.mails()] == [
        "Northwind: No webhooks",
        "Northwind: More urgent: No webhooks",
        "Northwind: More urgent: No webhooks",
        "Northwind: Resolved: No webhooks",
    ]
    assert {state for _, state in tower.states(channel_id)} == {"sent"}
    assert {to for to, _ in tower.mails()} == {"owner@northwind.example"}


def test_a3_a_channel_hears_of_its_kinds_from_its_severity_on_and_of_no_end_it_knows_no_beginning_of(
    tower: Tower, other_place: Place
) -> None:
    loud, _ = tower.make(name="All", least=INFO)
    picky, _ = tower.make(name="Picky", least=CRITICAL, kinds=["lane_held"])
    off, _ = tower.make(name="Off")
    with tower.runtime.unit(tower.place.owner, write=True) as unit:
        channels.switch_channel(unit, off, is_on=False)
    tower.raise_("phone_tier", severity=INFO)
    tower.raise_("phone_restricted")
    tower.raise_("lane_held")
    tower.raise_("lane_held", "other", workspace_id=other_place.workspace.id)
    tower.raise_("webhook_signatures", "x", workspace_id=None)
    for kind in ("phone_tier", "phone_restricted", "lane_held"):
        tower.resolve(kind)
    assert len(tower.states(loud)) == 6
    assert [event for event, _ in tower.states(picky)] == ["opened", "resolved"]
    assert tower.states(off) == []


def test_a3_the_installations_alerts_go_where_a_platform_admin_sent_them(tower: Tower) -> None:
    channel_id, _ = tower.make(of_platform=True)
    tower.raise_("webhook_signatures", "x", workspace_id=None)
    assert tower.states(channel_id) == [("opened", "queued")]
    owner = tower.place.acting(Role.OWNER)
    with pytest.raises(Forbidden, match="platform"), tower.runtime.unit(owner, write=True) as unit:
        channels.make_channel(
            unit, ChannelForm("Mine", ChannelKind.MAIL, roles=[Role.OWNER], of_platform=True)
        )


def test_a3_what_comes_and_goes_is_told_once_and_its_end_when_it_stays_away(tower: Tower) -> None:
    channel_id, _ = tower.make()
    for _ in range(5):
        tower.raise_("lane_held")
        tower.tell()
        tower.advance(60)
        tower.resolve("lane_held")
        tower.tell()
        tower.advance(60)
    assert len(tower.mails()) == 1
    tower.advance(60)
    tower.tell()
    assert [event for event, state in tower.states(channel_id) if state == "sent"] == ["opened", "resolved"]
    tower.raise_("lane_held")
    tower.tell()
    assert len(tower.mails()) == 3


def test_a3_what_is_back_worse_than_it_was_is_told(tower: Tower) -> None:
    tower.make()
    tower.raise_("phone_quality", severity=WARNING)
    tower.tell()
    tower.resolve("phone_quality")
    tower.raise_("phone_quality", severity=CRITICAL)
    tower.tell()
    assert len(tower.mails()) == 2


# Quiet hours


def test_a3_what_waited_for_the_end_of_quiet_hours_comes_as_one_digest(tower: Tower) -> None:
    with tower.runtime.unit(PROCESS, write=True) as unit:
        workspace = unit.session.get_one(Workspace, tower.place.workspace.id)
        workspace.timezone = "Europe/Berlin"  # it is ten there
        unit.session.add(workspace)
    channel_id, _ = tower.make(quiet_from="09:30", quiet_until="11:15", critical_passes=True)
    tower.raise_("webhook_silence", detail="Nothing for 10 minutes.")
    tower.raise_("phone_quality")
    tower.resolve("webhook_silence")
    tower.raise_("lane_held", title="A number sends nothing")
    assert tower.tell() == 0
    assert tower.mails() == [("owner@northwind.example", "Northwind: A number sends nothing")]
    assert [state for _, state in tower.states(channel_id)] == ["waiting"] * 3 + ["sent"]
    tower.advance(75 * 60 - 1)
    tower.tell()
    assert len(tower.mails()) == 1
    tower.advance(1)
    tower.tell()
    tower.tell()
    assert [subject for _, subject in tower.mails()][1:] == ["Northwind: 2 alerts in quiet hours"]
    assert tower.states(channel_id)[-1] == ("digest", "sent")
    assert [state for _, state in tower.states(channel_id)][:3] == ["gathered"] * 3


def test_a3_one_that_waited_alone_comes_as_itself_and_critical_ones_wait_if_so_chosen(tower: Tower) -> None:
    channel_id, _ = tower.make(quiet_from="08:00", quiet_until="10:00", critical_passes=False)
    tower.raise_("lane_held")
    tower.tell()
    assert tower.states(channel_id) == [("opened", "waiting")]
    tower.advance(3600)
    tower.tell()
    assert tower.states(channel_id) == [("opened", "sent")]


def test_a3_other_quiet_hours_count_for_what_waits_already(tower: Tower) -> None:
    channel_id, _ = tower.make(quiet_from="08:00", quiet_until="10:00")
    tower.raise_("phone_quality")
    with tower.runtime.unit(tower.place.owner, write=True) as unit:
        form = get_channel(unit, channel_id).channel.form
        bare = ChannelForm(form.name, form.kind, roles=form.roles)
        channels.change_channel(unit, channel_id, bare)
    tower.tell()
    assert tower.states(channel_id) == [("opened", "sent")]


# Webhooks


def test_a3_a_webhook_is_signed_over_its_time_and_raw_body(tower: Tower, receiver: Receiver) -> None:
    _, secret = tower.webhook(receiver)
    alert_id = tower.raise_("lane_held", detail="Zahlung fehlt: 131042 – ¿qué?")
    assert tower.tell() == 1
    (call,) = receiver.received
    stamp = call.headers["X-Waypost-Timestamp"]
    signed = hmac.new(secret.encode(), f"{stamp}.".encode() + call.body, hashlib.sha256).hexdigest()
    assert call.headers["X-Waypost-Signature"] == f"sha256={signed}"
    assert int(stamp) == int(tower.runtime.clock.now().timestamp())
    said = json.loads(call.body)
    assert (said["event"], said["workspace"], said["id"]) == (
        "opened",
        "northwind",
        call.headers["X-Waypost-Delivery"],
    )
    alert = said["alert"]
    assert (alert["id"], alert["kind"], alert["severity"]) == (alert_id, "lane_held", "critical")
    assert alert["detail"] == "Zahlung fehlt: 131042 – ¿qué?"
    assert alert["advice"]
    assert alert["openedAt"].endswith("Z")


def test_a3_a_webhook_climbs_a_ladder_of_its_own_and_then_an_alert_goes_to_the_others(
    tower: Tower, receiver: Receiver
) -> None:
    channel_id, _ = tower.webhook(receiver, name="Pager")
    tower.make(name="Mail")
    receiver.answers = [500, 302, 404, 429, 503]
    tower.raise_("lane_held")
    for attempt, wait_s in enumerate((60, 300, 900, 3600), start=1):
        tower.tell()
        (notice,) = tower.view(channel_id).notices
        assert (notice.state, notice.attempts) == ("queued", attempt)
        assert notice.next_at == tower.runtime.clock.now() + timedelta(seconds=wait_s)
        assert tower.view(channel_id).channel.last_error == notice.last_error
        tower.advance(wait_s - 1)
        assert tower.tell() == 0
        tower.advance(1)
    tower.tell()
    assert tower.states(channel_id) == [("opened", "failed")]
    assert tower.view(channel_id).channel.last_error == "The receiver answered 503."
    assert ("channel_failed", channel_id) in tower.open_alerts()
    assert len(receiver.received) == 5
    assert len({call.headers["X-Waypost-Delivery"] for call in receiver.received}) == 1
    assert len({call.body for call in receiver.received}) == 1
    tower.tell()
    assert [subject for _, subject in tower.mails()][-1] == "Northwind: An alert channel cannot be reached"
    tower.resolve("lane_held")
    tower.advance(120)
    tower.tell()
    assert tower.states(channel_id)[-1] == ("resolved", "sent")
    assert ("channel_failed", channel_id) not in tower.open_alerts()


def test_a3_a_redirect_is_not_followed(tower: Tower, receiver: Receiver) -> None:
    channel_id, _ = tower.webhook(receiver)
    receiver.answers = [307]
    tower.raise_("lane_held")
    tower.tell()
    assert [call.path for call in receiver.received] == ["/hook/a-secret-path"]
    assert "not followed" in str(tower.view(channel_id).channel.last_error)


def test_a3_the_end_is_not_told_before_the_beginning(tower: Tower, receiver: Receiver) -> None:
    channel_id, _ = tower.webhook(receiver)
    receiver.answers = [500, 500]
    tower.raise_("lane_held")
    tower.tell()
    tower.resolve("lane_held")
    tower.advance(60)
    tower.tell()
    tower.advance(120)
    assert tower.tell() == 0
    tower.advance(180)
    tower.tell()
    tower.tell()
    assert [json.loads(call.body)["event"] for call in receiver.received] == ["opened"] * 3 + ["resolved"]
    assert tower.states(channel_id) == [("opened", "sent"), ("resolved", "sent")]


def test_a3_a_process_that_died_while_telling_leaves_the_notice_to_the_next(
    tower: Tower, receiver: Receiver
) -> None:
    from core.alerts.telling import claim

    channel_id, _ = tower.webhook(receiver)
    tower.raise_("lane_held")
    with tower.runtime.unit(PROCESS, write=True) as unit:
        (lost,) = claim(unit)
    assert tower.tell() == 0
    tower.advance(60)
    assert tower.tell() == 1
    assert receiver.received[0].headers["X-Waypost-Delivery"] == lost.id
    assert [notice.attempts for notice in tower.view(channel_id).notices] == [2]


def test_a3_an_address_that_leads_inside_is_refused(tower: Tower, receiver: Receiver) -> None:
    """As it is written where that shows, else when it is called."""
    careful = strict(tower)
    with pytest.raises(Impossible) as refusal:
        careful.make(kind=ChannelKind.WEBHOOK, roles=[], target="https://10.0.0.8/a-secret-path")
    assert refusal.value.code == "channel_target"
    assert "a-secret-path" not in refusal.value.sentence
    channel_id, _ = careful.make(
        kind=ChannelKind.WEBHOOK, roles=[], target=f"https://127.1:{receiver.port}/x"
    )
    tower.raise_("lane_held")
    careful.tell()
    assert receiver.received == []
    assert "private network" in str(tower.view(channel_id).channel.last_error)
    assert tower.states(channel_id) == [("opened", "failed")]


# Services


def test_a3_a_service_is_told_through_the_library(tower: Tower, receiver: Receiver) -> None:
    channel_id, secret = tower.make(
        kind=ChannelKind.SERVICE, roles=[], target=f"gotify://127.0.0.1:{receiver.port}/AbcdefghijklmnO"
    )
    assert secret is None
    tower.raise_("lane_held", title="A number sends nothing", detail="Payment is missing.")
    receiver.answers = [401]
    tower.tell()
    assert tower.view(channel_id).channel.last_error == "Gotify refused: 401."
    tower.advance(60)
    tower.tell()
    assert tower.states(channel_id) == [("opened", "sent")]
    said = json.loads(receiver.received[-1].body)
    assert said["title"] == "Northwind: A number sends nothing"
    assert "Payment is missing." in said["message"]


def test_a3_a_service_on_a_host_of_ones_own_needs_the_setting(tower: Tower) -> None:
    with pytest.raises(Impossible) as refusal:
        strict(tower).make(kind=ChannelKind.SERVICE, roles=[], target="gotify://127.0.0.1/AbcdefghijklmnO")
    assert (refusal.value.code, "AbcdefghijklmnO" in refusal.value.sentence) == ("channel_target", False)


# Secrets


def test_k3_addresses_and_secrets_of_channels_are_sealed_and_told_to_nobody(
    tower: Tower, receiver: Receiver, capfd: pytest.CaptureFixture[str]
) -> None:
    channel_id, secret = tower.webhook(receiver)
    slack_id, _ = tower.make(kind=ChannelKind.SERVICE, roles=[], target=SLACK)
    receiver.answers = [500]
    tower.raise_("lane_held")
    with tower.runtime.unit(tower.place.owner, write=True) as unit:
        channels.switch_channel(unit, slack_id, is_on=False)
        renewed = channels.renew_secret(unit, channel_id)
        rows = [row.model_dump() for row in unit.session.exec(select(AlertChannel)).all()]
    tower.tell()
    shown = f"{rows}{entries(tower)}{tower.view(channel_id)}{tower.view(slack_id)}{capfd.readouterr()}"
    for canary in (secret, renewed, "a-secret-path", "hB8kGbRVVA9XEtT8n5GKYdEu", "T1H9RESGL"):
        assert canary not in shown
    assert tower.view(channel_id).channel.target == "http://127.0.0.1/…"
    assert tower.view(slack_id).channel.target == "Slack"
    assert renewed != secret


def test_k3_an_address_of_one_channel_does_not_open_in_the_row_of_another(
    tower: Tower, receiver: Receiver
) -> None:
    first, _ = tower.webhook(receiver)
    second, _ = tower.webhook(receiver, name="Second")
    with tower.runtime.unit(PROCESS, write=True) as unit:
        one, other = (unit.session.get_one(AlertChannel, each) for each in (first, second))
        one.sealed_target, other.sealed_target = other.sealed_target, one.sealed_target
        unit.session.add_all([one, other])
    tower.raise_("lane_held")
    tower.tell()
    assert receiver.received == []
    assert tower.view(first).channel.last_error == "A stored secret belongs to another row."


# Commands


def test_a_test_is_told_at_once_whatever_the_hour_and_once_at_a_time(
    tower: Tower, receiver: Receiver
) -> None:
    channel_id, _ = tower.webhook(receiver, quiet_from="08:00", quiet_until="10:00")

    def test() -> None:
        with tower.runtime.unit(tower.place.owner, write=True) as unit:
            channels.test_channel(unit, channel_id)

    test()
    with pytest.raises(Conflict):
        test()
    receiver.answers = [500]
    tower.tell()
    assert tower.states(channel_id) == [("test", "failed")]
    assert tower.open_alerts() == []
    test()
    tower.tell()
    assert tower.states(channel_id)[-1] == ("test", "sent")
    assert json.loads(receiver.received[-1].body)["event"] == "test"


def test_mail_goes_to_roles_and_addresses_once_each_and_nobody_is_an_error(
    tower: Tower,
) -> None:
    tower.make(roles=[Role.OWNER], addresses=["owner@northwind.example", "oncall@Bücher.example"])
    nobody, _ = tower.make(name="Managers", roles=[Role.MANAGER])
    tower.raise_("lane_held")
    tower.tell()
    to = [recipient for recipient, subject in tower.mails() if "sends nothing" in subject]
    assert sorted(to) == ["oncall@xn--bcher-kva.example", "owner@northwind.example"]
    assert tower.states(nobody) == [("opened", "failed")]
    assert ("channel_failed", nobody) in tower.open_alerts()


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"name": "  "}, Malformed),
        ({"name": "x" * 81}, Malformed),
        ({"roles": []}, Impossible),
        ({"roles": [Role.VIEWER]}, Impossible),
        ({"addresses": ["no address"]}, Impossible),
        ({"addresses": [f"a{n}@x.example" for n in range(21)]}, Impossible),
        ({"kinds": ["nonsense"]}, Malformed),
        ({"quiet_from": "22:00"}, Impossible),
        ({"quiet_from": "22:00", "quiet_until": "22:00"}, Impossible),
        ({"quiet_from": "24:00", "quiet_until": "07:00"}, Malformed),
    ],
)
def test_a_form_that_cannot_be_is_refused(
    tower: Tower, form: dict[str, Any], error: type[DomainError]
) -> None:
    with pytest.raises(error):
        tower.make(**form)


def test_a_channel_is_changed_switched_and_deleted_and_each_is_in_the_audit_log(
    tower: Tower, receiver: Receiver
) -> None:
    channel_id, _ = tower.webhook(receiver)
    tower.raise_("lane_held")
    with tower.runtime.unit(tower.place.owner, write=True) as unit:
        form = ChannelForm("Pager", ChannelKind.WEBHOOK, least=Severity.CRITICAL, kinds=["lane_held"])
        channels.change_channel(unit, channel_id, form)
        with pytest.raises(Conflict):
            channels.change_channel(unit, channel_id, ChannelForm("Pager", ChannelKind.MAIL))
    tower.tell()
    assert [call.path for call in receiver.received] == ["/hook/a-secret-path"]
    tower.raise_("lane_held", "2")
    with tower.runtime.unit(tower.place.owner, write=True) as unit:
        channels.switch_channel(unit, channel_id, is_on=False)
        with pytest.raises(Conflict):
            channels.test_channel(unit, channel_id)
    assert tower.states(channel_id)[-1] == ("opened", "failed")
    with tower.runtime.unit(tower.place.owner, write=True) as unit:
        channels.switch_channel(unit, channel_id, is_on=True)
        channels.delete_channel(unit, channel_id)
        assert list_channels(unit) == []
    actions = [entry.action.removeprefix("alert_channel.") for entry in entries(tower)]
    assert actions == ["made", "changed", "switched_off", "switched_on", "deleted"]
    assert tower.tell() == 0


def test_who_may_not_and_whose_it_is_not(tower: Tower, other_place: Place) -> None:
    channel_id, _ = tower.make()
    commands = (
        lambda unit: channels.make_channel(unit, ChannelForm("X", ChannelKind.MAIL, roles=[Role.OWNER])),
        lambda unit: channels.change_channel(unit, channel_id, ChannelForm("X", ChannelKind.MAIL)),
        lambda unit: channels.switch_channel(unit, channel_id, is_on=False),
        lambda unit: channels.renew_secret(unit, channel_id),
        lambda unit: channels.delete_channel(unit, channel_id),
        lambda unit: channels.test_channel(unit, channel_id),
    )

    def refused(kind: type[DomainError], identity: Identity, command: Any) -> None:
        with pytest.raises(kind), tower.runtime.unit(identity, write=True) as unit:
            command(unit)

    for command in commands:
        refused(Forbidden, tower.place.acting(Role.MANAGER), command)
    for command in commands[1:]:
        refused(NotFound, other_place.owner, command)
    refused(NotFound, other_place.owner, lambda unit: get_channel(unit, channel_id))
    refused(Forbidden, tower.place.acting(Role.AGENT), list_channels)
    with tower.runtime.unit(tower.place.acting(Role.MANAGER)) as unit:
        assert [row.can_change for row in list_channels(unit)] == [False]


def test_old_notices_are_forgotten_and_those_under_way_are_not(tower: Tower) -> None:
    channel_id, _ = tower.make()
    tower.raise_("lane_held")
    tower.tell()
    tower.advance(91 * 86_400)
    tower.raise_("lane_held", "2")
    with tower.runtime.unit(PROCESS, write=True) as unit:
        assert purge(unit) == 1
    assert tower.states(channel_id) == [("opened", "queued")]


def test_what_the_clock_asks_every_other_second_walks_an_index(tower: Tower) -> None:
    if not tower.runtime.database.is_sqlite:
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by statistics")
    with tower.runtime.unit(PROCESS) as unit:
        for statement in (telling._due(unit, NoticeState.QUEUED, in_order=True), _notices_of("chn_1")):
            sql = statement.compile(unit.session.get_bind(), compile_kwargs={"literal_binds": True})
            rows = unit.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")
            plan = [str(row[3]) for row in rows]
            assert not any("TEMP B-TREE" in step or step.startswith("SCAN") for step in plan), plan


def _notices_of(channel_id: str) -> Any:
    of_channel = select(AlertNotice).where(col(AlertNotice.channel_id) == channel_id)
    return of_channel.order_by(col(AlertNotice.id).desc())
