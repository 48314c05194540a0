import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from core.dead_letters import lists
from core.dead_letters.commands import annotate, discard, redrive, restore
from core.dead_letters.detail import letter_detail
from core.dead_letters.filters import LetterFilter
from core.dead_letters.groups import letter_groups
from core.errors import Conflict, DomainError, Forbidden, Impossible, NotFound
from core.unit import Identity, Unit
from data.enums import LetterState, MessageState, Role
from data.messages import DeadLetter, LetterAction
from data.operations import AuditEntry
from data.people import Member
from tests.conftest import PHONE_ID, Place
from tests.core.desk import HOPELESS, PASSING, TIMEOUT, WORKER, Desk, accepted, number, order


def die(desk: Desk) -> tuple[str, str]:
    """A dead message, and its letter."""
    message_id = desk.send_and_get(HOPELESS)
    return message_id, desk.letters(message_id)[-1].id


def do(
    desk: Desk, command: Callable[[Unit], Any], role: Role = Role.MANAGER, place: Place | None = None
) -> Any:
    with desk.runtime.unit((place or desk.place).acting(role), write=True) as unit:
        return command(unit)


def audited(desk: Desk, action: str) -> list[AuditEntry]:
    with desk.runtime.unit(WORKER) as unit:
        return list(unit.session.exec(select(AuditEntry).where(col(AuditEntry.action) == action)))


def actions(desk: Desk, letter_id: str) -> list[LetterAction]:
    with desk.runtime.unit(WORKER) as unit:
        statement = select(LetterAction).where(col(LetterAction.letter_id) == letter_id)
        return list(unit.session.exec(statement.order_by(col(LetterAction.at), col(LetterAction.id))))


# Q9: redrive


def test_q9_a_redrive_keeps_history_and_starts_the_ladder_again(desk: Desk) -> None:
    message_id = desk.send_and_get(PASSING)
    for _ in range(4):
        desk.try_again(message_id, PASSING)
    (letter,) = desk.letters(message_id)
    do(desk, lambda unit: redrive(unit, letter.id, reason="They fixed it"))
    message = desk.message(message_id)
    assert (message.state, message.due_at, message.waiting_for) == (MessageState.QUEUED, desk.now, None)
    assert (message.round, message.rung, message.attempt) == (2, 0, 5)
    assert (message.error_code, message.expires_at) == (None, desk.now + timedelta(days=1))
    (closed,) = desk.letters(message_id)
    assert (closed.state, closed.closed_at) == (LetterState.REDRIVEN, desk.now)
    (act,) = actions(desk, letter.id)
    assert (act.verb, act.text, act.actor, act.at) == ("redrove", "They fixed it", "manager", desk.now)
    (entry,) = audited(desk, "dead_letter.redriven")
    assert (entry.target, entry.workspace_id) == (f"dead_letter:{letter.id}", desk.place.workspace.id)
    for _ in range(5):
        desk.try_again(message_id, PASSING)
    attempts = desk.attempts(message_id)
    assert [one.number for one in attempts] == list(range(1, 11))
    assert [one.round for one in attempts] == [1] * 5 + [2] * 5
    assert [(one.round, one.state) for one in desk.letters(message_id)] == [
        (1, LetterState.REDRIVEN),
        (2, LetterState.OPEN),
    ]


def test_q9_redriving_twice_sends_once(desk: Desk) -> None:
    message_id, letter_id = die(desk)
    do(desk, lambda unit: redrive(unit, letter_id))
    with pytest.raises(Conflict) as refusal:
        do(desk, lambda unit: redrive(unit, letter_id))
    assert (refusal.value.code, refusal.value.facts["state"]) == ("not_open", "redriven")
    (ours,) = desk.put_on_the_wire()
    desk.answer((ours, accepted()))
    assert desk.message(message_id).state is MessageState.SENT
    assert desk.claim() == []


def test_q9_twenty_redrives_at_once_send_once(desk: Desk) -> None:
    message_id, letter_id = die(desk)
    start = threading.Barrier(20)

    def one(_: int) -> str:
        start.wait()
        try:
            do(desk, lambda unit: redrive(unit, letter_id))
        except Conflict as refusal:
            return refusal.code
        return "redriven"

    with ThreadPoolExecutor(20) as pool:
        told = list(pool.map(one, range(20)))
    assert (told.count("redriven"), told.count("not_open")) == (1, 19)
    assert desk.message(message_id).round == 2
    assert len(desk.claim()) == 1
    assert len(audited(desk, "dead_letter.redriven")) == 1


def test_q6_a_redrive_after_an_unknown_outcome_may_duplicate(desk: Desk) -> None:
    quick = desk.under(waypost_retry_delays=(1.0,))
    message_id = quick.send_and_get(TIMEOUT)
    quick.try_again(message_id, HOPELESS)
    do(desk, lambda unit: redrive(unit, desk.letters(message_id)[0].id))
    (ours,) = desk.put_on_the_wire()
    assert desk.attempts(message_id)[ours.attempt - 1].may_duplicate


def test_q9_an_edited_payload_is_sent_and_the_old_one_kept(desk: Desk) -> None:
    message_id, letter_id = die(desk)
    before = desk.message(message_id).payload
    edited = {"to": "+49 151 12300077", "template": {"name": "hello_world", "language": "en_US"}}
    do(desk, lambda unit: redrive(unit, letter_id, payload=edited))
    message = desk.message(message_id)
    assert (message.recipient, message.template_name) == ("+4915112300077", "hello_world")
    (act,) = actions(desk, letter_id)
    assert (act.verb, act.payload_before) == ("edited and redrove", before)
    (ours,) = desk.put_on_the_wire()
    assert (ours.body["to"], ours.body["template"]["name"]) == ("+4915112300077", "hello_world")


def test_q9_an_edited_payload_is_checked_like_a_new_send_and_a_refusal_changes_nothing(desk: Desk) -> None:
    message_id, letter_id = die(desk)
    good = order().payload["template"]
    before = (desk.rows(), desk.message(message_id), desk.letters(message_id))
    for payload, code in (
        ({"to": "12", "template": good}, "invalid_recipient"),
        ({"to": number(1), "template": {"name": "nowhere", "language": "en_US"}}, "template_unknown"),
        (
            {"to": number(1), "template": {"name": "spring_sale", "language": "en_US"}},
            "template_not_sendable",
        ),
        ({"to": number(1), "template": {"name": "order_update", "language": "en_US"}}, "template_parameters"),
        ({"to": number(1), "text": " "}, "text_empty"),
        ({"to": number(1), "text": "Hello"}, "window_closed"),
    ):
        with pytest.raises(Impossible) as refusal:
            do(desk, lambda unit, payload=payload: redrive(unit, letter_id, payload=payload))
        assert refusal.value.code == code
    assert (desk.rows(), desk.message(message_id), desk.letters(message_id)) == before


# Q9: discard and restore


def test_q9_a_discard_needs_a_reason_and_closes_the_letter(desk: Desk) -> None:
    message_id, letter_id = die(desk)
    with pytest.raises(Impossible) as refusal:
        do(desk, lambda unit: discard(unit, letter_id, reason="  "))
    assert refusal.value.code == "reason_required"
    do(desk, lambda unit: discard(unit, letter_id, reason="Wrong customer"))
    assert desk.message(message_id).state is MessageState.DISCARDED
    assert desk.letters(message_id)[0].state is LetterState.DISCARDED
    assert [(one.verb, one.text) for one in actions(desk, letter_id)] == [("discarded", "Wrong customer")]
    assert audited(desk, "dead_letter.discarded")[0].after == {"reason": "Wrong customer"}
    for command in (redrive, lambda unit, one: discard(unit, one, reason="again")):
        with pytest.raises(Conflict) as again:
            do(desk, lambda unit, command=command: command(unit, letter_id))
        assert again.value.code == "not_open"


def test_q9_a_discard_is_undone_within_seven_days_and_not_after(desk: Desk) -> None:
    message_id, letter_id = die(desk)
    with pytest.raises(Conflict) as open_still:
        do(desk, lambda unit: restore(unit, letter_id))
    assert open_still.value.code == "not_discarded"
    do(desk, lambda unit: discard(unit, letter_id, reason="Wrong customer"))
    desk.advance(7 * 86_400 - 1)
    do(desk, lambda unit: restore(unit, letter_id))
    assert desk.message(message_id).state is MessageState.DEAD
    letter = desk.letters(message_id)[0]
    assert (letter.state, letter.closed_at) == (LetterState.OPEN, None)
    assert len(audited(desk, "dead_letter.restored")) == 1
    do(desk, lambda unit: discard(unit, letter_id, reason="Wrong after all"))
    desk.advance(7 * 86_400)
    with pytest.raises(Conflict) as late:
        do(desk, lambda unit: restore(unit, letter_id))
    assert late.value.code == "not_discarded"
    do_not = desk.letters(message_id)[0]
    assert do_not.state is LetterState.DISCARDED


def test_q9_a_restored_letter_can_be_redriven(desk: Desk) -> None:
    message_id, letter_id = die(desk)
    do(desk, lambda unit: discard(unit, letter_id, reason="Oh"))
    do(desk, lambda unit: restore(unit, letter_id))
    do(desk, lambda unit: redrive(unit, letter_id))
    assert desk.message(message_id).state is MessageState.QUEUED


# Notes and assignees


def test_a_note_and_an_assignee_are_kept_and_audited(desk: Desk) -> None:
    _, letter_id = die(desk)
    with desk.runtime.unit(desk.place.owner) as unit:
        owner = unit.session.exec(unit.scoped(Member)).one().user_id
    do(desk, lambda unit: annotate(unit, letter_id, note="Called them", assignee_id=owner))
    with desk.runtime.unit(desk.place.acting(Role.MANAGER)) as unit:
        detail = letter_detail(unit, letter_id)
    assert detail.row.assignee_id == owner
    assert detail.assignee_name == "owner"
    assert {one.verb for one in detail.actions} == {"assigned", "noted"}
    assert "Called them" in {one.text for one in detail.actions}
    assert audited(desk, "dead_letter.annotated")[0].after == {"noted": True, "assignee": owner}


def test_p5_an_assignee_is_someone_of_this_team(desk: Desk, other_place: Place) -> None:
    _, letter_id = die(desk)
    with desk.runtime.unit(other_place.owner) as unit:
        stranger = unit.session.exec(unit.scoped(Member)).one().user_id
    for assignee in (stranger, "usr_nobody"):
        with pytest.raises(Impossible) as refusal:
            do(desk, lambda unit, who=assignee: annotate(unit, letter_id, assignee_id=who))
        assert refusal.value.code == "assignee_unknown"


# P1, P5: who may

COMMANDS: dict[str, Callable[[Unit, str], DeadLetter]] = {
    "dead_letters.redrive": redrive,
    "dead_letters.discard": lambda unit, one: discard(unit, one, reason="Because"),
    "dead_letters.annotate": lambda unit, one: annotate(unit, one, note="Hm"),
}
MAY = {
    "dead_letters.redrive": {Role.OWNER, Role.MANAGER, Role.SUPPORT},
    "dead_letters.discard": {Role.OWNER, Role.MANAGER},
    "dead_letters.annotate": {Role.OWNER, Role.MANAGER, Role.SUPPORT},
}


def try_it(
    desk: Desk, identity: Identity, command: Callable[[Unit, str], Any], letter_id: str
) -> DomainError | None:
    try:
        with desk.runtime.unit(identity, write=True) as unit:
            command(unit, letter_id)
            unit.session.rollback()
    except DomainError as refusal:
        return refusal
    return None


@pytest.mark.parametrize("permission", list(COMMANDS))
def test_p1_p5_only_some_roles_may_and_another_workspace_never(
    desk: Desk, other_place: Place, permission: str
) -> None:
    _, letter_id = die(desk)
    for role in Role:
        refusal = try_it(desk, desk.place.acting(role), COMMANDS[permission], letter_id)
        if role in MAY[permission]:
            assert refusal is None, role
        else:
            assert isinstance(refusal, Forbidden), role
            assert refusal.facts["permission"] == permission
    refused = [one for one in audited(desk, "refused") if one.target == permission]
    assert len(refused) == len(Role) - len(MAY[permission])
    foreign = try_it(desk, other_place.acting(Role.OWNER), COMMANDS[permission], letter_id)
    unknown = try_it(desk, desk.place.acting(Role.OWNER), COMMANDS[permission], "dl_unknown")
    assert isinstance(foreign, NotFound)
    assert isinstance(unknown, NotFound)
    assert (foreign.sentence, foreign.facts) == (unknown.sentence, unknown.facts)


def test_p1_support_may_redrive_but_not_edit(desk: Desk) -> None:
    _, letter_id = die(desk)
    with pytest.raises(Forbidden) as refusal:
        do(desk, lambda unit: redrive(unit, letter_id, payload=order().payload), Role.SUPPORT)
    assert refusal.value.facts["permission"] == "messages.send"


def test_p1_support_sees_letters_masked(desk: Desk) -> None:
    _, letter_id = die(desk)
    for role, shown in ((Role.SUPPORT, "+49•••••0001"), (Role.MANAGER, "+4915112300001")):
        with desk.runtime.unit(desk.place.acting(role)) as unit:
            detail = letter_detail(unit, letter_id)
            assert detail.row.to == shown
            assert (detail.payload is None) is (role is Role.SUPPORT)
    with desk.runtime.unit(desk.place.acting(Role.SUPPORT)) as unit, pytest.raises(Forbidden) as refusal:
        lists.list_letters(unit, LetterFilter(to="+4915112300001"))
    assert refusal.value.facts["permission"] == "contacts.reveal"


@pytest.mark.parametrize("role", [Role.AGENT, Role.VIEWER])
def test_p1_agents_and_viewers_do_not_see_letters(desk: Desk, role: Role) -> None:
    with desk.runtime.unit(desk.place.acting(role)) as unit, pytest.raises(Forbidden):
        lists.list_letters(unit, LetterFilter())


# Lists


def test_a_list_is_newest_dead_first_and_its_count_is_that_of_its_rows(desk: Desk) -> None:
    letters = []
    for _ in range(5):
        letters.append(die(desk)[1])
        desk.advance(1)
    with desk.runtime.unit(desk.place.acting(Role.MANAGER)) as unit:
        first = lists.list_letters(unit, LetterFilter(state=LetterState.OPEN), limit=3)
        rest = lists.list_letters(unit, LetterFilter(), cursor=first.next_cursor, limit=3)
        count = lists.count_letters(unit, LetterFilter(phone_number_id=PHONE_ID))
        (group,) = letter_groups(unit, LetterFilter())
        states = lists.counts_by_state(unit)
    assert [row.id for row in first.items + rest.items] == letters[::-1]
    assert rest.next_cursor is None
    assert count == group.count == sum(group.per_hour) == states[LetterState.OPEN] == 5
    assert all(row.can_redrive and row.can_discard and not row.can_restore for row in first.items)
