from typing import Any

import pytest

from core.errors import Impossible, TooMany
from core.messaging.requests import SendRequest
from core.messaging.send import send
from core.unit import Identity
from data.enums import HoldCause, LetterState, MessageState, Outcome, PlanName, Role
from data.people import Workspace
from tests.conftest import PHONE_ID, SECOND_PHONE_ID, Place, with_settings
from tests.core.desk import Desk, Meta, carry_out, envelope, inbound, number, order, status, text_to


@pytest.fixture(autouse=True)
def _fresh_meta(meta: Meta) -> None:
    """Every test here calls the sandbox; each finds it as after a start."""


def sent(desk: Desk, request: SendRequest, identity: Identity | None = None) -> Any:
    (answer,) = carry_out(
        desk.runtime, send(desk.runtime, identity or desk.place.acting(Role.AGENT), request)
    )
    return answer


def test_q1_an_accepted_send_is_on_disk_with_its_wamid_before_it_is_answered(desk: Desk, meta: Meta) -> None:
    answer = sent(desk, order())
    assert answer.status == "sent"
    message, (attempt,) = desk.message(answer.message_id), desk.attempts(answer.message_id)
    assert (message.state, message.wamid) == (MessageState.SENT, answer.wamid)
    assert attempt.outcome is Outcome.ACCEPTED
    (received,) = meta.received()
    assert (received["wamid"], received["callback"]) == (answer.wamid, message.id)
    assert received["body"]["template"]["language"] == {"code": "en_US"}


def test_a_text_is_sent_inside_the_service_window(desk: Desk, meta: Meta) -> None:
    desk.hear(envelope(messages=[inbound(wamid="wamid.in", at=desk.now)]))
    assert sent(desk, text_to(text="On its way")).status == "sent"
    assert meta.received()[0]["body"]["text"] == {"preview_url": False, "body": "On its way"}


def test_q4_a_passing_failure_is_queued_for_retry(desk: Desk, meta: Meta) -> None:
    meta.script("error", code=131016)
    answer = sent(desk, order())
    assert (answer.status, answer.code, answer.wamid) == ("retry_queued", "meta_131016", None)
    assert answer.error
    assert answer.next_attempt_at is not None
    assert desk.message(answer.message_id).rung == 1


def test_q5_a_hopeless_failure_is_dead_with_an_open_letter(desk: Desk, meta: Meta) -> None:
    meta.script("error", code=131026)
    answer = sent(desk, order())
    assert (answer.status, answer.code) == ("dead", "meta_131026")
    (letter,) = desk.letters(answer.message_id)
    assert letter.state is LetterState.OPEN


def test_q4_retry_after_is_kept(desk: Desk, meta: Meta) -> None:
    meta.script("error", code=130429, retryAfterS=45)
    message = desk.message(sent(desk, order()).message_id)
    assert message.due_at is not None
    assert 45 <= (message.due_at - desk.now).total_seconds() <= 54
    assert message.rung == 0


@pytest.mark.parametrize(
    ("kind", "rule", "word", "taken"),
    [
        ("reset", {}, "connection_failed", 1),
        ("reset_before", {}, "connection_failed", 0),
        ("malformed", {}, "bad_response", 1),
        ("html_502", {"accepted": True}, "http_502", 1),
        ("empty_500", {}, "http_500", 0),
        ("timeout", {"seconds": 3}, "network_timeout", 1),
    ],
)
def test_q6_when_nobody_knows_whether_meta_took_it_it_may_duplicate(
    desk: Desk, meta: Meta, kind: str, rule: dict[str, Any], word: str, taken: int
) -> None:
    if kind == "timeout":
        from dataclasses import replace

        from core.ports.graph import Graph

        settings = desk.runtime.settings
        quick = Graph(
            base_url=settings.waypost_graph_url, version=settings.waypost_graph_version, timeout_s=0.8
        )
        desk = Desk(replace(desk.runtime, graph=quick), desk.place)
    meta.script(kind, **rule)
    answer = sent(desk, order())
    assert (answer.status, answer.code) == ("retry_queued", word)
    message, (attempt,) = desk.message(answer.message_id), desk.attempts(answer.message_id)
    assert (message.may_duplicate, attempt.outcome) == (True, Outcome.UNKNOWN)
    assert meta.counts()["accepted"] == taken


def test_q6_under_hold_an_unknown_outcome_waits_for_a_person(desk: Desk, meta: Meta) -> None:
    meta.script("reset")
    held = Desk(with_settings(desk.runtime, waypost_unknown_outcome="hold"), desk.place)
    answer = sent(held, order())
    assert (answer.status, answer.next_attempt_at) == ("unknown", None)


def test_q6_the_status_of_a_send_whose_answer_was_lost_settles_it(desk: Desk, meta: Meta) -> None:
    meta.script("reset")
    message_id = sent(desk, order()).message_id
    (received,) = meta.received()
    told = status("sent", wamid=received["wamid"], at=desk.now, message_id=received["callback"])
    desk.hear(envelope(statuses=[told]))
    message = desk.message(message_id)
    assert (message.state, message.wamid) == (MessageState.SENT, received["wamid"])


def test_q6_a_connection_that_is_refused_was_not_taken(desk: Desk) -> None:
    from dataclasses import replace

    from core.ports.graph import Graph

    nowhere = Graph(base_url="http://127.0.0.1:9", version="v23.0", timeout_s=1)
    answer = sent(Desk(replace(desk.runtime, graph=nowhere), desk.place), order())
    assert (answer.status, answer.code) == ("retry_queued", "connection_failed")
    (attempt,) = desk.attempts(answer.message_id)
    assert (attempt.outcome, desk.message(answer.message_id).may_duplicate) == (Outcome.PASSING, False)


def test_q7_a_dead_token_holds_the_accounts_lanes_and_queues_the_message(desk: Desk, meta: Meta) -> None:
    meta.script("error", code=190)
    answer = sent(desk, order())
    assert (answer.status, answer.code) == ("queued", None)
    assert {(hold.subject, hold.cause) for hold in desk.holds()} == {
        (PHONE_ID, HoldCause.TOKEN),
        (SECOND_PHONE_ID, HoldCause.TOKEN),
    }
    assert sent(desk, order(number(2))).status == "queued"
    assert meta.counts()["received"] == 1


def test_q5_an_opt_out_suppresses_the_contact(desk: Desk, meta: Meta) -> None:
    meta.script("error", code=130403)
    assert sent(desk, order()).status == "dead"
    with pytest.raises(Impossible) as refusal:
        sent(desk, order())
    assert refusal.value.code == "recipient_suppressed"
    assert meta.counts()["received"] == 1


def test_q13_exactly_the_limit_passes_in_a_second_and_the_rest_is_told_429(desk: Desk, meta: Meta) -> None:
    desk.change(Workspace, desk.place.workspace.id, plan=PlanName.STARTER)
    identity = desk.place.acting(Role.AGENT)

    async def one(index: int) -> str:
        try:
            return str((await send(desk.runtime, identity, order(number(index)))).status)
        except TooMany as refusal:
            return f"{refusal.code}, {refusal.facts['throughput'].remaining} left"

    told = carry_out(desk.runtime, *(one(index) for index in range(1, 26)))
    assert (told.count("sent"), told.count("throughput_exceeded, 0 left")) == (10, 15)
    assert meta.counts()["accepted"] == 10
    assert desk.rows()["Message"] == 10


# Templates that are new to us


def unknown_template(name: str = "feedback_request", language: str = "en") -> SendRequest:
    payload = {"to": number(1), "template": {"name": name, "language": language}}
    return SendRequest(payload=payload, phone_number_id=PHONE_ID)


def test_a_template_that_is_new_to_us_is_found_at_meta_once_and_sent(desk: Desk, meta: Meta) -> None:
    assert sent(desk, unknown_template()).status == "sent"
    assert sent(desk, unknown_template()).status == "sent"


def test_t4_a_template_that_meta_does_not_know_either_is_refused_after_one_sync(
    desk: Desk, meta: Meta
) -> None:
    before = desk.rows()
    for _ in range(2):
        with pytest.raises(Impossible) as refusal:
            sent(desk, unknown_template("nowhere"))
        assert refusal.value.code == "template_unknown"
    assert desk.rows() == before
    assert meta.counts()["received"] == 0


def test_t4_a_template_that_was_synced_and_cannot_be_sent_is_refused(desk: Desk, meta: Meta) -> None:
    with pytest.raises(Impossible) as refusal:
        sent(desk, unknown_template("loyalty_offer", "en_US"))
    assert refusal.value.code == "template_not_sendable"


def test_p5_a_sync_needs_the_permission_to_send(desk: Desk, meta: Meta, other_place: Place) -> None:
    from core.errors import Forbidden

    with pytest.raises(Forbidden):
        sent(desk, unknown_template(), desk.place.acting(Role.VIEWER))


def test_q1_a_send_is_carried_through_although_whoever_asked_has_gone(desk: Desk, meta: Meta) -> None:
    import asyncio

    meta.script("slow", seconds=0.3)

    async def ask_and_go() -> None:
        before = asyncio.all_tasks()
        asked = asyncio.create_task(send(desk.runtime, desk.place.acting(Role.AGENT), order()))
        while desk.rows()["Attempt"] == 0:  # noqa: ASYNC110 - the store's commit wakes nobody here
            await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await asyncio.gather(*(asyncio.all_tasks() - before))

    carry_out(desk.runtime, ask_and_go())
    ((state, outcome),) = [
        (desk.message(one["callback"]).state, desk.attempts(one["callback"])[0].outcome)
        for one in meta.received()
    ]
    assert (state, outcome) == (MessageState.SENT, Outcome.ACCEPTED)
