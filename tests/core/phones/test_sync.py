"""Reading accounts from Meta: what is kept, what becomes history, what fails and is said."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import event, text
from sqlmodel import col, select

from core.errors import DomainError, Forbidden, Impossible, NotFound
from core.lanes.commands import pause
from core.messaging.senders import list_senders, sender_of, senders_of, urgent_first
from core.phones import sync
from core.phones.accounts import account_of, facts_of
from core.phones.changes import list_changes, newest_changes
from core.phones.commands import SYNC_EVERY, Described, store
from core.phones.due import AGAIN_AFTER
from core.phones.health import PhoneHealth
from core.phones.sync import read_health, sync_phone
from core.ports.vault import token_field
from core.runtime import Runtime
from core.unit import Identity
from data.alerts import Alert
from data.enums import NodeAspect, Role
from data.operations import AuditEntry
from data.sending import AccessToken, Lane, Phone, Waba
from jobs.schedule import sync_phones
from tests.conftest import NOW, PHONE_ID, SECOND_PHONE_ID, WABA_ID, Place
from tests.core.desk import WORKER, Desk, Meta, carry_out

CLOCK = Identity(process="clock")


@pytest.fixture
def numbers(meta: Meta) -> httpx.Client:
    return meta.client


def synced(desk: Desk, phone_number_id: str = PHONE_ID, identity: Identity | None = None) -> None:
    runtime = fresh(desk)
    carry_out(runtime, sync_phone(runtime, identity or desk.place.owner, phone_number_id))


def fresh(desk: Desk) -> Runtime:
    """The runtime with a client of Meta's for a loop of its own."""
    return replace(desk.runtime, graph=desk.runtime.graph.again())


def phone(desk: Desk, phone_number_id: str = PHONE_ID) -> Phone:
    with desk.runtime.unit(WORKER) as unit:
        return unit.session.get_one(Phone, phone_number_id)


def waba(desk: Desk) -> Waba:
    with desk.runtime.unit(WORKER) as unit:
        return unit.session.get_one(Waba, WABA_ID)


def story(desk: Desk) -> list[tuple[str, str | None, str | None]]:
    with desk.runtime.unit(desk.place.owner) as unit:
        return [(one.aspect.value, one.before, one.after) for one in list_changes(unit, PHONE_ID).items]


def open_kinds(desk: Desk) -> list[str]:
    with desk.runtime.unit(WORKER) as unit:
        found = select(Alert).where(col(Alert.resolved_at).is_(None)).order_by(col(Alert.kind))
        return [one.kind for one in unit.session.exec(found)]


def test_a_sync_keeps_all_that_meta_says_of_number_account_and_business(
    desk: Desk, numbers: httpx.Client
) -> None:
    synced(desk)
    found = phone(desk)
    assert (found.verified_name, found.messaging_tier, found.name_status) == (
        "Northwind Logistics",
        "TIER_2K",
        "APPROVED",
    )
    assert found.described is not None
    assert found.described["platform_type"] == "CLOUD_API"
    account = waba(desk)
    assert (account.name, account.review_status, account.verification) == (
        "Waypost Demo",
        "APPROVED",
        "verified",
    )
    assert (account.synced_at, account.sync_due_at) == (NOW, NOW + SYNC_EVERY)
    with desk.runtime.unit(desk.place.acting(Role.VIEWER)) as unit:
        view, facts = account_of(unit, PHONE_ID), facts_of(unit, PHONE_ID)
    assert (view.business_name, view.verification.title, view.is_subscribed) == (
        "Northwind Trading Ltd",
        "Verified",
        True,
    )
    assert (facts.platform, facts.is_pin_enabled, facts.is_official) == ("CLOUD_API", True, False)


def test_a_change_found_by_sync_is_history_once_and_an_alert(desk: Desk, numbers: httpx.Client) -> None:
    synced(desk)
    before = len(story(desk))
    numbers.patch(f"/sandbox/phones/{PHONE_ID}", json={"quality": "RED", "messagingLimit": "TIER_250"})
    desk.advance(60)
    synced(desk)
    synced(desk)
    assert sorted(story(desk)[: len(story(desk)) - before]) == [
        ("quality", "GREEN", "RED"),
        ("status", "CONNECTED", "FLAGGED"),
        ("tier", "TIER_2K", "TIER_250"),
    ]
    assert open_kinds(desk) == ["phone_quality", "phone_restricted", "phone_tier"]
    numbers.patch(f"/sandbox/phones/{PHONE_ID}", json={"quality": "GREEN", "messagingLimit": "TIER_2K"})
    desk.advance(60)
    synced(desk)
    assert open_kinds(desk) == []


def test_a_new_number_gets_its_lane_and_is_no_change(desk: Desk, numbers: httpx.Client) -> None:
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        node = {"id": "777", "display_phone_number": "+1 555 0100", "quality_rating": "RED"}
        described = Described({"name": "Northwind"}, [node], None)
        (made,) = store(unit, waba=unit.session.get_one(Waba, WABA_ID), described=described)
    assert (made.quality, made.status, made.verified_name) == ("RED", "UNKNOWN", "")
    with desk.runtime.unit(desk.place.owner) as unit:
        assert unit.session.get_one(Lane, "777").workspace_id == desk.place.workspace.id
        assert [one.aspect for one in list_changes(unit, "777").items] == [NodeAspect.CONNECTED]
    assert open_kinds(desk) == ["phone_quality"]


def test_q13_a_number_that_is_on_the_phone_app_too_carries_20_a_second(desk: Desk) -> None:
    def limit_when(on_app: object) -> int:
        node = {"id": PHONE_ID, "throughput": {"level": "HIGH"}, "is_on_biz_app": on_app}
        with desk.runtime.unit(desk.place.owner, write=True) as unit:
            waba = unit.session.get_one(Waba, WABA_ID)
            store(unit, waba=waba, described=Described({}, [node], None))
        with desk.runtime.unit(desk.place.owner) as unit:
            return sender_of(unit, PHONE_ID).limit_per_second

    assert [limit_when(each) for each in (False, True, "nonsense", False)] == [30, 20, 20, 30]


def test_q7_a_restriction_ends_when_its_time_is_up_or_meta_says_that_the_account_may_send(
    desk: Desk, numbers: httpx.Client
) -> None:
    limited = "RESTRICTED_BIZ_INITIATED_MESSAGING"
    numbers.patch(f"/sandbox/accounts/{WABA_ID}", json={"restriction": limited})
    until = NOW + timedelta(minutes=10)
    desk.change(Waba, WABA_ID, restriction=limited, restricted_until=until)
    synced(desk)
    assert waba(desk).restriction == limited
    desk.advance(600)
    synced(desk)
    assert (waba(desk).restriction, story(desk)[0]) == (None, ("restriction", limited, None))
    desk.change(Waba, WABA_ID, restriction="DISABLE")
    synced(desk)
    assert waba(desk).restriction == "DISABLE"
    numbers.patch(f"/sandbox/accounts/{WABA_ID}", json={"restriction": "NONE"})
    desk.advance(60)
    synced(desk)
    assert waba(desk).restriction is None


def test_p1_p5_who_may_not_sync_and_what_is_not_there(desk: Desk, other_place: Place) -> None:
    for role in (Role.MANAGER, Role.AGENT, Role.VIEWER, Role.SUPPORT):
        with pytest.raises(Forbidden) as refusal:
            synced(desk, identity=desk.place.acting(role))
        assert refusal.value.facts["permission"] == "phones.manage"
    sentences = set()
    for unknown in (str(int(PHONE_ID) + 50), "1"):
        with pytest.raises(NotFound) as missing:
            synced(desk, unknown)
        sentences.add(missing.value.sentence)
        for read in (account_of, facts_of, list_changes, sender_of):
            with pytest.raises(NotFound), desk.runtime.unit(desk.place.owner) as unit:
                read(unit, unknown)
    assert len(sentences) == 1


def test_p9_a_sync_by_hand_is_audited_one_by_the_clock_is_not(desk: Desk, numbers: httpx.Client) -> None:
    desk.change(Waba, WABA_ID, sync_due_at=NOW)
    by_clock(desk)
    synced(desk)
    with desk.runtime.unit(WORKER) as unit:
        found = select(AuditEntry).where(col(AuditEntry.action) == "phone.synced")
        assert [one.target for one in unit.session.exec(found)] == [f"phone:{PHONE_ID}"]


def by_clock(desk: Desk) -> int:
    with desk.runtime.unit(CLOCK, write=True) as unit:
        due = sync.READING.take_due(unit)
    runtime = fresh(desk)
    carry_out(runtime, sync.READING.read_all(runtime, CLOCK, due))
    return len(due)


def test_c2_accounts_are_read_every_hour(desk: Desk, numbers: httpx.Client) -> None:
    desk.change(Waba, WABA_ID, sync_due_at=NOW)
    assert (by_clock(desk), by_clock(desk)) == (1, 0)
    desk.advance(3599)
    assert by_clock(desk) == 0
    desk.advance(1)
    assert by_clock(desk) == 1


def test_c2_the_clock_reads_what_is_due_on_a_loop_of_its_own(desk: Desk, numbers: httpx.Client) -> None:
    desk.change(Waba, WABA_ID, sync_due_at=NOW)
    for _ in range(2):
        sync_phones(desk.runtime)
    assert (waba(desk).synced_at, waba(desk).sync_due_at) == (NOW, NOW + SYNC_EVERY)


def test_an_account_that_cannot_be_read_says_why_and_holds_up_no_other(
    desk: Desk, other_place: Place, numbers: httpx.Client
) -> None:
    with desk.runtime.unit(WORKER, write=True) as unit:
        stranger = Waba(
            id="1", workspace_id=other_place.workspace.id, name="Gone", connected_at=NOW, sync_due_at=NOW
        )
        unit.session.add(stranger)
    desk.change(Waba, WABA_ID, sync_due_at=NOW)
    assert by_clock(desk) == 2
    with desk.runtime.unit(WORKER) as unit:
        gone = unit.session.get_one(Waba, "1")
    assert gone.sync_error == "This account has no token. Connect it again."
    assert gone.sync_due_at == NOW + AGAIN_AFTER
    assert (waba(desk).synced_at, waba(desk).sync_error) == (NOW, None)


def test_metas_refusal_is_a_sentence_under_its_code(desk: Desk, numbers: httpx.Client) -> None:
    desk.change(Phone, SECOND_PHONE_ID, waba_id=WABA_ID)
    with desk.runtime.unit(WORKER, write=True) as unit:
        unit.session.add(Waba(id="404", workspace_id=desk.place.workspace.id, name="Wrong", connected_at=NOW))
        unit.session.flush()
        sealed = unit.vault.seal("t", workspace_id=desk.place.workspace.id, field=token_field("404"))
        unit.session.add(
            AccessToken(
                id="tok_x",
                workspace_id=desk.place.workspace.id,
                waba_id="404",
                sealed=sealed,
                replaced_at=NOW,
            )
        )
        unit.session.get_one(Phone, SECOND_PHONE_ID).waba_id = "404"
    with pytest.raises(Impossible) as refusal:
        synced(desk, SECOND_PHONE_ID)
    assert refusal.value.code == "meta_100"
    assert refusal.value.sentence.startswith("Meta refused: ")


def test_why_it_cannot_send_is_read_from_meta_now(desk: Desk, numbers: httpx.Client) -> None:
    def health() -> PhoneHealth:
        runtime = fresh(desk)
        (found,) = carry_out(runtime, read_health(runtime, desk.place.acting(Role.VIEWER), PHONE_ID))
        answer: PhoneHealth = found
        return answer

    assert (health().can_send, {part.can_send for part in health().parts}) == ("AVAILABLE", {"AVAILABLE"})
    numbers.patch(f"/sandbox/accounts/{WABA_ID}", json={"restriction": "DISABLE"})
    found = health()
    assert found.can_send == "BLOCKED"
    (account,) = [part for part in found.parts if part.kind == "WABA"]
    assert (account.can_send, account.problems[0].code) == ("BLOCKED", "131031")
    assert account.problems[0].solution


def test_numbers_are_listed_by_page_and_found_by_name_or_digits(desk: Desk, other_place: Place) -> None:
    with desk.runtime.unit(desk.place.acting(Role.SUPPORT)) as unit:
        first = list_senders(unit, limit=1)
        rest = list_senders(unit, limit=1, cursor=first.next_cursor)
        assert [one.phone_number_id for one in first.items + rest.items] == [PHONE_ID, SECOND_PHONE_ID]
        assert rest.next_cursor is None
        assert [one.phone_number_id for one in urgent_first(unit, q="wind 2").items] == [SECOND_PHONE_ID]
        assert [one.phone_number_id for one in urgent_first(unit, q="5557 0142").items] == [PHONE_ID]
        assert urgent_first(unit, q="%").items == []


def other_phone(desk: Desk, other_place: Place) -> str:
    with desk.runtime.unit(other_place.owner) as unit:
        return unit.session.exec(unit.scoped(Phone)).all()[0].id


def test_what_is_held_comes_first_then_what_is_not_well_and_only_so_many_are_read(
    desk: Desk, other_place: Place
) -> None:
    def first(limit: int = 10) -> list[str]:
        with desk.runtime.unit(desk.place.owner) as unit:
            found = urgent_first(unit, limit=limit)
            assert found.total == 2
            return [one.phone_number_id for one in found.items]

    assert first() == [PHONE_ID, SECOND_PHONE_ID]
    desk.change(Phone, SECOND_PHONE_ID, quality="RED")
    assert first() == [SECOND_PHONE_ID, PHONE_ID]
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        pause(unit, phone_number_id=PHONE_ID, reason="Stock-taking")
    assert first(limit=1) == [PHONE_ID]
    theirs = other_phone(desk, other_place)
    with desk.runtime.unit(desk.place.owner) as unit:
        shown = senders_of(unit, [SECOND_PHONE_ID, theirs, PHONE_ID])
    assert [one.phone_number_id for one in shown] == [SECOND_PHONE_ID, PHONE_ID]


def test_messages_of_today_begin_at_midnight_of_the_workspace(desk: Desk) -> None:
    desk.queue(2)
    desk.advance(16 * 3600)  # 01:00 of the next day, UTC
    desk.queue(1, first=10)
    with desk.runtime.unit(desk.place.owner) as unit:
        sender = sender_of(unit, PHONE_ID)
    assert (sender.messages_today, sender.lane.state, sender.lane.held) == (1, "running", 0)


def test_a_held_lane_says_why_and_how_many_wait(desk: Desk) -> None:
    desk.queue(3)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        pause(unit, phone_number_id=PHONE_ID, reason="Stock-taking")
    with desk.runtime.unit(desk.place.owner) as unit:
        held, other = list_senders(unit).items
    assert (held.lane.state, held.lane.held, held.lane.is_own) == ("paused", 3, True)
    assert held.lane.hold is not None
    assert held.lane.hold.reason == "Stock-taking"
    assert other.lane.state == "running"


def explained(desk: Desk, run: Any, *, table: str = "node_change") -> str:
    """How the database would find the rows of the last query that ``run`` makes on the table."""
    seen: list[tuple[str, Any]] = []
    with desk.runtime.unit(desk.place.owner) as unit:
        connection = unit.session.connection()

        def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            seen.append((statement, parameters))

        event.listen(connection, "before_cursor_execute", note)
        run(unit)
        event.remove(connection, "before_cursor_execute", note)
        statement, parameters = next(one for one in reversed(seen) if f"FROM {table}" in one[0])
        on_sqlite = connection.dialect.name == "sqlite"
        if not on_sqlite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = connection.exec_driver_sql(
            ("EXPLAIN QUERY PLAN " if on_sqlite else "EXPLAIN ") + statement, parameters
        )
        return "\n".join(str(tuple(row)) for row in plan)


def test_no_query_is_asked_once_a_number(desk: Desk) -> None:
    def queries() -> int:
        asked: list[str] = []
        with desk.runtime.unit(desk.place.owner) as unit:
            connection = unit.session.connection()

            def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
                asked.append(statement)

            event.listen(connection, "before_cursor_execute", note)
            list_senders(unit)
            event.remove(connection, "before_cursor_execute", note)
        return len(asked)

    with_two = queries()
    nodes = [{"id": str(7_000 + index), "display_phone_number": f"+1 555 {index:04}"} for index in range(30)]
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        store(unit, waba=unit.session.get_one(Waba, WABA_ID), described=Described({}, nodes, None))
    assert queries() == with_two


def test_the_history_is_read_through_its_index(desk: Desk) -> None:
    plan = explained(desk, lambda unit: list_changes(unit, PHONE_ID))
    assert "ix_node_change_subject" in plan
    plan = explained(desk, lambda unit: newest_changes(unit, [PHONE_ID]))
    assert "ix_node_change_subject" in plan
    assert "SCAN node_change" not in plan


def test_what_is_due_is_found_and_today_is_counted_through_an_index(desk: Desk) -> None:
    if not desk.runtime.database.is_sqlite:
        pytest.skip("PostgreSQL chooses by statistics, and this table is all but empty")
    assert "ix_waba_sync_due_at" in explained(desk, sync.READING.has_due, table="waba")
    assert "ix_message_phone" in explained(desk, list_senders, table="message")


def test_the_history_goes_on_by_cursor(desk: Desk, numbers: httpx.Client) -> None:
    synced(desk)
    for quality in ("RED", "GREEN", "RED"):
        desk.advance(60)
        numbers.patch(f"/sandbox/phones/{PHONE_ID}", json={"quality": quality})
        synced(desk)
    whole = story(desk)
    paged, cursor = [], None
    with desk.runtime.unit(desk.place.owner) as unit:
        while True:
            page = list_changes(unit, PHONE_ID, cursor=cursor, limit=2)
            paged += [(one.aspect.value, one.before, one.after) for one in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        with pytest.raises(DomainError):
            list_changes(unit, PHONE_ID, cursor="nonsense")
    assert paged == whole
