"""Deliveries become what they say: in order, once, each update on its own account."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from core.inbox import changes, lane
from core.inbox.lane import apply_due, has_due
from core.runtime import Runtime
from data.enums import DeliveryState, HoldCause, MessageState
from data.inbox import Delivery, DeliveryFailure, MetaUpdate, PhoneHeard
from data.messages import Contact, Message, Suppression
from data.sending import Phone
from tests.conftest import NOW, PHONE_ID, SECOND_PHONE_ID, WABA_ID, Place
from tests.core.desk import WORKER, Desk, accepted, envelope, inbound, seconds, status
from tests.webhooks import deliver, hear, work_off

APPLIED, FAILED, IGNORED = DeliveryState.APPLIED, DeliveryState.FAILED, DeliveryState.IGNORED


def inbox(runtime: Runtime) -> list[Delivery]:
    with runtime.unit(WORKER) as unit:
        return list(unit.session.exec(select(Delivery).order_by(col(Delivery.id))))


def failures(runtime: Runtime) -> list[tuple[str, str, str]]:
    with runtime.unit(WORKER) as unit:
        found = unit.session.exec(select(DeliveryFailure).order_by(col(DeliveryFailure.path)))
        return [(one.path, one.field, one.reason) for one in found]


def said(runtime: Runtime) -> list[MetaUpdate]:
    with runtime.unit(WORKER) as unit:
        return list(unit.session.exec(select(MetaUpdate).order_by(col(MetaUpdate.field))))


def told(field: str, value: Any, *, at: Any = None, waba: str = WABA_ID) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": waba, "changes": [{"field": field, "value": value}]}
    if at is not None:
        entry["time"] = int(at.timestamp())
    return {"object": "whatsapp_business_account", "entry": [entry]}


def test_a_delivery_is_pending_until_it_is_applied(desk: Desk) -> None:
    deliver(desk.runtime, envelope(messages=[inbound(wamid="wamid.a", at=desk.now)]))
    (waiting,) = inbox(desk.runtime)
    assert (waiting.state, waiting.attempts, waiting.applied_at) == (DeliveryState.PENDING, 0, None)
    assert (waiting.workspace_id, waiting.phone_number_id) == (desk.place.workspace.id, PHONE_ID)
    with desk.runtime.unit(WORKER) as unit:
        assert has_due(unit)
    desk.advance(2)
    assert apply_due(desk.runtime) == 1
    assert apply_due(desk.runtime) == 0
    (done,) = inbox(desk.runtime)
    assert (done.state, done.attempts, done.updates, done.failures) == (APPLIED, 1, 1, 0)
    assert done.applied_at == done.received_at + timedelta(seconds=2)
    with desk.runtime.unit(WORKER) as unit:
        assert not has_due(unit)


def test_b3_a_message_says_when_it_reached_us_and_not_when_it_was_applied(desk: Desk) -> None:
    deliver(desk.runtime, envelope(messages=[inbound(wamid="wamid.a", at=desk.now)]))
    arrived = desk.now
    desk.advance(90)
    work_off(desk.runtime)
    with desk.runtime.unit(WORKER) as unit:
        message = unit.session.exec(select(Message)).one()
        assert unit.session.exec(select(PhoneHeard.last_at)).one() == arrived
    assert message.created_at == arrived
    assert message.meta_type == "text"


def test_what_cannot_be_understood_is_kept_with_its_reason_and_the_rest_is_applied(desk: Desk) -> None:
    message_id = desk.send_and_get(accepted())
    broken = {"id": "wamid.one", "status": "delivered"}
    good = status("delivered", wamid="wamid.one", at=desk.now)
    told_twice = envelope(statuses=[broken, good], messages=[inbound(wamid="wamid.a", at=desk.now)])
    assert desk.hear(told_twice) == 2
    assert desk.message(message_id).state is MessageState.DELIVERED
    (delivery,) = inbox(desk.runtime)
    assert (delivery.state, delivery.updates, delivery.failures) == (FAILED, 2, 1)
    assert failures(desk.runtime) == [
        (
            "entry[0].changes[0].value.statuses[0]",
            "messages",
            "timestamp is missing or no number of seconds",
        )
    ]
    assert delivery.error == failures(desk.runtime)[0][2]


def test_an_update_that_crashes_is_a_failure_of_its_own(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    real = changes.take_changes

    def crash(unit: Any, all_said: Any) -> None:
        if any(one.change.value.get("event") == "POISON" for one in all_said):
            raise ZeroDivisionError
        real(unit, all_said)

    monkeypatch.setattr("core.inbox.applying.take_changes", crash)
    both = told("a_field_to_come", {"event": "POISON"})
    both["entry"] += told("a_field_to_come", {"event": "GOOD"})["entry"]
    both["entry"] += envelope(messages=[inbound(wamid="wamid.a", at=desk.now)])["entry"]
    deliver(desk.runtime, both)
    assert desk.hear(envelope(messages=[inbound(wamid="wamid.b", at=desk.now)])) == 1
    assert [one.value for one in said(desk.runtime)] == [{"event": "GOOD"}]
    assert {one.state for one in inbox(desk.runtime)} == {FAILED, APPLIED}
    assert failures(desk.runtime) == [
        ("entry[0].changes[0].value", "a_field_to_come", "Waypost failed on this update: ZeroDivisionError")
    ]
    assert desk.rows()["Message"] == 2


def test_a_large_delivery_is_applied_in_chunks_and_finished_with_the_last(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "CHUNK", 7)
    count = 20
    messages = [inbound(wamid=f"wamid.{n}", at=desk.now) for n in range(count)]
    assert desk.hear(envelope(messages=messages)) == count
    (delivery,) = inbox(desk.runtime)
    assert (delivery.state, delivery.updates, delivery.attempts) == (APPLIED, count, 1)
    with desk.runtime.unit(WORKER) as unit:
        stored = unit.session.exec(select(Message.wamid).order_by(col(Message.id))).all()
    assert stored == [f"wamid.{n}" for n in range(count)]


def test_p5_a_delivery_for_two_workspaces_is_kept_once_for_each(desk: Desk, other_place: Place) -> None:
    foreign = str(int(PHONE_ID) + 50)
    both = envelope(messages=[inbound(wamid="wamid.a", at=desk.now)])
    both["entry"] += envelope(phone=foreign, messages=[inbound(wamid="wamid.b", at=desk.now)])["entry"]
    assert hear(desk.runtime, both) == 2
    found = inbox(desk.runtime)
    assert {one.workspace_id for one in found} == {desk.place.workspace.id, other_place.workspace.id}
    assert [(one.state, one.updates) for one in found] == [(APPLIED, 1), (APPLIED, 1)]


def test_what_concerns_nobody_is_ignored(desk: Desk) -> None:
    for odd in ([], 7, {"entry": 7}, {"entry": []}, told("account_update", {"event": "X"}, waba="9")):
        assert hear(desk.runtime, odd) == 0
    assert hear(desk.runtime, envelope(phone="1", messages=[inbound(wamid="wamid.a", at=desk.now)])) == 0
    assert {(one.state, one.workspace_id) for one in inbox(desk.runtime)} == {(IGNORED, None)}


def test_an_entry_of_ours_that_cannot_be_understood_is_a_failure(desk: Desk) -> None:
    assert desk.hear({"entry": [{"id": WABA_ID, "changes": 7}]}) == 0
    assert failures(desk.runtime) == [("entry[0]", "", "the entry has no list of changes")]


@pytest.mark.parametrize("field", ["smb_message_echoes", "a_field_to_come"])
def test_a_field_that_nothing_acts_on_is_kept_once_and_has_no_effect(desk: Desk, field: str) -> None:
    for _ in range(2):
        assert desk.hear(told(field, {"event": "APPROVED", "id": 1}, at=desk.now)) == 1
        desk.advance(1.5)
    (kept, *more) = said(desk.runtime)
    assert (kept.value, kept.effect_at) == ({"event": "APPROVED", "id": 1}, None)
    assert len(more) == 1, "another entry.time is another event"
    assert desk.hear(told(field, {"event": "APPROVED", "id": 1}, at=NOW)) == 1
    assert len(said(desk.runtime)) == 2


def test_a_change_of_a_phone_takes_effect_once(desk: Desk) -> None:
    number = "+49 30 5557 0142"
    change = {"display_phone_number": number, "decision": "REJECTED", "requested_verified_name": "X"}
    for _ in range(2):
        assert desk.hear(told("phone_number_name_update", change, at=desk.now)) == 1
    (kept,) = said(desk.runtime)
    assert kept.effect_at is not None
    with desk.runtime.unit(WORKER) as unit:
        assert unit.session.get_one(Phone, PHONE_ID).new_name_status == "DECLINED"


def test_q7_a_ban_holds_the_accounts_lanes_and_its_end_releases_them(desk: Desk) -> None:
    def ban(state: str) -> None:
        value = {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": state}}
        assert desk.hear(told("account_update", value, at=desk.now)) == 1

    ban("DISABLE")
    assert {(one.subject, one.cause) for one in desk.holds()} == {
        (PHONE_ID, HoldCause.RESTRICTION),
        (SECOND_PHONE_ID, HoldCause.RESTRICTION),
    }
    assert all(one.reason for one in desk.holds())
    desk.advance(60)
    ban("REINSTATE")
    assert desk.holds() == []


def test_errors_of_a_phone_are_kept(desk: Desk) -> None:
    one = envelope(messages=[inbound(wamid="wamid.a", at=desk.now)])
    one["entry"][0]["changes"][0]["value"]["errors"] = [{"code": 130429, "title": "Rate limit hit"}]
    assert desk.hear(one) == 2
    (kept,) = said(desk.runtime)
    assert (kept.field, kept.phone_number_id) == ("messages", PHONE_ID)


# Customers: who they are, what they are called, what they decided (B5)


def contacts(desk: Desk) -> list[Contact]:
    with desk.runtime.unit(WORKER) as unit:
        alive = select(Contact).where(col(Contact.merged_into).is_(None)).order_by(col(Contact.id))
        return list(unit.session.exec(alive))


def test_b5_a_customer_without_a_number_is_known_by_the_business_scoped_id(desk: Desk) -> None:
    message = inbound(wamid="wamid.a", at=desk.now) | {"from_user_id": "DE.1a2b"}
    del message["from"]
    assert desk.hear(envelope(messages=[message])) == 1
    both = inbound(wamid="wamid.b", at=desk.now) | {"from_user_id": "DE.1a2b"}
    assert desk.hear(envelope(messages=[both])) == 1
    (contact,) = contacts(desk)
    assert (contact.wa_id, contact.business_user_id) == ("4915112300001", "DE.1a2b")
    with desk.runtime.unit(WORKER) as unit:
        senders = unit.session.exec(select(Message.recipient).order_by(col(Message.wamid))).all()
    assert senders == ["DE.1a2b", "+4915112300001"]


def test_b5_a_changed_number_makes_one_contact_of_two(desk: Desk) -> None:
    desk.hear(envelope(messages=[inbound(wamid="wamid.a", at=desk.now)]))
    moved = inbound(wamid="wamid.s", at=desk.now) | {"type": "system"}
    del moved["text"]
    moved["system"] = {"type": "user_changed_number", "wa_id": "4915112300002", "body": "…"}
    desk.hear(envelope(messages=[moved, inbound(wamid="wamid.b", at=desk.now, sender="4915112300002")]))
    desk.hear(envelope(messages=[inbound(wamid="wamid.late", at=desk.now)]))
    (contact,) = contacts(desk)
    assert contact.wa_id == "4915112300002"
    with desk.runtime.unit(WORKER) as unit:
        assert set(unit.session.exec(select(Message.contact_id))) == {contact.id}


def test_a_system_message_opens_no_service_window(desk: Desk) -> None:
    moved = inbound(wamid="wamid.s", at=desk.now) | {"type": "system", "system": {"body": "…"}}
    desk.hear(envelope(messages=[moved]))
    assert windows(desk) == 0
    desk.hear(envelope(messages=[inbound(wamid="wamid.a", at=desk.now)]))
    assert windows(desk) == 1


def windows(desk: Desk) -> int:
    from data.messages import ServiceWindow

    with desk.runtime.unit(WORKER) as unit:
        return len(unit.session.exec(select(ServiceWindow)).all())


def test_an_older_message_that_comes_late_never_changes_the_name(desk: Desk) -> None:
    def write(name: str, *, minutes: int) -> None:
        at = desk.now + timedelta(minutes=minutes)
        one = envelope(messages=[inbound(wamid=f"wamid.{minutes}", at=at)])
        one["entry"][0]["changes"][0]["value"]["contacts"][0]["profile"]["name"] = name
        desk.hear(one)

    write("Mara", minutes=1)
    write("Mara Vogel", minutes=3)
    write("M. Kern", minutes=2)
    assert [one.name for one in contacts(desk)] == ["Mara Vogel"]
    write("Mara Vogel", minutes=5)
    write("M. Kern", minutes=4)
    assert [one.name for one in contacts(desk)] == ["Mara Vogel"]


def decide(desk: Desk, value: str, *, minute: int, category: str = "marketing_messages") -> None:
    at = seconds(desk.now + timedelta(minutes=minute))
    item = {"wa_id": "4915112300001", "category": category, "value": value, "timestamp": at}
    assert desk.hear(told("user_preferences", {"user_preferences": [item]})) == 1


def opted_out(desk: Desk) -> bool:
    with desk.runtime.unit(WORKER) as unit:
        rows = unit.session.exec(select(Suppression).where(col(Suppression.lifted_at).is_(None)))
        return len(rows.all()) > 0


@pytest.mark.parametrize(
    ("told_in_order", "ends_opted_out"),
    [
        ([("stop", 1)], True),
        ([("stop", 1), ("resume", 2)], False),
        ([("resume", 2), ("stop", 1)], False),
        ([("stop", 1), ("resume", 2), ("stop", 3)], True),
        ([("stop", 3), ("resume", 2), ("stop", 1)], True),
        ([("resume", 4), ("stop", 3), ("stop", 1), ("resume", 2)], False),
        ([("stop", 1), ("resume", 2), ("stop", 1)], False),
        ([("stop", 1), ("signup", 2)], True),
    ],
)
def test_a_customers_latest_decision_about_marketing_counts(
    desk: Desk, told_in_order: list[tuple[str, int]], ends_opted_out: bool
) -> None:
    for value, minute in told_in_order:
        decide(desk, value, minute=minute)
    assert opted_out(desk) is ends_opted_out


def test_a_decision_about_anything_else_has_no_effect(desk: Desk) -> None:
    decide(desk, "stop", minute=1, category="service_messages")
    assert not opted_out(desk)


def test_a_resume_lifts_metas_refusal_and_no_persons_suppression(desk: Desk) -> None:
    desk.hear(envelope(messages=[inbound(wamid="wamid.a", at=desk.now)]))
    (contact,) = contacts(desk)
    with desk.runtime.unit(WORKER, write=True) as unit:
        for code in ("meta_131050", "by_hand"):
            unit.session.add(
                Suppression(
                    id=unit.new_id("sup"),
                    workspace_id=contact.workspace_id,
                    contact_id=contact.id,
                    kind="marketing",
                    error_code=code,
                    created_at=unit.now,
                )
            )
    decide(desk, "resume", minute=1)
    with desk.runtime.unit(WORKER) as unit:
        active = unit.session.exec(select(Suppression.error_code).where(col(Suppression.lifted_at).is_(None)))
        assert list(active) == ["by_hand"]


# Several workers, and whatever is interrupted


def test_two_workers_at_once_apply_each_delivery_once_and_in_order(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "CHUNK", 5)
    count = 30
    for n in range(count):
        at = desk.now + timedelta(seconds=n)
        messages = [inbound(wamid=f"wamid.{n}.{part}", at=at) for part in range(3)]
        deliver(desk.runtime, envelope(messages=messages))
        desk.advance(0.001)
    order: list[str] = []
    real = lane._finish

    def note(unit: Any, courses: Any) -> None:
        order.extend(course.id for course in courses)
        real(unit, courses)

    monkeypatch.setattr(lane, "_finish", note)
    start = threading.Barrier(3)

    def work(_: int) -> None:
        start.wait()
        work_off(desk.runtime)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    assert order == [one.id for one in inbox(desk.runtime)]
    assert {(one.state, one.attempts, one.updates) for one in inbox(desk.runtime)} == {(APPLIED, 1, 3)}
    assert desk.rows()["Message"] == 3 * count


def test_statuses_that_fail_after_acceptance_are_settled_together_each_as_alone(desk: Desk) -> None:
    ids = desk.queue(6)
    claims = desk.put_on_the_wire()
    desk.answer(*((ours, accepted(f"wamid.{ours.message_id}")) for ours in claims))
    codes = [131016, 131026, 131050, 131016, 131026, 131050]
    statuses = [
        status("failed", wamid=f"wamid.{message_id}", at=desk.now, message_id=message_id, code=code)
        for message_id, code in zip(ids, codes, strict=True)
    ]
    statuses.append(status("delivered", wamid=f"wamid.{ids[1]}", at=desk.now, message_id=ids[1]))
    assert desk.hear(envelope(statuses=statuses)) == 7
    states = [desk.message(message_id).state for message_id in ids]
    retry, failed = MessageState.RETRY_QUEUED, MessageState.FAILED
    assert states == [retry, MessageState.DELIVERED, failed, retry, failed, failed]
    assert [[one.state.value for one in desk.letters(message_id)] for message_id in ids] == [
        [],
        ["resolved"],
        ["open"],
        [],
        ["open"],
        ["open"],
    ]
