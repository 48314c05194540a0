"""Events of templates: each counts once, however often, from wherever and in whatever order it is told."""

from datetime import timedelta
from itertools import groupby
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlmodel import col, select

from core.errors import Forbidden, Malformed
from core.templates.flags import list_flags
from core.templates.metric_purge import purge
from core.templates.metric_queries import Counts, template_metrics
from core.templates.metrics import record, tell
from core.templates.standing import due_workspaces, happenings
from data.abuse import TemplateMetric, TemplateMetricDay
from data.enums import ChangeSource, Role, TemplateEvent
from data.operations import AuditEntry
from data.people import Workspace
from data.sending import Template, Waba
from tests.conftest import NOW, WABA_ID, Place
from tests.core.desk import WORKER, Desk
from tests.core.templates.test_sync import keep, node
from tests.core.templates.test_updates import NAMED, at, hear, status

FEW = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
META_ID = str(NAMED["message_template_id"])
CREATED, EDITED, APPROVED, REJECTED, PAUSED, DISABLED = TemplateEvent
ORDER = {event: place for place, event in enumerate(TemplateEvent)}
Told = tuple[TemplateEvent, float]


def put(desk: Desk, *told: Told, template_id: str = META_ID) -> None:
    """Events at so many minutes from now."""
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        for event, minutes in told:
            record(unit, template_id, event, at=NOW + timedelta(minutes=minutes))


def rows(desk: Desk, template_id: str = META_ID) -> list[TemplateMetric]:
    with desk.runtime.unit(WORKER) as unit:
        found = select(TemplateMetric).where(col(TemplateMetric.template_id) == template_id)
        return sorted(unit.session.exec(found), key=lambda row: (row.at, ORDER[row.event]))


def counted(desk: Desk, template_id: str = META_ID) -> list[tuple[TemplateEvent, float]]:
    return [
        (row.event, round((row.at - NOW) / timedelta(minutes=1), 3))
        for row in rows(desk, template_id)
        if row.counts
    ]


def totals(desk: Desk) -> Counts:
    with desk.runtime.unit(desk.place.owner) as unit:
        return template_metrics(unit).totals


def test_t1_the_same_verdict_told_again_counts_once_and_from_its_first_moment(desk: Desk) -> None:
    put(desk, (REJECTED, -60), (REJECTED, -60), (REJECTED, 0))
    assert counted(desk) == [(REJECTED, -60)]
    put(desk, (REJECTED, -120))
    assert counted(desk) == [(REJECTED, -120)]
    assert totals(desk) == Counts(rejected=1)


@pytest.mark.parametrize("between", [CREATED, EDITED, APPROVED, PAUSED])
def test_t1_it_counts_again_after_a_creation_an_edit_or_another_verdict(
    desk: Desk, between: TemplateEvent
) -> None:
    put(desk, (REJECTED, -90), (REJECTED, -30), (between, -60))
    assert counted(desk) == [(REJECTED, -90), (between, -60), (REJECTED, -30)]


def test_t1_what_is_submitted_comes_before_its_verdict_of_the_same_second(desk: Desk) -> None:
    put(desk, (REJECTED, -90))
    half = timedelta(milliseconds=700) / timedelta(minutes=1)
    put(desk, (EDITED, -1 + half), (REJECTED, -1))
    assert [event for event, _ in counted(desk)] == [REJECTED, EDITED, REJECTED]


def test_t1_what_lies_ahead_of_our_clock_happened_now(desk: Desk) -> None:
    put(desk, (APPROVED, 4))
    assert counted(desk) == [(APPROVED, 0)]


minutes = st.integers(-30, 0)
tellings = st.lists(st.tuples(st.sampled_from(list(TemplateEvent)), minutes), min_size=1, max_size=7)


@FEW
@given(told=tellings, again=st.lists(st.integers(0, 6), max_size=4))
def test_t1_any_order_and_any_repetition_count_the_same(
    desk: Desk, told: list[Told], again: list[int]
) -> None:
    fresh = uuid4().hex  # each example has a template of its own
    put(desk, *told, *(told[place % len(told)] for place in again), template_id=fresh)
    in_order = sorted(set(told), key=lambda one: (one[1], ORDER[one[0]]))
    runs = [next(run) for _, run in groupby(in_order, key=lambda one: one[0])]
    assert sorted(counted(desk, fresh)) == sorted(runs)


def test_t1_webhooks_are_events_of_metas_id_also_of_a_template_that_we_do_not_know(desk: Desk) -> None:
    refused = {"rejection_info": {"reason": "SCAM", "recommendation": "Do not."}}
    hear(desk, status(-9, "PENDING"), status(-8, "REJECTED", **refused), status(-7, "PENDING"))
    hear(desk, status(-6, "REJECTED"), status(-8, "REJECTED", **refused), status(-5, "IN_APPEAL"))
    hear(desk, status(-4, "REJECTED"), status(-3, "REINSTATED"), status(-2, "PAUSED"), status(-1, "DISABLED"))
    found = [(row.event, row.reason, row.source) for row in rows(desk) if row.counts]
    webhook = ChangeSource.WEBHOOK
    assert found == [
        (REJECTED, "SCAM", webhook),
        (EDITED, None, webhook),  # submitted again, at Meta
        (REJECTED, None, webhook),
        (APPROVED, None, webhook),
        (PAUSED, None, webhook),
        (DISABLED, None, webhook),
    ]
    stranger = {**NAMED, "message_template_id": 77, "message_template_name": "to_come", "event": "REJECTED"}
    hear(desk, ("message_template_status_update", stranger, at(-1)))
    assert counted(desk, "77") == [(REJECTED, -1)]
    assert totals(desk) == Counts(approved=1, rejected=3, paused=1, disabled=1)


def test_t1_a_sync_counts_what_it_finds_and_not_what_a_webhook_told(desk: Desk) -> None:
    desk.change(Waba, WABA_ID, templates_due_at=NOW)
    desk.advance(600)
    hear(desk, status(5, "REJECTED"))
    stranger = {**NAMED, "message_template_id": 77, "message_template_name": "to_come", "event": "REJECTED"}
    hear(desk, ("message_template_status_update", stranger, at(6)))
    keep(desk, node("to_come", id="77", status="REJECTED", rejected_reason="SCAM"))
    assert counted(desk, "77") == [(CREATED, 6), (REJECTED, 6)]
    keep(desk, node(id=META_ID, status="REJECTED", rejected_reason="SCAM"))
    keep(desk, node("new", id="88", status="REJECTED", rejected_reason="SCAM"))
    assert [(row.event, row.source) for row in rows(desk)] == [(REJECTED, ChangeSource.WEBHOOK)]
    assert [(row.event, row.source, row.reason) for row in rows(desk, "88") if row.counts] == [
        (CREATED, ChangeSource.SYNC, None),
        (REJECTED, ChangeSource.SYNC, "SCAM"),
    ]


def test_t1_what_an_account_brings_with_it_when_it_is_connected_is_not_counted(desk: Desk) -> None:
    desk.change(Waba, WABA_ID, templates_due_at=None)
    keep(desk, node("named", id="1000", status="REJECTED"))  # read by name, for a send
    keep(desk, *(node(f"old_{index}", id=str(index), status="REJECTED") for index in range(6)), complete=True)
    assert totals(desk) == Counts()
    desk.advance(60)
    keep(desk, node("fresh", id="99", status="APPROVED"))
    assert totals(desk) == Counts(created=1, approved=1)


def test_t1_by_metas_id_or_ours_it_is_the_same_template(desk: Desk) -> None:
    with desk.runtime.unit(WORKER) as unit:
        template = unit.session.exec(select(Template).where(col(Template.name) == "order_update")).one()
    desk.change(Template, template.id, meta_id=META_ID)
    put(desk, (REJECTED, -3), template_id=template.id)
    put(desk, (REJECTED, -2), template_id=META_ID)
    assert counted(desk) == [(REJECTED, -3)]


def test_t1_telling_needs_its_permission_is_audited_and_stays_in_its_workspace(
    desk: Desk, other_place: Place
) -> None:
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        tell(unit, "5", REJECTED, reason="SCAM", occurred_at=NOW - timedelta(hours=1))
        entry = unit.session.exec(select(AuditEntry).order_by(col(AuditEntry.number).desc())).first()
        assert entry is not None
        assert (entry.action, entry.target) == ("template.event_told", "template:5")
    with desk.runtime.unit(other_place.owner) as unit:
        assert template_metrics(unit).totals == Counts()
    with desk.runtime.unit(desk.place.acting(Role.VIEWER), write=True) as unit:
        with pytest.raises(Forbidden) as refusal:
            tell(unit, "5", REJECTED)
        assert refusal.value.facts["permission"] == "templates.manage"
    with desk.runtime.unit(desk.place.owner, write=True) as unit, pytest.raises(Malformed):
        tell(unit, "5", REJECTED, occurred_at=NOW + timedelta(seconds=301))


def test_days_are_those_of_the_workspaces_zone(desk: Desk) -> None:
    desk.change(Workspace, desk.place.workspace.id, timezone="Asia/Tokyo")  # NOW is 18:00 there
    put(desk, (CREATED, -18 * 60 - 1), (REJECTED, -18 * 60))
    with desk.runtime.unit(desk.place.owner) as unit:
        found = template_metrics(unit)
    assert len(found.by_day) == 30
    assert [(day.isoformat(), one) for day, one in found.by_day.items()][-2:] == [
        ("2026-11-22", Counts(created=1)),
        ("2026-11-23", Counts(rejected=1)),
    ]
    [only] = found.by_template
    assert (only.template_id, only.name, only.counts) == (META_ID, None, Counts(created=1, rejected=1))


def test_t5_old_detail_is_purged_the_days_totals_stay_and_what_repeats_it_counts_nothing(desk: Desk) -> None:
    put(desk, (CREATED, -600), (REJECTED, -500), (REJECTED, -400), (APPROVED, -300))
    put(desk, (REJECTED, -200), template_id="other")
    before = totals(desk)
    desk.advance(90 * 86_400 - 450 * 60)
    with desk.runtime.unit(WORKER, write=True) as unit:
        assert (purge(unit), purge(unit)) == (2, 0)
    desk.advance(86_400)
    with desk.runtime.unit(WORKER, write=True) as unit:
        assert (purge(unit), purge(unit)) == (3, 0)
        days = unit.session.exec(select(TemplateMetricDay)).all()
        assert sorted((one.day, one.last_event) for one in days) == [
            ("2026-11-22", CREATED),
            ("2026-11-23", APPROVED),
            ("2026-11-23", REJECTED),
        ]
    with desk.runtime.unit(desk.place.owner) as unit:
        assert template_metrics(unit, NOW.date() - timedelta(days=2), NOW.date()).totals == before
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        record(unit, "other", REJECTED)
        record(unit, META_ID, APPROVED)
        assert template_metrics(unit).totals == Counts()


def test_windows_and_purges_read_their_indexes(desk: Desk) -> None:
    if not desk.runtime.database.is_sqlite:
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by statistics")
    put(desk, (REJECTED, -5))
    ran: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            ran.append((statement, parameters))

    engine = desk.runtime.database.read
    with desk.runtime.unit(WORKER) as unit:
        event.listen(engine, "before_cursor_execute", note)
        try:
            happenings(unit, desk.place.workspace.id, after=NOW)
            due_workspaces(unit)
            list_flags(unit, only_open=True, workspace_id=desk.place.workspace.id)
        finally:
            event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        plans = [
            " | ".join(
                row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            )
            for statement, values in ran
        ]
    window, sends, due, flags = plans
    assert "USING COVERING INDEX ix_template_metric_window (workspace_id=? AND at>?" in window
    assert "USING COVERING INDEX ix_rejected_send_window (workspace_id=? AND at>?)" in sends
    assert "USING INDEX ix_abuse_standing_due_at (due_at<?)" in due
    assert "abuse_flag USING INDEX ix_abuse_flag" in flags
