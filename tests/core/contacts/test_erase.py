import json
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, func, select

from core.contacts.commands import find_or_add, suppress
from core.contacts.detail import contact_detail
from core.contacts.digests import digest, digest_key
from core.contacts.erase import Losses, erase, losses
from core.contacts.export import export
from core.contacts.lists import ContactFilter, list_contacts
from core.contacts.merge import merge
from core.contacts.sweeping import LOOKED_INTO, clear_webhooks, has_work
from core.conversations.commands import catch_up, mark_due
from core.dead_letters.commands import annotate, discard, restore
from core.errors import Conflict, Forbidden, Impossible, NotFound
from core.messaging.intake import store
from core.messaging.queries import message_detail
from core.ports.graph_replies import Reply, ReplyKind
from data.billing import Conversation
from data.contacts import ContactErasure
from data.enums import DeliveryState, LetterState, MessageState, Outcome, Role, SuppressionKind
from data.inbox import Delivery, DeliveryFailure, MetaUpdate
from data.messages import Contact, Message
from data.operations import AuditEntry
from data.tables import METADATA
from jobs.schedule import finish_erasures
from tests.conftest import PHONE_ID, WABA_ID, Place
from tests.core.desk import WORKER, Desk, accepted, envelope, inbound, number, order, status, text_to

MARA, FORMER, USER = "4915112300001", "4915198765432", "DE.mara7"
SECRET = "my door code is 4711"
WAMID = "wamid.HBgNNDkxNTExMjMwMDAwMQ=="
NAMES_HER = (MARA, FORMER, USER, "Mara", "mara", SECRET, WAMID, "wamid.in")


def wrote(desk: Desk, *, text: str = SECRET, wamid: str = "wamid.in") -> str:
    """Mara, who had another number before, writes; her contact's id."""
    desk.hear(envelope(messages=[inbound(text, wamid=wamid, at=desk.now, sender=MARA)]))
    with desk.runtime.unit(WORKER, write=True) as unit:
        workspace = desk.place.workspace.id
        old = find_or_add(unit, workspace_id=workspace, wa_id=FORMER)
        new = find_or_add(unit, workspace_id=workspace, wa_id=MARA, business_user_id=USER)
        return merge(unit, workspace_id=workspace, old=old, new=new).id


def forget(desk: Desk, contact_id: str) -> str:
    with desk.runtime.unit(desk.place.acting(Role.MANAGER), write=True) as unit:
        return erase(unit, contact_id, reason="Asked for it")


def everything(desk: Desk, *, but: str = "") -> str:
    """Every row of every table, in words."""
    with desk.runtime.unit(WORKER) as unit:
        rows = [
            repr(tuple(row))
            for table in METADATA.sorted_tables
            if table.name != but
            for row in unit.session.execute(table.select())
        ]
    return "\n".join(rows)


def facts(desk: Desk) -> list[tuple[Any, ...]]:
    """What billing counts by."""
    with desk.runtime.unit(WORKER) as unit:
        return [
            (
                m.id,
                m.contact_id,
                m.phone_number_id,
                m.direction,
                m.state,
                m.created_at,
                m.sent_at,
                m.delivered_at,
            )
            for m in unit.session.exec(select(Message).order_by(col(Message.id)))
        ]


def refused_send(desk: Desk) -> str:
    """A message that died with words of Meta's about its recipient, and notes about it."""
    why = f"Recipient {MARA} is not on WhatsApp"
    (message_id,) = desk.queue(request=order(f"+{MARA}"))
    (ours,) = desk.put_on_the_wire()
    desk.answer((ours, Reply(ReplyKind.REFUSED, meta_code=132000, http_status=400, detail=why)))
    (letter,) = desk.letters(message_id)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        annotate(unit, letter.id, note="Mara called about this")
    return letter.id


def delivered_send(desk: Desk) -> str:
    (message_id,) = desk.queue(request=text_to(f"+{MARA}", SECRET))
    (ours,) = desk.put_on_the_wire()
    desk.answer((ours, accepted(WAMID)))
    desk.hear(envelope(statuses=[status("delivered", wamid=WAMID, at=desk.now, message_id=message_id)]))
    return message_id


def test_nothing_that_names_the_person_is_left_in_any_table_and_every_count_stays(desk: Desk) -> None:
    contact_id = wrote(desk)
    with desk.runtime.unit(WORKER, write=True) as unit:
        suppress(
            unit,
            workspace_id=desk.place.workspace.id,
            contact_id=contact_id,
            kind=SuppressionKind.MARKETING,
            error_code="meta_131050",
        )
    delivered_send(desk)
    refused_send(desk)
    before, named = facts(desk), everything(desk)
    assert [each for each in NAMES_HER if each not in named] == []
    with desk.runtime.unit(desk.place.owner) as unit:
        assert losses(unit, contact_id) == Losses(messages=3, waiting=0, letters=1)
    forget(desk, contact_id)
    sweep(desk)
    left = everything(desk)
    assert [each for each in NAMES_HER if each in left] == []
    assert facts(desk) == before


def sweep(desk: Desk) -> None:
    finish_erasures(desk.runtime)


def billed(desk: Desk, contact_id: str) -> list[tuple[Any, ...]]:
    """The conversations with the contact, computed anew."""
    with desk.runtime.unit(WORKER, write=True) as unit:
        mark_due(unit, [(PHONE_ID, contact_id)])
        catch_up(unit, desk.place.workspace.id)
        found = unit.session.exec(select(Conversation).order_by(col(Conversation.opened_at))).all()
        return [(c.contact_id, c.opened_at, c.opened_by, c.messages_in, c.messages_out) for c in found]


def test_b4_conversations_computed_anew_are_the_same(desk: Desk) -> None:
    contact_id = wrote(desk)
    delivered_send(desk)
    desk.advance(90_000)
    desk.hear(envelope(messages=[inbound("Again", wamid="wamid.2", at=desk.now, sender=MARA)]))
    before = billed(desk, contact_id)
    assert len(before) == 2
    forget(desk, contact_id)
    assert billed(desk, contact_id) == before


def test_an_erased_contact_is_nowhere_and_their_messages_say_so(desk: Desk) -> None:
    contact_id = wrote(desk)
    message_id = delivered_send(desk)
    forget(desk, contact_id)
    with desk.runtime.unit(desk.place.owner) as unit:
        assert list_contacts(unit, ContactFilter()).items == []
        for command in (contact_detail, losses):
            with pytest.raises(NotFound):
                command(unit, contact_id)
        row = message_detail(unit, message_id).row
        assert (row.to, row.to_pretty, row.preview) == ("erased", "erased", "Erased")
        assert (row.contact_id, row.contact_name, row.status) == (None, None, "delivered")
    with pytest.raises(NotFound):
        forget(desk, contact_id)


def test_whoever_writes_again_is_a_new_contact(desk: Desk) -> None:
    contact_id = wrote(desk)
    forget(desk, contact_id)
    desk.advance(60)
    desk.hear(envelope(messages=[inbound("Hello", wamid="wamid.new", at=desk.now, sender=MARA)]))
    with desk.runtime.unit(desk.place.owner) as unit:
        [row] = list_contacts(unit, ContactFilter()).items
        assert (row.id != contact_id, row.first_seen_at) == (True, desk.now)
        assert contact_detail(unit, row.id).messages == 1


def test_what_waits_is_given_up_and_never_sent(desk: Desk) -> None:
    contact_id = wrote(desk)
    ids = [message_id for _ in range(4) for message_id in desk.queue(request=order(f"+{MARA}"))]
    (other,) = desk.queue(request=order(number(9)))
    claims = desk.claim(in_all=3)
    on_the_wire = desk.mark(claims[:1])
    desk.answer((on_the_wire[0], Reply(ReplyKind.REFUSED, meta_code=131016, http_status=500)))
    (sending,) = desk.mark(claims[1:2])
    with desk.runtime.unit(desk.place.owner) as unit:
        assert losses(unit, contact_id).waiting == 4
    forget(desk, contact_id)
    assert {desk.message(each).state for each in ids} == {MessageState.DISCARDED}
    assert desk.mark(claims[2:]) == []
    desk.answer((sending, accepted(WAMID)))
    desk.hear(envelope(statuses=[status("sent", wamid=WAMID, at=desk.now, message_id=sending.message_id)]))
    desk.advance(7200)
    desk.rescue()
    assert [claim.message_id for claim in desk.put_on_the_wire()] == [other]
    assert {desk.message(each).state for each in ids} == {MessageState.DISCARDED}
    assert WAMID not in everything(desk, but="delivery")  # raw webhooks that come later stay for their time
    outcomes = {each.outcome for message_id in ids for each in desk.attempts(message_id)}
    assert outcomes == {Outcome.PASSING, Outcome.UNKNOWN, Outcome.LOST}


def test_a_letter_that_was_discarded_before_cannot_come_back(desk: Desk) -> None:
    contact_id = wrote(desk)
    letter_id = refused_send(desk)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        discard(unit, letter_id, reason="No use")
    forget(desk, contact_id)
    with pytest.raises(Conflict) as refusal, desk.runtime.unit(desk.place.owner, write=True) as unit:
        restore(unit, letter_id)
    assert refusal.value.code == "not_discarded"


def test_an_open_letter_is_closed(desk: Desk) -> None:
    contact_id = wrote(desk)
    refused_send(desk)
    forget(desk, contact_id)
    with desk.runtime.unit(desk.place.owner) as unit:
        message = unit.session.exec(select(Message).where(col(Message.error_code) == "meta_132000")).one()
    (letter,) = desk.letters(message.id)
    assert (letter.state, letter.closed_at) == (LetterState.DISCARDED, desk.now)
    assert message.state is MessageState.DEAD


def test_an_answer_that_is_kept_for_its_key_does_not_send_again(desk: Desk) -> None:
    contact_id = wrote(desk)
    keyed = order(f"+{MARA}", queued=True, idempotency=("key-1", "hash"))
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        first = store(unit, keyed).answer.message_id
    forget(desk, contact_id)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        again = store(unit, keyed).answer
    assert (again.message_id, again.status, again.is_replay) == (first, "discarded", True)


def test_only_those_who_manage_contacts_erase_with_a_reason_and_it_is_written_down(
    desk: Desk, other_place: Place
) -> None:
    contact_id = wrote(desk)
    for role in (Role.AGENT, Role.VIEWER, Role.SUPPORT):
        with pytest.raises(Forbidden), desk.runtime.unit(desk.place.acting(role), write=True) as unit:
            erase(unit, contact_id, reason="No")
    with pytest.raises(NotFound), desk.runtime.unit(other_place.owner, write=True) as unit:
        erase(unit, contact_id, reason="No")
    with pytest.raises(Impossible), desk.runtime.unit(desk.place.owner, write=True) as unit:
        erase(unit, contact_id, reason=" ")
    erasure_id = forget(desk, contact_id)
    with desk.runtime.unit(desk.place.owner) as unit:
        [entry] = unit.session.exec(select(AuditEntry).where(col(AuditEntry.action) == "contact.erased"))
    assert (entry.target, entry.workspace_id) == (f"contact:{contact_id}", desk.place.workspace.id)
    assert entry.after == {"reason": "Asked for it", "given_up": 0, "erasure": erasure_id}


def test_the_digest_recognises_a_number_with_the_workspaces_key_and_no_other(
    desk: Desk, other_place: Place
) -> None:
    contact_id = wrote(desk)
    forget(desk, contact_id)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        row = unit.session.get(Contact, contact_id)
        assert row is not None
        assert row.digest == digest(digest_key(unit), MARA)
    with desk.runtime.unit(other_place.owner, write=True) as unit:
        assert row.digest != digest(digest_key(unit), MARA)


def deliver(desk: Desk, body: Any, *, state: DeliveryState = DeliveryState.APPLIED) -> str:
    raw = json.dumps(body).encode()
    desk.advance(0.001)
    with desk.runtime.unit(WORKER, write=True) as unit:
        row = Delivery(
            id=unit.new_id("dlv"),
            workspace_id=desk.place.workspace.id,
            received_at=unit.now,
            sha256="0" * 64,
            size=len(raw),
            body=raw,
            state=state,
        )
        unit.session.add(row)
        return row.id


def body_of(desk: Desk, delivery_id: str) -> bytes | None:
    with desk.runtime.unit(WORKER) as unit:
        return unit.session.get_one(Delivery, delivery_id).body


def test_raw_webhooks_that_name_the_person_are_emptied_and_no_others(desk: Desk, other_place: Place) -> None:
    contact_id = wrote(desk)
    theirs = [
        deliver(desk, {"from": MARA}),
        deliver(desk, {"recipient_id": FORMER}),
        deliver(desk, {"from_user_id": USER}),
        deliver(desk, {"body": f"User changed from {MARA} to 1"}),
    ]
    others = [deliver(desk, {"from": f"{MARA}9"}), deliver(desk, {"from": "4915112300002"})]
    with desk.runtime.unit(WORKER, write=True) as unit:
        unit.session.add(
            DeliveryFailure(delivery_id=theirs[0], path="0", field="messages", reason=f"{MARA}?", at=unit.now)
        )
        elsewhere = Delivery(
            id=unit.new_id("dlv"),
            workspace_id=other_place.workspace.id,
            received_at=unit.now,
            sha256="0" * 64,
            size=1,
            body=MARA.encode(),
            state=DeliveryState.APPLIED,
        )
        unit.session.add(elsewhere)
        unit.session.add(
            MetaUpdate(
                id="1",
                workspace_id=desk.place.workspace.id,
                waba_id=WABA_ID,
                field="user_preferences",
                value={"user_preferences": [{"wa_id": MARA, "value": "stop"}]},
                at=unit.now,
                received_at=unit.now,
            )
        )
        others.append(elsewhere.id)
    desk.advance(1)
    forget(desk, contact_id)
    later = deliver(desk, {"from": MARA})
    sweep(desk)
    assert [body_of(desk, each) for each in theirs] == [None] * 4
    assert None not in [body_of(desk, each) for each in [*others, later]]
    with desk.runtime.unit(WORKER) as unit:
        assert not has_work(unit)
        [done] = unit.session.exec(select(ContactErasure)).all()
        assert (done.sealed, done.cursor, done.done_at) == (None, "", desk.now)
        assert done.cleared == 5  # with the one she wrote
        assert (
            unit.session.get_one(DeliveryFailure, (theirs[0], "0")).reason
            == "Its raw text was erased with a contact."
        )
        assert unit.session.get_one(MetaUpdate, "1").value == {}


def test_a_raw_webhook_that_is_not_applied_yet_is_waited_for(desk: Desk) -> None:
    contact_id = wrote(desk)
    first = deliver(desk, {"from": MARA})
    pending = deliver(desk, {"from": MARA, "n": 2}, state=DeliveryState.PENDING)
    desk.advance(1)
    forget(desk, contact_id)
    sweep(desk)
    assert body_of(desk, first) is None
    assert body_of(desk, pending) is not None
    desk.change(Delivery, pending, state=DeliveryState.APPLIED)
    sweep(desk)
    assert body_of(desk, pending) is None


def test_many_raw_webhooks_are_looked_into_some_at_a_time(desk: Desk) -> None:
    contact_id = wrote(desk)
    with desk.runtime.unit(WORKER, write=True) as unit:
        for index in range(LOOKED_INTO + 5):
            unit.now += timedelta(microseconds=1)
            unit.session.add(
                Delivery(
                    id=unit.new_id("dlv"),
                    workspace_id=desk.place.workspace.id,
                    received_at=unit.now,
                    sha256="0" * 64,
                    size=1,
                    body=MARA.encode() if index % 2 else b"{}",
                    state=DeliveryState.APPLIED,
                )
            )
    desk.advance(1)
    forget(desk, contact_id)
    with desk.runtime.unit(WORKER, write=True) as unit:
        assert clear_webhooks(unit)
    sweep(desk)
    with desk.runtime.unit(WORKER) as unit:
        emptied = select(func.count()).select_from(Delivery).where(col(Delivery.body).is_(None))
        assert unit.session.exec(emptied).one() == 1 + (LOOKED_INTO + 5) // 2  # with the one she wrote


def test_an_export_holds_everything_and_is_written_down(desk: Desk, other_place: Place) -> None:
    contact_id = wrote(desk)
    message_id = delivered_send(desk)
    refused_send(desk)
    with desk.runtime.unit(desk.place.acting(Role.MANAGER), write=True) as unit:
        held = export(unit, contact_id)
    assert json.loads(json.dumps(held)) == held
    assert (held["contact"]["waId"], held["contact"]["businessUserId"]) == (MARA, USER)
    assert [alias["waId"] for alias in held["aliases"]] == [FORMER]
    assert len(held["serviceWindows"]) == 1
    heard, sent, dead = held["messages"]
    assert heard["payload"]["text"] == SECRET
    assert (sent["id"], sent["attempts"][0]["wamid"]) == (message_id, WAMID)
    assert sent["statuses"][0]["status"] == "delivered"
    assert [act["text"] for act in dead["deadLetters"][0]["actions"]] == ["Mara called about this"]
    assert set(Message.model_fields) - {"id"} <= {_snake(name) for name in sent}
    with desk.runtime.unit(desk.place.owner) as unit:
        [entry] = unit.session.exec(select(AuditEntry).where(col(AuditEntry.action) == "contact.exported"))
    assert entry.target == f"contact:{contact_id}"
    for role in (Role.AGENT, Role.VIEWER, Role.SUPPORT):
        with pytest.raises(Forbidden), desk.runtime.unit(desk.place.acting(role), write=True) as unit:
            export(unit, contact_id)
    with pytest.raises(NotFound), desk.runtime.unit(other_place.owner, write=True) as unit:
        export(unit, contact_id)


def _snake(name: str) -> str:
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name)
