import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlmodel import col, func, select

from core.contacts.commands import change_number, find_or_add, suppress
from core.contacts.merge import merge
from core.contacts.queries import contact_of
from core.errors import Unavailable
from core.messaging import intake
from core.runtime import Runtime
from core.unit import Unit
from data.contacts import ContactWord
from data.enums import Direction, MessageKind, MessageState, SuppressionKind
from data.messages import Contact, Message, ServiceWindow, Suppression
from data.operations import AuditEntry
from data.sending import Phone
from tests.conftest import NOW, PHONE_ID, SECOND_PHONE_ID, Place
from tests.core.desk import WORKER, Desk, order

MARA, ELIF = "4915112300001", "4915112300002"
USER = "DE.abc123"


def of(unit: Unit, place: Place, **known: str) -> Contact:
    return find_or_add(unit, workspace_id=place.workspace.id, **known)


def writes(unit: Unit, contact: Contact, *, at: datetime, phone: str = PHONE_ID) -> None:
    """An inbound message of the contact, and its window, as the inbox stores them: one at a time a phone."""
    unit.session.get(Phone, phone, with_for_update={"key_share": True}, populate_existing=True)
    unit.session.add(
        Message(
            id=unit.new_id("msg"),
            workspace_id=contact.workspace_id,
            phone_number_id=phone,
            contact_id=contact.id,
            direction=Direction.INBOUND,
            kind=MessageKind.TEXT,
            recipient=f"+{contact.wa_id}",
            payload={"text": "Hi"},
            state=MessageState.RECEIVED,
            created_at=at,
            sent_at=at,
        )
    )
    window = unit.session.get(ServiceWindow, (phone, contact.id))
    if window is None:
        window = ServiceWindow(phone_number_id=phone, contact_id=contact.id, last_inbound_at=at)
    window.last_inbound_at = max(window.last_inbound_at, at)
    unit.session.add(window)
    unit.session.flush()


def messages_of(unit: Unit, contact: Contact) -> int:
    counted = select(func.count()).select_from(Message).where(col(Message.contact_id) == contact.id)
    return unit.session.exec(counted).one()


def windows_of(unit: Unit, contact: Contact) -> dict[str, datetime]:
    found = select(ServiceWindow).where(col(ServiceWindow.contact_id) == contact.id)
    return {window.phone_number_id: window.last_inbound_at for window in unit.session.exec(found)}


def test_b5_the_survivor_has_everything_and_both_numbers_lead_to_it(runtime: Runtime, place: Place) -> None:
    with runtime.unit(WORKER, write=True) as unit:
        old = of(unit, place, wa_id=MARA, name="Mara Vogel")
        new = of(unit, place, wa_id=ELIF)
        writes(unit, old, at=NOW)
        writes(unit, new, at=NOW - timedelta(hours=1))
        writes(unit, old, at=NOW - timedelta(hours=3), phone=SECOND_PHONE_ID)
        writes(unit, new, at=NOW - timedelta(hours=2), phone=SECOND_PHONE_ID)
        kinds = {"workspace_id": place.workspace.id, "kind": SuppressionKind.MARKETING}
        suppress(unit, contact_id=old.id, error_code="meta_131050", message_id="msg_1", **kinds)  # type: ignore[arg-type]
    with runtime.unit(WORKER, write=True) as unit:
        unit.now = NOW + timedelta(minutes=1)
        survivor = merge(
            unit,
            workspace_id=place.workspace.id,
            old=of(unit, place, wa_id=MARA),
            new=of(unit, place, wa_id=ELIF),
        )
        assert survivor.id == new.id
    with runtime.unit(place.owner) as unit:
        assert messages_of(unit, new) == 4
        assert windows_of(unit, new) == {PHONE_ID: NOW, SECOND_PHONE_ID: NOW - timedelta(hours=2)}
        assert messages_of(unit, old) == 0
        assert windows_of(unit, old) == {}
        [suppression] = unit.session.exec(select(Suppression)).all()
        assert suppression.contact_id == new.id
        by_old, by_new = contact_of(unit, wa_id=MARA), contact_of(unit, wa_id=ELIF)
        assert by_old is not None
        assert by_new is not None
        assert by_old.id == by_new.id == new.id
        assert (by_new.wa_id, by_new.name) == (ELIF, "Mara Vogel")
        words = unit.session.exec(select(ContactWord)).all()
        assert {(word.contact_id, word.word) for word in words} == {(new.id, "mara"), (new.id, "vogel")}
        [entry] = unit.session.exec(select(AuditEntry).where(col(AuditEntry.action) == "contact.merged"))
        assert (entry.target, entry.workspace_id) == (f"contact:{new.id}", place.workspace.id)


def test_b5_merging_again_changes_nothing(runtime: Runtime, place: Place) -> None:
    ends = []
    for _ in range(2):
        with runtime.unit(WORKER, write=True) as unit:
            ends.append(
                change_number(unit, workspace_id=place.workspace.id, old_wa_id=MARA, new_wa_id=ELIF).id
            )
            old, new = unit.session.get(Contact, ends[0]), of(unit, place, wa_id=MARA)
            assert old is not None
            assert merge(unit, workspace_id=place.workspace.id, old=old, new=new).id == ends[0]
    assert ends[0] == ends[1]
    with runtime.unit(place.owner) as unit:
        merges = select(func.count()).select_from(AuditEntry)
        assert unit.session.exec(merges.where(col(AuditEntry.action) == "contact.merged")).one() == 1


def test_b5_a_contact_that_goes_back_to_its_first_number_is_shown_with_it(
    runtime: Runtime, place: Place
) -> None:
    with runtime.unit(WORKER, write=True) as unit:
        for old, new in ((MARA, ELIF), (ELIF, MARA)):
            survivor = change_number(unit, workspace_id=place.workspace.id, old_wa_id=old, new_wa_id=new)
            assert survivor.wa_id == new
        assert of(unit, place, wa_id=ELIF).id == of(unit, place, wa_id=MARA).id == survivor.id


def test_b5_a_contact_known_by_both_ids_is_one(runtime: Runtime, place: Place) -> None:
    with runtime.unit(WORKER, write=True) as unit:
        nameless = of(unit, place, business_user_id=USER)
        numbered = of(unit, place, wa_id=MARA)
        writes(unit, nameless, at=NOW)
        both = of(unit, place, wa_id=MARA, business_user_id=USER)
        assert both.id == numbered.id
        assert (both.wa_id, both.business_user_id) == (MARA, USER)
        assert messages_of(unit, both) == 1
        assert of(unit, place, business_user_id=USER).id == both.id


def test_b5_an_id_that_is_new_is_added_to_the_contact_known_by_the_other(
    runtime: Runtime, place: Place
) -> None:
    with runtime.unit(WORKER, write=True) as unit:
        first = of(unit, place, business_user_id=USER)
        assert of(unit, place, wa_id=MARA, business_user_id=USER).id == first.id
        assert first.wa_id == MARA
        later = of(unit, place, wa_id=MARA, business_user_id="DE.other")
        assert later.id == first.id
        assert first.business_user_id == USER
        assert of(unit, place, business_user_id="DE.other").id == first.id
    with runtime.unit(place.owner) as unit:
        rows = unit.session.exec(unit.scoped(Contact)).all()
        assert [row.id for row in rows if row.merged_into is None] == [first.id]


def test_b5_a_send_to_the_old_number_is_the_survivors(desk: Desk) -> None:
    with desk.runtime.unit(WORKER, write=True) as unit:
        survivor = change_number(unit, workspace_id=desk.place.workspace.id, old_wa_id=MARA, new_wa_id=ELIF)
    desk.advance(60)
    (message_id,) = desk.queue(request=order(f"+{MARA}"))
    assert desk.message(message_id).contact_id == survivor.id
    with desk.runtime.unit(desk.place.owner) as unit:
        found = unit.session.get(Contact, survivor.id)
        assert found is not None
        assert found.last_activity_at == desk.message(message_id).created_at


def test_contacts_of_two_workspaces_are_never_one(runtime: Runtime, place: Place, other_place: Place) -> None:
    with runtime.unit(WORKER, write=True) as unit:
        here, there = of(unit, place, wa_id=MARA), of(unit, other_place, wa_id=MARA)
        assert here.id != there.id
        with pytest.raises(LookupError):
            merge(unit, workspace_id=place.workspace.id, old=there, new=here)


def test_a_name_that_changes_is_found_by_its_new_words_only(runtime: Runtime, place: Place) -> None:
    with runtime.unit(WORKER, write=True) as unit:
        of(unit, place, wa_id=MARA, name="Mara Vogel")
        of(unit, place, wa_id=MARA)
        contact = of(unit, place, wa_id=MARA, name="Elif Şahin-Öz")
        assert contact.name == "Elif Şahin-Öz"
        of(unit, place, wa_id=MARA, name="🙂")
        of(unit, place, wa_id=MARA, name="Elif Şahin-Öz")
    with runtime.unit(place.owner) as unit:
        words = unit.session.exec(select(ContactWord.word).order_by(col(ContactWord.word))).all()
        assert words == ["elif", "oz", "sahin"]


NUMBERS = st.integers(0, 2)
USERS = st.integers(0, 1)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), NUMBERS, st.none() | USERS, st.integers(0, 1), st.integers(0, 50)),
        st.tuples(st.just("write"), st.none(), USERS, st.integers(0, 1), st.integers(0, 50)),
        st.tuples(st.just("change"), NUMBERS, NUMBERS, st.none(), st.none()),
        st.tuples(st.just("suppress"), NUMBERS, st.none(), st.none(), st.none()),
    ),
    min_size=3,
    max_size=14,
)
_example = count(1)


@given(events=EVENTS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_b5_whoever_shares_an_id_is_one_and_has_all_of_it(
    runtime: Runtime, place: Place, events: list[tuple[str, int | None, int | None, int | None, int | None]]
) -> None:
    """Against sets of ids that are joined by hand, each with what was ever written by any of them."""
    example = next(_example)
    people: list[set[str]] = []
    written: list[tuple[str, str, datetime]] = []
    suppressed: set[str] = set()

    def number(index: int) -> str:
        return f"49{example:06d}{index:03d}"

    def joined(*ids: str) -> None:
        touched = [person for person in people if person & set(ids)]
        for person in touched:
            people.remove(person)
        people.append(set(ids).union(*touched))

    with runtime.unit(WORKER, write=True) as unit:
        for kind, first, second, phone, minute in events:
            if kind == "change":
                assert first is not None
                assert second is not None
                joined(number(first), number(second))
                change_number(
                    unit,
                    workspace_id=place.workspace.id,
                    old_wa_id=number(first),
                    new_wa_id=number(second),
                )
                continue
            known = {} if first is None else {"wa_id": number(first)}
            if second is not None:
                known["business_user_id"] = f"DE.{example}x{second}"
            joined(*known.values())
            contact = of(unit, place, **known)
            if kind == "suppress":
                assert first is not None
                suppressed.add(number(first))
                suppress(
                    unit,
                    workspace_id=place.workspace.id,
                    contact_id=contact.id,
                    kind=SuppressionKind.ALL,
                    error_code="meta_131050",
                )
                continue
            assert phone is not None
            at = NOW + timedelta(minutes=minute or 0)
            phone_id = (PHONE_ID, SECOND_PHONE_ID)[phone]
            writes(unit, contact, at=at, phone=phone_id)
            written.append((next(iter(known.values())), phone_id, at))
    with runtime.unit(place.owner, write=True) as unit:
        seen = set()
        for person in people:
            by_number = [each for each in person if not each.startswith("DE.")]
            by_user = [each for each in person if each.startswith("DE.")]
            found = [of(unit, place, wa_id=each) for each in by_number]
            found += [of(unit, place, business_user_id=each) for each in by_user]
            assert len({contact.id for contact in found}) == 1
            contact = found[0]
            seen.add(contact.id)
            assert contact.wa_id in (by_number or [None])
            theirs = [(phone_id, at) for by, phone_id, at in written if by in person]
            assert messages_of(unit, contact) == len(theirs)
            assert windows_of(unit, contact) == {
                phone_id: max(at for p, at in theirs if p == phone_id) for phone_id, _ in theirs
            }
            active = select(Suppression).where(
                col(Suppression.contact_id) == contact.id, col(Suppression.lifted_at).is_(None)
            )
            assert bool(unit.session.exec(active).all()) is bool(suppressed & person)
        assert len(seen) == len(people)


def test_b5_a_message_that_comes_while_its_contact_is_merged_is_the_survivors(
    runtime: Runtime, place: Place
) -> None:
    """Six at once: number changes, and messages from and to the number that is being left."""
    start = threading.Barrier(6)

    def work(index: int) -> None:
        start.wait(10)
        while True:
            try:
                with runtime.unit(place.owner, write=True) as unit:
                    if index % 3 == 0:
                        change_number(unit, workspace_id=place.workspace.id, old_wa_id=MARA, new_wa_id=ELIF)
                    elif index % 3 == 1:
                        writes(unit, of(unit, place, wa_id=MARA), at=NOW)
                    else:
                        intake.store(unit, order(f"+{MARA}", queued=True))
                return
            except Unavailable:  # two that wait for each other: the database chose this one to try again
                continue

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    with runtime.unit(WORKER, write=True) as unit:
        survivor = of(unit, place, wa_id=MARA)
        assert survivor.wa_id == ELIF
        assert messages_of(unit, survivor) == 4
        assert windows_of(unit, survivor) == {PHONE_ID: NOW}


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_b5_an_id_that_another_process_takes_after_the_look_still_leads_to_one_contact(
    runtime: Runtime, place: Place
) -> None:
    """SQLite has one writer: nobody comes in between there."""
    with runtime.unit(place.owner, write=True) as unit:
        first = of(unit, place, wa_id=MARA).id
    elsewhere: list[str] = []

    def take_it(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE contact SET business_user_id") and not elsewhere:
            elsewhere.append("begun")
            with runtime.unit(place.owner, write=True) as other:
                elsewhere.append(of(other, place, business_user_id=USER).id)

    event.listen(runtime.database.write, "before_cursor_execute", take_it)
    with runtime.unit(place.owner, write=True) as unit:
        both = of(unit, place, wa_id=MARA, business_user_id=USER)
        assert (both.id, both.wa_id, both.business_user_id) == (first, MARA, USER)
    assert len(elsewhere) == 2
    with runtime.unit(place.owner, write=True) as unit:
        assert of(unit, place, business_user_id=USER).id == of(unit, place, wa_id=MARA).id == first
