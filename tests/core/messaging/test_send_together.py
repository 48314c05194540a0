"""Sends that come at the same time share transactions, and nothing else (Q1)."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import col, select
from structlog.testing import capture_logs

from core.errors import Conflict, Forbidden, Impossible, NotFound, NotSignedIn
from core.messaging import intake
from core.messaging.requests import SendRequest
from core.messaging.send import send
from core.unit import ANONYMOUS, Identity
from data.enums import MessageState, Role
from data.messages import Contact
from data.operations import AuditEntry
from tests.conftest import PHONE_ID, SECOND_PHONE_ID, Place
from tests.core.desk import Desk, Meta, number, order, text_to


def together(desk: Desk, *asked: tuple[Identity, SendRequest]) -> list[Any]:
    """What each is told: an answer or a refusal."""

    async def ask() -> list[Any]:
        try:
            sends = (send(desk.runtime, identity, request) for identity, request in asked)
            return await asyncio.gather(*sends, return_exceptions=True)
        finally:
            await desk.runtime.graph.close()

    return asyncio.run(ask())


def test_each_of_many_sends_is_accepted_once_and_settled(desk: Desk, meta: Meta) -> None:
    agent = desk.place.acting(Role.AGENT)
    answers = together(desk, *((agent, order(number(index))) for index in range(20)))
    assert {answer.status for answer in answers} == {"sent"}
    assert len({answer.message_id for answer in answers}) == 20
    assert {desk.message(answer.message_id).state for answer in answers} == {MessageState.SENT}
    assert len(meta.received()) == 20


def test_a_refusal_among_them_is_its_own_and_leaves_nothing(
    desk: Desk, other_place: Place, meta: Meta
) -> None:
    agent = desk.place.acting(Role.AGENT)
    viewer = desk.place.acting(Role.VIEWER)
    stranger = other_place.acting(Role.AGENT)
    first, wrong, closed, forbidden, elsewhere, unknown, last = together(
        desk,
        (agent, order(number(1))),
        (agent, order("12")),
        (agent, text_to(number(2))),
        (viewer, order(number(3))),
        (stranger, order(number(4))),
        (ANONYMOUS, order(number(5))),
        (agent, order(number(6), queued=True)),
    )
    assert (first.status, last.status) == ("sent", "queued")
    assert isinstance(wrong, Impossible)
    assert wrong.code == "invalid_recipient"
    assert isinstance(closed, Impossible)
    assert closed.code == "window_closed"
    assert isinstance(forbidden, Forbidden)
    assert isinstance(elsewhere, NotFound)
    assert isinstance(unknown, NotSignedIn)
    with desk.runtime.unit(desk.place.owner) as unit:
        contacts = unit.session.exec(select(Contact.wa_id)).all()
        assert sorted(map(str, contacts)) == [number(1).removeprefix("+"), number(6).removeprefix("+")]
        refusals = select(AuditEntry).where(col(AuditEntry.action) == "refused")
        [entry] = unit.session.exec(refusals).all()
    assert (entry.target, entry.workspace_id) == ("messages.send", desk.place.workspace.id)


def test_q12_the_same_key_twice_at_once_sends_once(desk: Desk, meta: Meta) -> None:
    agent = desk.place.acting(Role.AGENT)
    keyed = order(idempotency=("key-1", "hash"))
    # One before them, so that both are in the batch that gathers while it is written.
    _, *outcomes = together(desk, (agent, order(number(9))), (agent, keyed), (agent, keyed))
    refused = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    sent = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
    assert {outcome.code for outcome in refused} <= {"idempotency_in_progress"}
    assert len({outcome.message_id for outcome in sent}) == 1
    assert len(meta.received()) == 2


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_q12_a_key_that_another_process_takes_meanwhile_refuses_none_of_the_others(
    desk: Desk, meta: Meta
) -> None:
    """SQLite has one writer: nobody comes in between there."""
    agent = desk.place.acting(Role.AGENT)
    keyed = order(number(2), idempotency=("key-1", "hash"))
    there = order(number(8), phone_number_id=SECOND_PHONE_ID, queued=True, idempotency=("key-1", "hash"))
    elsewhere: list[str] = []

    def take_it(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO idempotency_key") and not elsewhere:
            elsewhere.append("begun")
            with desk.runtime.unit(desk.place.owner, write=True) as unit:
                elsewhere.append(intake.store(unit, there).answer.message_id)

    event.listen(desk.runtime.database.write, "before_cursor_execute", take_it)
    _, before, again, after = together(
        desk, *((agent, request) for request in (order(number(9)), order(number(1)), keyed, order(number(3))))
    )
    assert [before.status, again.status, after.status] == ["sent", "queued", "sent"]
    assert again.message_id == elsewhere[1]
    assert len(meta.received()) == 3


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_two_processes_with_the_same_phones_and_people_never_stand_in_each_others_way(
    desk: Desk, meta: Meta
) -> None:
    agent = desk.place.acting(Role.AGENT)
    asked = [
        order(number(index), phone_number_id=(PHONE_ID, SECOND_PHONE_ID)[index % 2], idempotency=None)
        for index in range(20)
    ]

    async def ask() -> list[Any]:
        other = replace(desk.runtime)  # what it gathers is its own
        try:
            one_way = (send(desk.runtime, agent, request) for request in asked)
            other_way = (send(other, agent, request) for request in reversed(asked))
            return await asyncio.gather(*one_way, *other_way)
        finally:
            await desk.runtime.graph.close()

    with capture_logs() as lines:
        answers = asyncio.run(ask())
    assert [line for line in lines if line["event"] == "database unavailable"] == []
    assert [answer.status for answer in answers] == ["sent"] * 40
    assert len(meta.received()) == 40
