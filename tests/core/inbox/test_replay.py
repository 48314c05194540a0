"""Applying again: one delivery, or all that match; with the same result, by those who may."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from core.errors import Conflict, Forbidden, Impossible, NotFound
from core.inbox import commands
from core.inbox.commands import replay, replay_matching
from core.inbox.queries import DeliveryFilter
from core.unit import Unit
from data.enums import DeliveryState, MessageState, Role
from data.inbox import Delivery, MetaUpdate
from data.operations import AuditEntry
from tests.conftest import Place
from tests.core.desk import WORKER, Desk, accepted, envelope, inbound, status
from tests.core.inbox.test_lane import failures, inbox, said, told
from tests.webhooks import deliver, hear, work_off

APPLIED, PENDING = DeliveryState.APPLIED, DeliveryState.PENDING


def audited(desk: Desk) -> list[AuditEntry]:
    with desk.runtime.unit(WORKER) as unit:
        entries = select(AuditEntry).where(col(AuditEntry.action).startswith("webhook"))
        return list(unit.session.exec(entries.order_by(col(AuditEntry.number))))


def again(desk: Desk, delivery_id: str) -> None:
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        replay(unit, delivery_id)
    work_off(desk.runtime)


def test_a_replay_of_what_is_applied_changes_nothing(desk: Desk) -> None:
    message_id = desk.send_and_get(accepted())
    desk.hear(
        envelope(
            statuses=[status("failed", wamid="wamid.one", at=desk.now, code=131016)],
            messages=[inbound(wamid="wamid.a", at=desk.now)],
        )
    )
    before = (desk.rows(), desk.message(message_id), desk.attempts(message_id), said(desk.runtime))
    (delivery,) = inbox(desk.runtime)
    desk.advance(3600)
    again(desk, delivery.id)
    assert (desk.rows(), desk.message(message_id), desk.attempts(message_id), said(desk.runtime)) == before
    (after,) = inbox(desk.runtime)
    assert (after.state, after.attempts, after.updates) == (APPLIED, 2, 2)
    assert [(one.action, one.target) for one in audited(desk)] == [
        ("webhook.replayed", f"delivery:{delivery.id}")
    ]


def test_what_failed_is_applied_after_the_fix(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(unit: Unit, all_said: Any) -> None:
        if all_said:
            raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr("core.inbox.applying.take_changes", crash)
        desk.hear(told("a_field_to_come", {"event": "GOOD"}))
    (delivery,) = inbox(desk.runtime)
    assert delivery.state is DeliveryState.FAILED
    again(desk, delivery.id)
    assert [one.value for one in said(desk.runtime)] == [{"event": "GOOD"}]
    assert failures(desk.runtime) == []
    (after,) = inbox(desk.runtime)
    assert (after.state, after.error, after.failures) == (APPLIED, None, 0)


def test_a_change_that_nothing_acted_on_takes_effect_when_it_is_replayed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.hear(told("a_field_to_come", {"event": "GOOD"}))
    seen: list[Any] = []
    monkeypatch.setattr(
        "core.inbox.changes.EFFECTS", {"a_field_to_come": lambda _, one: seen.append(one.change.value)}
    )
    (delivery,) = inbox(desk.runtime)
    for _ in range(2):
        again(desk, delivery.id)
    assert seen == [{"event": "GOOD"}]
    with desk.runtime.unit(WORKER) as unit:
        assert unit.session.exec(select(MetaUpdate.effect_at)).one() == desk.now


def test_a_range_of_time_is_replayed_whole(desk: Desk) -> None:
    moments = []
    for number in range(6):
        moments.append(desk.now)
        desk.hear(envelope(messages=[inbound(wamid=f"wamid.{number}", at=desk.now)]))
        desk.advance(60)
    before = desk.rows()
    wanted = DeliveryFilter(since=moments[2], until=moments[5])
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        assert replay_matching(unit, wanted) == 3
    assert [one.state for one in inbox(desk.runtime)] == [APPLIED] * 2 + [PENDING] * 3 + [APPLIED]
    work_off(desk.runtime)
    assert desk.rows() == before
    assert [one.attempts for one in inbox(desk.runtime)] == [1, 1, 2, 2, 2, 1]
    (entry,) = audited(desk)
    assert entry.after is not None
    assert (entry.action, entry.after["count"]) == ("webhooks.replayed", 3)


def test_only_so_many_are_replayed_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "REPLAY_AT_ONCE", 2)
    for number in range(3):
        desk.hear(envelope(messages=[inbound(wamid=f"wamid.{number}", at=desk.now)]))
        desk.advance(1)
    with (
        pytest.raises(Impossible, match="narrower range"),
        desk.runtime.unit(desk.place.owner, write=True) as unit,
    ):
        replay_matching(unit, DeliveryFilter())
    assert {one.state for one in inbox(desk.runtime)} == {APPLIED}
    assert audited(desk) == []


def test_what_is_waiting_or_has_no_raw_body_cannot_be_replayed(desk: Desk) -> None:
    (waiting,) = deliver(desk.runtime, envelope(messages=[inbound(wamid="wamid.a", at=desk.now)]))
    with pytest.raises(Conflict, match="waiting"):
        again(desk, waiting)
    work_off(desk.runtime)
    desk.change(Delivery, waiting, body=None)
    with pytest.raises(Conflict, match="raw body"):
        again(desk, waiting)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        assert replay_matching(unit, DeliveryFilter()) == 0


def test_p5_another_workspaces_delivery_is_not_found_and_never_matches(
    desk: Desk, other_place: Place
) -> None:
    desk.hear(envelope(messages=[inbound(wamid="wamid.a", at=desk.now)]))
    (delivery,) = inbox(desk.runtime)
    with pytest.raises(NotFound), desk.runtime.unit(other_place.owner, write=True) as unit:
        replay(unit, delivery.id)
    with desk.runtime.unit(other_place.owner, write=True) as unit:
        assert replay_matching(unit, DeliveryFilter()) == 0


@pytest.mark.parametrize("role", [Role.AGENT, Role.VIEWER, Role.SUPPORT])
def test_p2_who_may_not_replay_is_refused(desk: Desk, role: Role) -> None:
    desk.hear(envelope(messages=[inbound(wamid="wamid.a", at=desk.now)]))
    (delivery,) = inbox(desk.runtime)
    for command in (
        lambda unit: replay(unit, delivery.id),
        lambda unit: replay_matching(unit, DeliveryFilter()),
    ):
        with (
            pytest.raises(Forbidden, match=r"webhooks\.replay") as refusal,
            desk.runtime.unit(desk.place.acting(role), write=True) as unit,
        ):
            command(unit)
        assert refusal.value.facts["permission"] == "webhooks.replay"
    assert [one.state for one in inbox(desk.runtime)] == [APPLIED]


def test_a_replay_after_a_read_receipt_keeps_the_message_read(desk: Desk) -> None:
    message_id = desk.send_and_get(accepted())
    for name in ("sent", "delivered", "read"):
        hear(desk.runtime, envelope(statuses=[status(name, wamid="wamid.one", at=desk.now)]))
        desk.advance(timedelta(seconds=5).total_seconds())
    first = inbox(desk.runtime)[0]
    again(desk, first.id)
    assert desk.message(message_id).state is MessageState.READ
