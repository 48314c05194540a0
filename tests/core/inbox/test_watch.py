"""Alerts about the inbox: raised when it is so, resolved when it is no more."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import col, select

from core.inbox.purge import purge
from core.inbox.signatures import count_bad
from core.inbox.watch import find_silent, is_silent, watch
from data.alerts import Alert
from data.enums import Severity
from data.inbox import BadSignature, Delivery, DeliveryFailure, MetaUpdate
from tests.conftest import PHONE_ID
from tests.core.desk import WORKER, Desk, accepted, envelope, inbound, status
from tests.core.inbox.test_lane import inbox, told
from tests.webhooks import deliver, work_off

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def look(desk: Desk) -> list[Alert]:
    """Open alerts, after a look at how things are."""
    with desk.runtime.unit(WORKER) as unit:
        silent = find_silent(unit)
    with desk.runtime.unit(WORKER, write=True) as unit:
        watch(unit, silent)
        unit.session.flush()
        found = unit.session.exec(select(Alert).where(col(Alert.open_key).is_not(None)))
        return list(found)


def test_the_oldest_waiting_for_over_a_minute_is_an_alert_until_it_is_applied(desk: Desk) -> None:
    deliver(desk.runtime, envelope(messages=[inbound(wamid="wamid.a", at=desk.now)]))
    desk.advance(60)
    assert look(desk) == []
    desk.advance(1)
    (alert,) = look(desk)
    assert (alert.kind, alert.workspace_id) == ("webhook_lag", desk.place.workspace.id)
    assert len(look(desk)) == 1
    work_off(desk.runtime)
    assert look(desk) == []


def test_wrong_signatures_are_an_alert_until_right_ones_come_and_wrong_ones_stop(desk: Desk) -> None:
    with desk.runtime.unit(WORKER, write=True) as unit:
        count_bad(unit, 3)
        count_bad(unit, 4)
    (alert,) = look(desk)
    assert (alert.kind, alert.workspace_id, alert.severity) == ("webhook_signatures", None, Severity.CRITICAL)
    assert alert.detail.startswith("7 were refused")
    desk.advance(6 * 60)
    assert len(look(desk)) == 1, "no right one came since"
    desk.hear(envelope(messages=[inbound(wamid="wamid.a", at=desk.now)]))
    assert look(desk) == []


def test_wrong_signatures_beside_right_ones_are_a_warning(desk: Desk) -> None:
    desk.hear(envelope(messages=[inbound(wamid="wamid.a", at=desk.now)]))
    with desk.runtime.unit(WORKER, write=True) as unit:
        count_bad(unit, 1)
    assert [alert.severity for alert in look(desk)] == [Severity.WARNING]


@pytest.mark.parametrize(
    ("heard_after_s", "now_after_s", "expected"),
    [(None, 299, False), (None, 300, True), (-120, 300, True), (0, 300, False), (420, 500, False)],
)
def test_a_number_that_sends_and_hears_nothing_for_five_minutes_is_silent(
    heard_after_s: int | None, now_after_s: int, expected: bool
) -> None:
    heard = None if heard_after_s is None else AT + timedelta(seconds=heard_after_s)
    found = is_silent(first_sent_at=AT, last_heard_at=heard, now=AT + timedelta(seconds=now_after_s))
    assert found is expected


def test_silence_is_an_alert_until_something_arrives_for_the_number(desk: Desk) -> None:
    desk.send_and_get(accepted())
    desk.advance(299)
    assert look(desk) == []
    desk.advance(1)
    (alert,) = look(desk)
    assert (alert.kind, alert.subject) == ("webhook_silence", PHONE_ID)
    desk.advance(3600)
    assert len(look(desk)) == 1, "that it sends no more makes it no better"
    desk.hear(envelope(statuses=[status("delivered", wamid="wamid.one", at=desk.now)]))
    assert look(desk) == []


def test_a_number_that_hears_is_never_silent(desk: Desk) -> None:
    desk.send_and_get(accepted())
    desk.advance(5)
    desk.hear(envelope(messages=[inbound(wamid="wamid.a", at=desk.now)]))
    for _ in range(12):
        desk.advance(60)
        assert look(desk) == []


def test_what_is_older_than_the_retention_is_forgotten_but_what_waits(desk: Desk) -> None:
    (waiting,) = deliver(desk.runtime, envelope(messages=[inbound(wamid="wamid.w", at=desk.now)]))
    work_off(desk.runtime)
    desk.change(Delivery, waiting, state="pending")
    desk.advance(1)
    deliver(desk.runtime, envelope(statuses=[{"id": "x"}]))
    deliver(desk.runtime, told("account_update", {"event": "X"}))
    deliver(desk.runtime, {"entry": []})
    work_off(desk.runtime)
    desk.change(Delivery, waiting, state="pending")
    with desk.runtime.unit(WORKER, write=True) as unit:
        count_bad(unit, 1)
    desk.advance(90 * 86_400 - 10)
    assert forget(desk) == 0
    desk.advance(60)
    deliver(desk.runtime, envelope(statuses=[{"id": "y"}]))
    desk.advance(1)
    assert forget(desk) == 4
    assert inbox(desk.runtime)[0].id == waiting
    assert len(inbox(desk.runtime)) == 2
    with desk.runtime.unit(WORKER) as unit:
        for model in (DeliveryFailure, MetaUpdate, BadSignature):
            assert unit.session.exec(select(model)).all() == []


def forget(desk: Desk) -> int:
    """How many rows are gone, in the end."""
    total, some = 0, 1
    while some:
        with desk.runtime.unit(WORKER, write=True) as unit:
            some = purge(unit)
        total += some
    return total
