import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import col, select

from core.lanes import commands as lanes
from core.lanes import holding
from core.lanes import rules as lane_rules
from core.messaging import queries
from core.messaging.claiming import Claim, has_due
from core.messaging.queries import MessageFilter
from core.ports.vault import Vault, token_field
from core.runtime import Runtime
from data.enums import (
    Direction,
    HoldCause,
    HoldScope,
    LetterState,
    MessageState,
    Outcome,
    PlanName,
    SuppressionKind,
)
from data.messages import Attempt, Message, ServiceWindow, Suppression
from data.people import Workspace
from data.sending import AccessToken, Phone, Template
from tests.conftest import PHONE_ID, SECOND_PHONE_ID, WABA_ID, Place
from tests.core.desk import WORKER, Desk, envelope, inbound, number, order, text_to


def ids(claims: list[Claim]) -> list[str]:
    return [one.message_id for one in claims]


# Q2: a claim opens an attempt with a lease


def test_q2_a_claim_takes_due_messages_oldest_first_with_a_new_attempt_and_a_lease(desk: Desk) -> None:
    queued = desk.queue(5)
    claims = desk.claim()
    assert ids(claims) == queued
    for one in claims:
        message = desk.message(one.message_id)
        assert (message.state, message.attempt) == (MessageState.CLAIMED, 1)
        assert message.lease_holder == "test"
        assert message.lease_until == desk.now + timedelta(seconds=desk.runtime.settings.lease_s)
        (attempt,) = desk.attempts(one.message_id)
        assert (attempt.number, attempt.claimed_at, attempt.started_at) == (1, desk.now, None)
        assert attempt.outcome is None


def test_q2_the_order_is_that_of_being_due_and_not_of_being_stored(desk: Desk) -> None:
    first, second, third = desk.queue(3)
    desk.change(Message, first, due_at=desk.now - timedelta(seconds=1))
    desk.change(Message, second, due_at=desk.now - timedelta(seconds=2))
    assert ids(desk.claim()) == [second, first, third]


def test_q2_what_is_not_due_yet_is_left(desk: Desk) -> None:
    (queued,) = desk.queue()
    desk.change(Message, queued, due_at=desk.now + timedelta(microseconds=1))
    assert desk.claim() == []
    desk.advance(0.000001)
    assert ids(desk.claim()) == [queued]


def test_q2_a_claimed_message_is_not_claimed_again(desk: Desk) -> None:
    desk.queue(3)
    assert len(desk.claim()) == 3
    assert desk.claim() == []


def test_q6_a_claim_carries_our_id_to_meta_and_never_shows_its_token(desk: Desk) -> None:
    (queued,) = desk.queue()
    (ours,) = desk.claim()
    assert ours.body["biz_opaque_callback_data"] == queued
    assert ours.body["to"] == number(1)
    assert ours.body["template"]["language"] == {"code": "en_US"}
    assert ours.token == "test-token"
    assert "test-token" not in repr(ours)


# Bounds


def test_a_lane_gives_no_more_than_its_room_less_what_is_in_flight(desk: Desk) -> None:
    desk.queue(10)
    assert len(desk.claim(per_lane=5, in_flight={PHONE_ID: 3})) == 2
    assert desk.claim(per_lane=5, in_flight={PHONE_ID: 5}) == []


def test_all_lanes_together_give_no_more_than_the_room_there_is(desk: Desk) -> None:
    desk.queue(12)
    desk.queue(12, first=21, phone_number_id=SECOND_PHONE_ID)
    claims = desk.claim(per_lane=6, in_all=8)
    assert len(claims) == 8
    assert max(Counter(one.phone_number_id for one in claims).values()) <= 6
    assert len(desk.claim(per_lane=6, in_all=100)) == 12


def paced(desk: Desk, *, seconds: float) -> list[Claim]:
    """What one worker claims within the throughput in that time, asking again whenever it is told to."""
    claims, end = [], desk.now + timedelta(seconds=seconds)
    while desk.now < end:
        taken = desk.take(paced=True)
        claims += taken.claims
        desk.advance(0.05 if taken.again_in_s is None else max(taken.again_in_s, 0.001))
    return claims


@pytest.mark.parametrize(("plan", "limit"), [(PlanName.FREE, 1), (PlanName.STARTER, 10), (PlanName.PRO, 30)])
def test_q13_a_backlog_is_given_slots_within_the_plans_throughput(
    desk: Desk, plan: PlanName, limit: int
) -> None:
    desk.change(Workspace, desk.place.workspace.id, plan=plan)
    queued = desk.queue(limit * 6)
    started = desk.now
    claims = paced(desk, seconds=4)
    assert ids(claims) == queued[: len(claims)]
    slots = [one.slot for one in claims if one.slot is not None]
    assert slots == sorted(slots)
    assert all(later - first >= SPAN for first, later in zip(slots, slots[limit:], strict=False))
    assert sum(1 for slot in slots if slot < started + timedelta(seconds=4)) >= 0.93 * 4 * limit


SPAN = lane_rules.WINDOW + lane_rules.MARGIN


def test_q13_a_claim_says_when_the_next_slot_can_be_asked_for(desk: Desk) -> None:
    desk.change(Workspace, desk.place.workspace.id, plan=PlanName.FREE)
    desk.queue(2)
    taken = desk.take(paced=True)
    assert [one.slot for one in taken.claims] == [desk.now + lane_rules.LEAD]
    assert taken.again_in_s == pytest.approx(0.01 + 1.05 - 0.01 - 0.06)
    desk.advance(taken.again_in_s or 0)
    (second,) = desk.claim(paced=True)
    assert second.slot == (taken.claims[0].slot or desk.now) + SPAN


def test_q13_the_throughput_of_one_lane_is_not_that_of_another(desk: Desk) -> None:
    desk.change(Workspace, desk.place.workspace.id, plan=PlanName.FREE)
    desk.queue(2)
    desk.queue(2, first=3, phone_number_id=SECOND_PHONE_ID)
    assert {one.phone_number_id for one in desk.claim(paced=True)} == {PHONE_ID, SECOND_PHONE_ID}


def test_q13_a_direct_send_and_a_claim_share_one_window(desk: Desk) -> None:
    desk.change(Workspace, desk.place.workspace.id, plan=PlanName.STARTER)
    from core.messaging import intake

    for index in range(4):
        with desk.runtime.unit(desk.place.owner, write=True) as unit:
            assert intake.store(unit, order(number(index + 1))).claim is not None
    desk.queue(20, first=10)
    assert len(paced(desk, seconds=0.8)) == 6


def test_q13_inbound_counts_where_metas_own_level_binds(desk: Desk) -> None:
    desk.change(Phone, PHONE_ID, own_limit=3)
    heard = [inbound(wamid=f"wamid.{index}", at=desk.now, sender=f"49151000000{index}") for index in range(2)]
    desk.hear(envelope(messages=heard))
    desk.queue(9)
    assert len(paced(desk, seconds=0.9)) == 1
    desk.advance(1.1)
    assert len(paced(desk, seconds=0.9)) == 3


def test_q13_inbound_does_not_count_where_the_plan_binds(desk: Desk) -> None:
    heard = [
        inbound(wamid=f"wamid.{index}", at=desk.now, sender=f"491510000{index:03d}") for index in range(40)
    ]
    desk.hear(envelope(messages=heard))
    desk.queue(35)
    assert len(paced(desk, seconds=0.9)) == 30


# Q7: holds


@pytest.mark.parametrize("scope", [HoldScope.LANE, HoldScope.WORKSPACE, HoldScope.EVERYTHING])
def test_q7_what_is_held_is_not_claimed_and_goes_when_it_is_released(desk: Desk, scope: HoldScope) -> None:
    subject = {
        HoldScope.LANE: PHONE_ID,
        HoldScope.WORKSPACE: desk.place.workspace.id,
        HoldScope.EVERYTHING: "*",
    }[scope]
    queued = desk.queue(3)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        holding.hold(unit, scope=scope, subject=subject, cause=HoldCause.PERSON, reason="Stock-taking")
    assert desk.claim() == []
    with desk.runtime.unit(WORKER) as unit:
        assert not has_due(unit)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        assert holding.release(unit, scope=scope, subject=subject) == ["person"]
    assert ids(desk.claim()) == queued


def test_q7_a_held_lane_does_not_stop_another(desk: Desk) -> None:
    desk.queue(2)
    other = desk.queue(2, first=3, phone_number_id=SECOND_PHONE_ID)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        lanes.pause(unit, phone_number_id=PHONE_ID)
    assert ids(desk.claim()) == other


def test_q7_a_token_that_cannot_be_opened_holds_its_lane_and_no_other(desk: Desk, other_place: Place) -> None:
    stuck = desk.queue(2)
    other = Desk(desk.runtime, other_place)
    other_phone = str(int(PHONE_ID) + 50)
    going = other.queue(2, phone_number_id=other_phone)
    with desk.runtime.unit(WORKER, write=True) as unit:
        token = unit.session.exec(select(AccessToken).where(col(AccessToken.waba_id) == WABA_ID)).one()
        foreign = Vault((NEW_KEY,))
        token.sealed = foreign.seal("x", workspace_id=token.workspace_id, field=token_field(WABA_ID))
        unit.session.add(token)
    assert ids(desk.claim()) == going
    (hold,) = desk.holds()
    assert (hold.subject, hold.cause) == (PHONE_ID, HoldCause.TOKEN)
    assert all(desk.message(one).state is MessageState.QUEUED for one in stuck)


NEW_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


# What must not be sent any more dies at the claim


def assert_died(desk: Desk, message_id: str, code: str) -> None:
    message = desk.message(message_id)
    assert (message.state, message.error_code, message.due_at) == (MessageState.DEAD, code, None)
    (letter,) = desk.letters(message_id)
    assert (letter.state, letter.error_code) == (LetterState.OPEN, code)
    assert desk.attempts(message_id) == []


def test_q8_a_message_past_its_age_is_dead_as_expired_and_not_sent(desk: Desk) -> None:
    (otp,) = desk.queue(ttl_s=300)
    (patient,) = desk.queue(first=2)
    desk.advance(299.9)
    with desk.runtime.unit(WORKER) as unit:
        assert has_due(unit)
    desk.advance(0.1)
    assert ids(desk.claim()) == [patient]
    assert_died(desk, otp, "expired")


def test_q8_the_default_age_is_a_day(desk: Desk) -> None:
    (queued,) = desk.queue()
    desk.advance(86_400)
    assert desk.claim() == []
    assert_died(desk, queued, "expired")


def test_q5_a_text_whose_window_closed_meanwhile_dies_at_the_claim(desk: Desk) -> None:
    desk.hear(envelope(messages=[inbound(wamid="wamid.in", at=desk.now)]))
    (queued,) = desk.queue(request=text_to())
    desk.advance(23 * 3600)
    (late,) = desk.queue(request=text_to(ttl_s=7200))
    desk.advance(3600)
    assert desk.claim() == []
    assert_died(desk, late, "window_closed")
    assert_died(desk, queued, "expired")


def test_q5_a_text_inside_the_window_is_claimed(desk: Desk) -> None:
    desk.hear(envelope(messages=[inbound(wamid="wamid.in", at=desk.now)]))
    (queued,) = desk.queue(request=text_to())
    desk.advance(3600)
    assert ids(desk.claim()) == [queued]


@pytest.mark.parametrize(
    ("kind", "template", "dies"),
    [
        (SuppressionKind.ALL, "order_update", True),
        (SuppressionKind.MARKETING, "order_update", False),
        (SuppressionKind.MARKETING, "winter_sale", True),
    ],
)
def test_q5_a_contact_suppressed_meanwhile_is_not_sent_that_kind(
    desk: Desk, kind: SuppressionKind, template: str, dies: bool
) -> None:
    request = order()
    if template == "winter_sale":
        parameters = [{"type": "text", "text": "30 %"}]
        payload = {
            "to": number(1),
            "template": {
                "name": template,
                "language": "en_US",
                "components": [{"type": "body", "parameters": parameters}],
            },
        }
        request = replace(request, payload=payload)
    (queued,) = desk.queue(request=request)
    message = desk.message(queued)
    with desk.runtime.unit(WORKER, write=True) as unit:
        unit.session.add(
            Suppression(
                id="sup_1",
                workspace_id=message.workspace_id,
                contact_id=message.contact_id,
                kind=kind,
                error_code="meta_131050",
                message_id=queued,
                created_at=unit.now,
            )
        )
    if dies:
        assert desk.claim() == []
        assert_died(desk, queued, "recipient_suppressed")
    else:
        assert ids(desk.claim()) == [queued]


def test_t4_a_message_whose_template_was_disabled_meanwhile_is_not_sent(desk: Desk) -> None:
    (queued,) = desk.queue()
    with desk.runtime.unit(WORKER, write=True) as unit:
        template = unit.session.exec(select(Template).where(col(Template.name) == "order_update")).one()
        template.status = "DISABLED"
        unit.session.add(template)
    assert desk.claim() == []
    assert_died(desk, queued, "template_not_sendable")


def test_what_dies_at_the_claim_does_not_hide_what_is_due_behind_it(desk: Desk) -> None:
    desk.queue(5, ttl_s=10)
    living = desk.queue(3, first=6)
    desk.advance(10)
    taken = desk.take(per_lane=2)
    assert taken.claims == []
    assert taken.again_in_s == 0
    claims: list[str] = []
    for _ in range(3):
        claims += ids(desk.claim(per_lane=2))
    assert claims == living[:3]


# Q2: marking as sending


def test_q2_marking_writes_when_the_attempt_started(desk: Desk) -> None:
    desk.queue()
    claims = desk.claim()
    desk.advance(0.25)
    assert desk.mark(claims) == claims
    message = desk.message(claims[0].message_id)
    assert message.state is MessageState.SENDING
    assert message.lease_until == desk.now + timedelta(seconds=desk.runtime.settings.lease_s)
    assert desk.attempts(message.id)[0].started_at == desk.now


def test_q2_a_claim_is_marked_once(desk: Desk) -> None:
    desk.queue()
    claims = desk.claim()
    assert desk.mark(claims) == claims
    assert desk.mark(claims) == []


def test_q2_another_holder_cannot_mark_a_claim(desk: Desk) -> None:
    desk.queue()
    claims = desk.claim()
    assert replace(desk, holder="another").mark(claims) == []
    assert desk.message(claims[0].message_id).state is MessageState.CLAIMED


def test_q2_a_claim_whose_lease_ran_out_cannot_be_marked_even_by_who_has_it_again(desk: Desk) -> None:
    desk.queue()
    old = desk.claim()
    desk.advance(desk.runtime.settings.lease_s)
    assert desk.rescue() == 1
    new = desk.claim()
    assert [one.attempt for one in new] == [2]
    assert desk.mark(old) == []
    assert desk.message(new[0].message_id).state is MessageState.CLAIMED
    assert desk.mark(new) == new


def test_a_claim_of_nothing_marks_nothing(desk: Desk) -> None:
    assert desk.mark([]) == []


# Many at once


def test_q2_two_workers_that_claim_at_once_never_share_a_message(desk: Desk) -> None:
    lifted = replace(desk.runtime, throughput_lifted=True)
    queued = desk.queue(120)
    start = threading.Barrier(2)

    def work(holder: str) -> list[str]:
        mine = Desk(lifted, desk.place, holder)
        found: list[str] = []
        start.wait()
        for _ in range(200):
            claims = mine.mark(mine.claim(per_lane=7))
            found += ids(claims)
            with lifted.unit(WORKER) as unit:
                if not claims and not has_due(unit):
                    break
        return found

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(work, ["one", "two"])
    assert sorted(first + second) == sorted(queued)
    with desk.runtime.unit(WORKER) as unit:
        attempts = unit.session.exec(select(Attempt)).all()
    assert len(attempts) == 120


def test_q13_twenty_claims_at_once_take_no_more_than_the_throughput(desk: Desk) -> None:
    desk.queue(100)
    start = threading.Barrier(20)

    def work(index: int) -> list[str]:
        start.wait()
        return ids(replace(desk, holder=f"worker {index}").claim(per_lane=5, paced=True))

    with ThreadPoolExecutor(20) as pool:
        taken = [one for found in pool.map(work, range(20)) for one in found]
    assert len(taken) == len(set(taken))
    assert 0 < len(taken) <= 7  # as many slots as there are in the next 200 ms


# The plans of the queries, on SQLite


def plans_of(desk: Desk, work: Any) -> list[tuple[str, list[str]]]:
    """Each SELECT on messages that ``work`` ran, with SQLite's plan of it."""
    ran: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if re.search(r"\bFROM message\b|\bFROM dead_letter\b", statement) and "SELECT" in statement:
            ran.append((statement, parameters))

    for engine in (desk.runtime.database.read, desk.runtime.database.write):
        event.listen(engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        for engine in (desk.runtime.database.read, desk.runtime.database.write):
            event.remove(engine, "before_cursor_execute", note)
    found = []
    with desk.runtime.database.read.connect() as connection:
        for statement, parameters in ran:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            found.append((statement, [str(row[3]) for row in rows]))
    return found


def only_sqlite(desk: Desk) -> None:
    if not desk.runtime.database.is_sqlite:
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by statistics")


def test_the_claim_walks_the_index_of_due_messages_and_sorts_nothing(desk: Desk) -> None:
    only_sqlite(desk)
    desk.queue(3)
    plans = plans_of(desk, desk.claim)
    due = [plan for statement, plan in plans if "ORDER BY due_at, id" in statement]
    assert len(due) == 1
    for _, plan in plans:
        assert not any("TEMP B-TREE" in step for step in plan), plan
    assert any("INDEX ix_message_due (phone_number_id=? AND due_at<?)" in step for step in due[0]), due
    (lanes_plan,) = (plan for statement, plan in plans if "FROM lane" in statement)
    assert any("INDEX ix_message_due (phone_number_id=? AND due_at<?)" in step for step in lanes_plan)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (MessageFilter(), "ix_message_workspace"),
        (MessageFilter(status="sent"), "ix_message_state"),
        (MessageFilter(direction=Direction.OUTBOUND), "ix_message_workspace"),
        (MessageFilter(to="+4915112300001"), "ix_message_recipient"),
        (MessageFilter(phone_number_id=PHONE_ID), "ix_message_phone"),
        (MessageFilter(error_code="meta_131026"), "ix_message_error"),
        (MessageFilter(q="order_update"), "ix_message_template"),
    ],
)
def test_every_filter_of_the_list_has_an_index_and_sorts_nothing(
    desk: Desk, wanted: MessageFilter, index: str
) -> None:
    only_sqlite(desk)

    def read() -> None:
        with desk.runtime.unit(desk.place.owner) as unit:
            queries.list_messages(unit, wanted, cursor="msg_zzz")

    ((_, plan),) = plans_of(desk, read)
    assert any(index in step for step in plan), plan
    assert not any("TEMP B-TREE" in step or step.startswith("SCAN") for step in plan), plan


def test_the_list_is_right_about_what_it_finds(desk: Desk, runtime: Runtime) -> None:
    queued = desk.queue(5)
    with runtime.unit(desk.place.owner) as unit:
        page = queries.list_messages(unit, MessageFilter(status="queued"), limit=3)
        rest = queries.list_messages(unit, MessageFilter(status="queued"), cursor=page.next_cursor, limit=3)
    assert [row.id for row in page.items + rest.items] == queued[::-1]
    assert rest.next_cursor is None


def test_outcome_words_of_a_claim_that_died_are_those_of_a_letter(desk: Desk) -> None:
    """A lost claim and a buried message are not the same thing."""
    (queued,) = desk.queue()
    desk.claim()
    desk.advance(desk.runtime.settings.lease_s)
    desk.rescue()
    (attempt,) = desk.attempts(queued)
    assert attempt.outcome is Outcome.LOST
    assert desk.letters(queued) == []


def test_phone_levels_above_the_plan_do_not_lift_it(desk: Desk) -> None:
    desk.change(Phone, PHONE_ID, throughput_level="HIGH")
    desk.queue(40)
    assert len(paced(desk, seconds=0.9)) == 30


def test_a_window_of_another_phone_does_not_open_this_one(desk: Desk) -> None:
    desk.hear(envelope(messages=[inbound(wamid="wamid.in", at=desk.now)]))
    (queued,) = desk.queue(request=text_to())
    with desk.runtime.unit(WORKER, write=True) as unit:
        window = unit.session.exec(select(ServiceWindow)).one()
        unit.session.delete(window)
        unit.session.add(
            ServiceWindow(
                phone_number_id=SECOND_PHONE_ID, contact_id=window.contact_id, last_inbound_at=unit.now
            )
        )
    assert desk.claim() == []
    assert_died(desk, queued, "window_closed")
