import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core.errors import Conflict, DomainError, Forbidden, Impossible, NotFound, TooMany
from core.lanes import commands as lanes
from core.messaging import intake
from core.messaging.idempotency import body_hash
from core.messaging.intake import Stored
from core.messaging.requests import SendRequest
from core.messaging.send import send
from core.unit import Identity
from data.enums import MessageState, PlanName, Role, SuppressionKind
from data.messages import Message, Suppression
from data.people import Workspace
from data.sending import Lane
from tests.conftest import PHONE_ID, Place
from tests.core.desk import (
    PASSING,
    WORKER,
    Desk,
    Meta,
    accepted,
    carry_out,
    envelope,
    inbound,
    number,
    order,
    text_to,
)


def store(desk: Desk, request: SendRequest, identity: Identity | None = None) -> Stored:
    with desk.runtime.unit(identity or desk.place.owner, write=True) as unit:
        return intake.store(unit, request)


def template(
    name: str, *words: str, language: str = "en_US", to: str = number(1), **options: Any
) -> SendRequest:
    parameters = [{"type": "text", "text": word} for word in words]
    components = [{"type": "body", "parameters": parameters}] if words else []
    payload = {"to": number(1), "template": {"name": name, "language": language, "components": components}}
    return SendRequest(payload=payload, phone_number_id=PHONE_ID)


# What a send leaves behind


def test_q1_a_direct_send_is_on_disk_as_sending_before_anything_leaves(desk: Desk) -> None:
    stored = store(desk, order(), desk.place.acting(Role.AGENT))
    assert stored.claim is not None
    message, (attempt,) = desk.message(stored.answer.message_id), desk.attempts(stored.answer.message_id)
    assert (message.state, message.attempt, message.due_at) == (MessageState.SENDING, 1, None)
    assert message.lease_until == desk.now + timedelta(seconds=desk.runtime.settings.lease_s)
    assert (attempt.number, attempt.started_at, attempt.outcome) == (1, desk.now, None)
    assert message.sent_by is not None
    assert message.sent_by.startswith("key_")
    assert stored.claim.body["biz_opaque_callback_data"] == message.id


def test_q1_a_queued_send_waits_and_takes_no_slot(desk: Desk) -> None:
    stored = store(desk, order(queued=True))
    assert stored.claim is None
    assert stored.answer.status == "queued"
    message = desk.message(stored.answer.message_id)
    assert (message.state, message.due_at, message.attempt) == (MessageState.QUEUED, desk.now, 0)
    assert stored.answer.throughput is not None
    assert stored.answer.throughput.remaining == 30


def test_q8_a_ttl_bounds_the_messages_life(desk: Desk) -> None:
    assert desk.message(desk.queue(ttl_s=300)[0]).expires_at == desk.now + timedelta(seconds=300)
    assert desk.message(desk.queue()[0]).expires_at == desk.now + timedelta(days=1)


@pytest.mark.parametrize("to", ["+49 151 123 00001", "4915112300001", "+49 (151) 123-00001"])
def test_a_number_is_kept_as_e164_whatever_way_it_was_written(desk: Desk, to: str) -> None:
    assert desk.message(store(desk, order(to)).answer.message_id).recipient == "+4915112300001"


def test_the_only_phone_of_a_workspace_need_not_be_named(desk: Desk, other_place: Place) -> None:
    with desk.runtime.unit(WORKER, write=True) as unit:
        from data.sending import Phone

        second = str(int(PHONE_ID) + 51)
        unit.session.delete(unit.session.get_one(Lane, second))
        unit.session.flush()
        unit.session.delete(unit.session.get_one(Phone, second))
    other = Desk(desk.runtime, other_place)
    stored = store(other, order(phone_number_id=None))
    assert other.message(stored.answer.message_id).phone_number_id == str(int(PHONE_ID) + 50)


def test_q7_a_send_on_a_held_lane_is_queued_and_takes_no_slot(desk: Desk) -> None:
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        lanes.pause(unit, phone_number_id=PHONE_ID, reason="Stock-taking")
    stored = store(desk, order())
    assert (stored.claim, stored.answer.status) == (None, "queued")
    assert stored.answer.throughput is not None
    assert stored.answer.throughput.remaining == 30


# Refusals leave nothing


def refused(desk: Desk, request: SendRequest, identity: Identity | None = None) -> DomainError:
    before = desk.rows()
    with pytest.raises(DomainError) as refusal:
        store(desk, request, identity)
    assert desk.rows() == before
    return refusal.value


REFUSALS = [
    (order("12"), "invalid_recipient"),
    (order("0151 12300001"), "invalid_recipient"),
    (order("nobody"), "invalid_recipient"),
    (order(""), "invalid_recipient"),
    (text_to(text="  "), "text_empty"),
    (text_to(text="x" * 4097), "text_too_long"),
    (text_to(), "window_closed"),
    (order(phone_number_id=None), "phone_number_required"),
    (template("nowhere"), "template_unknown"),
    (template("order_update", "a", "b", language="de"), "template_unknown"),
    (template("spring_sale"), "template_not_sendable"),
    (template("order_update", "only one"), "template_parameters"),
    (template("order_update", "a", "b", "c"), "template_parameters"),
    (template("hello_world", "a"), "template_parameters"),
]


@pytest.mark.parametrize("queued", [False, True])
def test_a_refused_send_says_why_and_stores_nothing(desk: Desk, queued: bool) -> None:
    for request, code in REFUSALS:
        idempotent = ("a-key", body_hash(request.payload))
        refusal = refused(desk, replace(request, queued=queued, idempotency=idempotent))
        assert isinstance(refusal, Impossible)
        assert refusal.code == code


@pytest.mark.parametrize("status", ["REJECTED", "PAUSED", "DISABLED", "PENDING"])
def test_t4_a_template_that_meta_would_refuse_is_refused_before_any_call(desk: Desk, status: str) -> None:
    from sqlmodel import col, select

    from data.sending import Template

    with desk.runtime.unit(WORKER, write=True) as unit:
        row = unit.session.exec(select(Template).where(col(Template.name) == "order_update")).one()
        row.status = status
        unit.session.add(row)
    refusal = refused(desk, order())
    assert refusal.code == "template_not_sendable"


@pytest.mark.parametrize(
    ("kind", "request_", "refuses"),
    [
        (SuppressionKind.ALL, order(), True),
        (SuppressionKind.MARKETING, template("winter_sale", "30 %"), True),
        (SuppressionKind.MARKETING, order(), False),
    ],
)
def test_q5_a_suppressed_contact_is_not_sent_that_kind_until_it_is_lifted(
    desk: Desk, kind: SuppressionKind, request_: SendRequest, refuses: bool
) -> None:
    (known,) = desk.queue()
    message = desk.message(known)
    suppression = Suppression(
        id="sup_1",
        workspace_id=message.workspace_id,
        contact_id=message.contact_id,
        kind=kind,
        error_code="meta_130403",
        message_id=known,
        created_at=desk.now,
    )
    with desk.runtime.unit(WORKER, write=True) as unit:
        unit.session.add(suppression)
    if refuses:
        assert refused(desk, request_).code == "recipient_suppressed"
        desk.change(Suppression, "sup_1", lifted_at=desk.now)
    store(desk, request_)


def test_a_text_goes_inside_the_service_window_and_not_a_moment_after(desk: Desk) -> None:
    desk.hear(envelope(messages=[inbound(wamid="wamid.in", at=desk.now)]))
    desk.advance(86_399.9)
    store(desk, text_to())
    desk.advance(0.1)
    assert refused(desk, text_to()).code == "window_closed"


def test_p5_a_phone_of_another_workspace_is_not_found(desk: Desk, other_place: Place) -> None:
    refusal = refused(desk, order(phone_number_id=str(int(PHONE_ID) + 50)))
    assert isinstance(refusal, NotFound)
    unknown = refused(desk, order(phone_number_id="1"))
    assert (refusal.sentence, refusal.code) == (unknown.sentence, unknown.code)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SUPPORT])
def test_p5_who_may_not_send_is_told_the_permission(desk: Desk, role: Role) -> None:
    refusal = refused(desk, order(), desk.place.acting(role))
    assert isinstance(refusal, Forbidden)
    assert refusal.facts["permission"] == "messages.send"


def test_q13_direct_sends_over_the_throughput_are_refused_and_told_when_to_come_back(desk: Desk) -> None:
    desk.change(Workspace, desk.place.workspace.id, plan=PlanName.STARTER)
    for index in range(10):
        remaining = store(desk, order(number(index + 1))).answer.throughput
        assert remaining is not None
        assert remaining.remaining == 9 - index
    refusal = refused(desk, order(number(11)))
    assert isinstance(refusal, TooMany)
    assert refusal.code == "throughput_exceeded"
    assert (refusal.facts["plan"], refusal.facts["retry_after_s"]) == ("starter", 2)
    throughput = refusal.facts["throughput"]
    assert (throughput.limit, throughput.remaining) == (10, 0)
    assert throughput.reset_at == desk.now + timedelta(seconds=1.05)
    desk.advance(1.05)
    store(desk, order(number(11)))


def test_q13_queued_sends_are_never_refused_for_throughput(desk: Desk) -> None:
    desk.change(Workspace, desk.place.workspace.id, plan=PlanName.FREE)
    desk.queue(20)
    store(desk, order(number(30)))
    assert refused(desk, order(number(31))).code == "throughput_exceeded"


def test_q13_fifty_direct_sends_at_once_take_exactly_the_limit(desk: Desk) -> None:
    desk.change(Workspace, desk.place.workspace.id, plan=PlanName.STARTER)
    start = threading.Barrier(25)

    def one(index: int) -> str:
        start.wait(30)
        try:
            return store(desk, order(number(index + 1))).answer.status
        except TooMany as refusal:
            return refusal.code

    with ThreadPoolExecutor(25) as pool:
        told = list(pool.map(one, range(50)))
    assert (told.count("sending"), told.count("throughput_exceeded")) == (10, 40)


# Q12: idempotency


def keyed(request: SendRequest, key: str = "order-1") -> SendRequest:
    return replace(request, idempotency=(key, body_hash(request.payload)))


def test_q12_the_same_key_and_body_answers_as_the_first_time_and_stores_nothing(desk: Desk) -> None:
    first = store(desk, keyed(order(queued=True)))
    before = desk.rows()
    for _ in range(3):
        again = store(desk, keyed(order(queued=True)))
        assert again.claim is None
        assert (again.answer.message_id, again.answer.status) == (first.answer.message_id, "queued")
    assert desk.rows() == before


def test_q12_the_same_key_with_another_body_is_refused(desk: Desk) -> None:
    store(desk, keyed(order(queued=True)))
    assert refused(desk, keyed(order(number(2), queued=True))).code == "idempotency_key_reused"


def test_q12_bodies_that_are_equal_as_json_are_the_same() -> None:
    assert body_hash({"a": 1, "b": [2, {"c": 3}]}) == body_hash({"b": [2, {"c": 3}], "a": 1})
    assert body_hash({"a": 1}) != body_hash({"a": 2})
    assert body_hash({"a": "ü"}) == body_hash({"a": "\u00fc"})


def test_q12_while_the_first_is_under_way_the_second_is_told_so(desk: Desk) -> None:
    store(desk, keyed(order()))
    refusal = refused(desk, keyed(order()))
    assert isinstance(refusal, Conflict)
    assert refusal.code == "idempotency_in_progress"


def test_q12_after_a_crash_the_replay_shows_the_present_state(desk: Desk) -> None:
    message_id = store(desk, keyed(order())).answer.message_id
    desk.advance(desk.runtime.settings.lease_s)
    replayed = store(desk, keyed(order())).answer
    assert (replayed.message_id, replayed.status, replayed.is_replay) == (message_id, "sending", True)
    desk.rescue()
    replayed = store(desk, keyed(order())).answer
    assert (replayed.status, replayed.code, replayed.is_replay) == ("retry_queued", "network_timeout", True)
    desk.try_again(message_id, accepted())
    assert store(desk, keyed(order())).answer.status == "sent"
    assert len(desk.attempts(message_id)) == 2


def test_q12_a_key_is_free_again_after_a_day(desk: Desk) -> None:
    first = store(desk, keyed(order(queued=True))).answer.message_id
    desk.advance(86_399)
    assert store(desk, keyed(order(queued=True))).answer.message_id == first
    desk.advance(1)
    assert store(desk, keyed(order(number(2), queued=True))).answer.message_id != first


def test_q12_a_refusal_leaves_the_key_free(desk: Desk) -> None:
    assert refused(desk, keyed(text_to())).code == "window_closed"
    desk.hear(envelope(messages=[inbound(wamid="wamid.in", at=desk.now)]))
    store(desk, keyed(text_to()))


def test_q12_a_key_belongs_to_its_workspace(desk: Desk, other_place: Place) -> None:
    first = store(desk, keyed(order(queued=True))).answer.message_id
    other = Desk(desk.runtime, other_place)
    foreign = keyed(order(queued=True, phone_number_id=str(int(PHONE_ID) + 50)))
    assert store(other, foreign).answer.message_id != first


@pytest.mark.parametrize("queued", [True, False])
def test_q12_twenty_sends_with_one_key_at_once_store_one_message(desk: Desk, queued: bool) -> None:
    start = threading.Barrier(20)

    def one(_: int) -> str:
        start.wait()
        try:
            return store(desk, keyed(order(queued=queued))).answer.message_id
        except Conflict as refusal:
            return refusal.code

    with ThreadPoolExecutor(20) as pool:
        told = set(pool.map(one, range(20)))
    rows = desk.rows()
    assert (rows["Message"], rows["IdempotencyKey"]) == (1, 1)
    assert len(told - {"idempotency_in_progress"}) == 1


def test_q12_a_direct_send_is_replayed_with_metas_answer_and_sent_once(desk: Desk, meta: Meta) -> None:
    identity = desk.place.acting(Role.AGENT)
    first, *_ = carry_out(desk.runtime, send(desk.runtime, identity, keyed(order())))
    again, *_ = carry_out(desk.runtime, send(desk.runtime, identity, keyed(order())))
    assert (again.message_id, again.status, again.wamid) == (first.message_id, "sent", first.wamid)
    assert meta.counts()["received"] == 1


def test_an_unread_queue_does_not_change_by_being_asked(desk: Desk) -> None:
    message_id = desk.send_and_get(PASSING)
    assert desk.message(message_id) == desk.message(message_id)
    with desk.runtime.unit(WORKER) as unit:
        assert unit.session.get_one(Message, message_id).attempt == 1
