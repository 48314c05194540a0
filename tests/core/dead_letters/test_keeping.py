"""Saved views, what is forgotten and when, and everything that ran out of attempts as one list."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from core.dead_letters.exhausted import Kind, exhausted
from core.dead_letters.filters import LetterFilter
from core.dead_letters.purge import purge, tidy_words
from core.dead_letters.views import delete_view, list_views, save_view
from core.errors import Conflict, Forbidden, Impossible, Malformed, NotFound
from core.unit import Unit
from data.alerts import Mail
from data.enums import DeliveryState, LetterState, MailState, Role
from data.inbox import Delivery
from data.messages import DeadLetter
from data.people import Member
from data.sending import AccessToken
from tests.conftest import Place
from tests.core.desk import HOPELESS, WORKER, Desk, number


def as_person(unit: Unit) -> None:
    """A key has no person; this one gets the workspace's."""
    member = unit.session.exec(unit.scoped(Member)).first()
    assert member is not None
    unit.actor = replace(unit.actor, user_id=member.user_id)


def test_views_are_ones_own_or_the_teams(desk: Desk, other_place: Place) -> None:
    wanted = LetterFilter(state=LetterState.OPEN, error_code="meta_131026", last_hours=24)
    with desk.runtime.unit(desk.place.acting(Role.MANAGER), write=True) as unit:
        as_person(unit)
        mine = save_view(unit, name=" My numbers ", wanted=replace(wanted, to=number(1)))
        shared = save_view(unit, name="After the outage", wanted=wanted, is_shared=True)
        for name, error in (("my NUMBERS", Conflict), ("  ", Impossible), ("x" * 81, Impossible)):
            with pytest.raises(error):
                save_view(unit, name=name, wanted=wanted)
        assert [(view.name, view.is_shared) for view in list_views(unit)] == [
            *(("After the outage", True), ("My numbers", False)),
        ]
    with desk.runtime.unit(desk.place.acting(Role.SUPPORT), write=True) as unit:
        (seen,) = list_views(unit)
        assert (seen.name, seen.wanted, seen.can_delete) == ("After the outage", wanted, False)
        with pytest.raises(NotFound):
            delete_view(unit, mine.id)
        with pytest.raises(Forbidden):
            delete_view(unit, shared.id)
    with desk.runtime.unit(other_place.acting(Role.OWNER), write=True) as unit:
        assert list_views(unit) == []
        with pytest.raises(NotFound):
            delete_view(unit, shared.id)
    with desk.runtime.unit(desk.place.acting(Role.OWNER), write=True) as unit:
        delete_view(unit, shared.id)
        assert list_views(unit) == []
    with (
        pytest.raises(Forbidden),
        desk.runtime.unit(desk.place.acting(Role.AGENT)) as unit,
    ):
        list_views(unit)


def test_a_shared_view_of_one_number_is_only_for_those_who_see_numbers(desk: Desk) -> None:
    with desk.runtime.unit(desk.place.acting(Role.MANAGER), write=True) as unit:
        save_view(unit, name="Mara", wanted=LetterFilter(q=number(1)))
        save_view(unit, name="Words", wanted=LetterFilter(q="mara"))
    with desk.runtime.unit(desk.place.acting(Role.SUPPORT)) as unit:
        assert [view.name for view in list_views(unit)] == ["Words"]
    with desk.runtime.unit(desk.place.acting(Role.SUPPORT), write=True) as unit:
        with pytest.raises(Forbidden) as refusal:
            save_view(unit, name="Hers", wanted=LetterFilter(to=number(1)))
        assert refusal.value.facts["permission"] == "contacts.reveal"
        as_person(unit)
        save_view(unit, name="Hers", wanted=LetterFilter(to=number(1)))  # for oneself, who typed it
        assert [view.name for view in list_views(unit)] == ["Hers", "Words"]


def test_closed_letters_go_after_their_retention_and_open_ones_never(desk: Desk) -> None:
    ids = []
    for index in range(1, 4):
        desk.queue(first=index)
        desk.answer(*((ours, HOPELESS) for ours in desk.put_on_the_wire()))
    with desk.runtime.unit(WORKER) as unit:
        ids = [
            row[0] for row in unit.session.execute(text("SELECT id FROM dead_letter ORDER BY dead_at, id"))
        ]
    old = desk.now - timedelta(days=365, seconds=1)
    desk.change(DeadLetter, ids[0], state=LetterState.REDRIVEN, closed_at=old)
    desk.change(DeadLetter, ids[1], state=LetterState.DISCARDED, closed_at=desk.now - timedelta(days=364))
    desk.change(DeadLetter, ids[2], dead_at=desk.now - timedelta(days=4000))
    before = desk.rows()
    with desk.runtime.unit(WORKER, write=True) as unit:
        assert (purge(unit), purge(unit)) == (1, 0)
        go_on = tidy_words(unit, go_on=False)
        while go_on:
            go_on = tidy_words(unit, go_on=True)
        left = [row[0] for row in unit.session.execute(text("SELECT id FROM dead_letter ORDER BY id"))]
    assert left == sorted(ids[1:])
    assert desk.rows() == before | {"DeadLetter": 2}


def test_everything_that_ran_out_of_attempts_is_one_list(desk: Desk, other_place: Place) -> None:
    letters = []
    for index in range(1, 4):
        (message_id,) = desk.queue(first=index)
        desk.answer(*((ours, HOPELESS) for ours in desk.put_on_the_wire()))
        letters.append(desk.letters(message_id)[0].id)
        desk.advance(10)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        for state in (DeliveryState.FAILED, DeliveryState.APPLIED):
            unit.session.add(
                Delivery(
                    id=unit.new_id("dlv"),
                    workspace_id=unit.workspace_id,
                    received_at=unit.now,
                    sha256="x",
                    size=1,
                    state=state,
                    failures=1,
                    error="It names a number that is not there",
                )
            )
        token = unit.session.exec(unit.scoped(AccessToken)).one()
        token.refused_at = unit.now
        token.inspected_at = unit.now
        unit.session.add(token)
    desk.advance(10)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        unit.session.add(
            Mail(
                id=unit.new_id("mail"),
                workspace_id=unit.workspace_id,
                kind="invitation",
                recipient="ada@example.com",
                subject="Join us",
                state=MailState.FAILED,
                attempts=5,
                created_at=unit.now,
            )
        )

    def listed(actor: Role, **more: object) -> list[Kind]:
        kinds: list[Kind] = []
        cursor = None
        with desk.runtime.unit(desk.place.acting(actor)) as unit:
            for _ in range(20):
                page = exhausted(unit, cursor=cursor, limit=2, **more)  # type: ignore[arg-type]
                kinds += [one.kind for one in page.items]
                cursor = page.next_cursor
                if cursor is None:
                    return kinds
        raise AssertionError("the list does not end")

    whole = listed(Role.OWNER)
    assert whole[0] is Kind.MAIL
    assert set(whole[1:3]) == {Kind.WEBHOOK, Kind.TOKEN}
    assert whole[3:] == [Kind.MESSAGE] * 3
    assert listed(Role.OWNER, kinds=[Kind.MESSAGE]) == [Kind.MESSAGE] * 3
    assert listed(Role.SUPPORT) == [Kind.MESSAGE] * 3
    with desk.runtime.unit(other_place.acting(Role.OWNER)) as unit:
        assert exhausted(unit).items == []
        with pytest.raises(Malformed):
            exhausted(unit, cursor="here")
    with (
        pytest.raises(Forbidden),
        desk.runtime.unit(desk.place.acting(Role.AGENT)) as unit,
    ):
        exhausted(unit)
