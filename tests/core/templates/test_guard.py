"""Flags: opened once, told once, refusing what they should and nothing else, lifted with a reason."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from core import access
from core.errors import Conflict, Forbidden, Impossible, NotFound
from core.messaging.send import send
from core.templates import guard
from core.templates.abuse import Tally
from core.templates.abuse_queries import risk_of, risks
from core.templates.flags import list_flags
from core.templates.metrics import record
from core.templates.standing import GUARD, Standing, keep_due, lock_standing, standing_of
from core.unit import Identity, Unit
from data.abuse import AbuseStanding, RejectedSend
from data.alerts import Alert, Mail
from data.enums import AbuseLevel, Role, TemplateEvent
from data.operations import AuditEntry
from data.people import User
from data.sending import Template
from tests.conftest import Place
from tests.core.desk import WORKER, Desk, Meta, carry_out, order
from tests.core.templates.test_sync import fresh
from tests.core.templates.test_updates import hear, status

OK, WARNING, FLAGGED = AbuseLevel
APPROVED, REJECTED = TemplateEvent.APPROVED, TemplateEvent.REJECTED
HOUR = timedelta(hours=1)


def tell(desk: Desk, *events: TemplateEvent, hours_ago: float = 0, place: Place | None = None) -> Standing:
    """Each of a template of its own."""
    found = None
    with desk.runtime.unit((place or desk.place).owner, write=True) as unit:
        for event in events:
            found = record(unit, uuid4().hex, event, at=unit.now - hours_ago * HOUR)
    assert found is not None
    return found


def standing(desk: Desk) -> Standing:
    with desk.runtime.unit(WORKER) as unit:
        return standing_of(unit, desk.place.workspace.id)


def stored(desk: Desk) -> AbuseStanding:
    with desk.runtime.unit(WORKER) as unit:
        return unit.session.get_one(AbuseStanding, desk.place.workspace.id)


def flag(desk: Desk) -> str:
    tell(desk, *[REJECTED] * 5)
    found = standing(desk).flag_id
    assert found is not None
    return found


def lift(desk: Desk, flag_id: str, *, by: Identity | None = None, reason: str = "They mended them") -> None:
    with desk.runtime.unit(by or GUARD, write=True) as unit:
        guard.clear(unit, flag_id, reason=reason)


def mails(desk: Desk) -> Counter[str]:
    with desk.runtime.unit(WORKER) as unit:
        return Counter(mail.subject for mail in unit.session.exec(select(Mail)))


def alerts(desk: Desk, *, is_open: bool = True) -> list[str]:
    with desk.runtime.unit(WORKER) as unit:
        found = unit.session.exec(select(Alert).order_by(col(Alert.id)))
        return [one.kind for one in found if (one.resolved_at is None) is is_open]


def refusal_of(desk: Desk, identity: Identity | None = None) -> Forbidden | None:
    with desk.runtime.unit(identity or desk.place.owner, write=True) as unit:
        try:
            guard.require_unflagged(unit)
        except Forbidden as refusal:
            return refusal
    return None


def test_t3_going_up_a_level_is_told_once_to_owners_managers_and_platform_admins(
    desk: Desk, other_place: Place
) -> None:
    with desk.runtime.unit(WORKER, write=True) as unit:
        somebody = User(
            id="usr_p", email="p@x.example", name="P", password_hash="-", created_at=unit.now,
            is_platform_admin=True,
        )  # fmt: skip
        unit.session.add(somebody)
    with desk.runtime.unit(WORKER) as unit:
        told = len(unit.session.exec(select(User).where(col(User.is_platform_admin))).all())
    assert tell(desk, APPROVED, APPROVED, APPROVED, REJECTED, REJECTED).level is WARNING
    tell(desk, APPROVED)
    assert alerts(desk) == ["templates_rejected"]
    assert set(mails(desk).values()) == {told}
    assert tell(desk, REJECTED, REJECTED, REJECTED).level is FLAGGED
    tell(desk, REJECTED)
    assert alerts(desk) == ["workspace_flagged"]
    assert mails(desk) == {
        "Northwind is close to being flagged for rejected templates": told,
        "Northwind is flagged for rejected templates": told,
    }


def test_t3_a_flag_stays_until_it_is_cleared_and_then_the_past_counts_no_more(desk: Desk) -> None:
    flag_id = flag(desk)
    desk.advance(3 * 86_400)
    keep_due(desk.runtime)
    now = standing(desk)
    assert (now.level, now.flag_id, now.tally) == (FLAGGED, flag_id, Tally())
    assert now.reasons == ("Meta rejected 3 of 3 decided templates: 100 % in 24 hours, above 50 %.",)
    tell(desk, REJECTED, REJECTED)
    desk.advance(60)
    lift(desk, flag_id)
    assert standing(desk).level is OK
    assert alerts(desk) == []
    tell(desk, *[REJECTED] * 4, hours_ago=0.5)  # before it was cleared
    assert standing(desk).level is OK
    desk.advance(60)
    assert tell(desk, REJECTED, REJECTED).level is OK
    assert tell(desk, REJECTED).level is FLAGGED
    with desk.runtime.unit(GUARD) as unit:
        assert [row.cleared_reason for row in list_flags(unit).items] == [None, "They mended them"]


def test_t3_a_flagged_workspace_is_refused_whoever_calls_and_others_notice_nothing(
    desk: Desk, other_place: Place
) -> None:
    assert refusal_of(desk) is None
    flag(desk)
    process = Identity(process="worker", workspace_id=desk.place.workspace.id)
    for identity in (desk.place.owner, desk.place.acting(Role.OWNER), process):
        refusal = refusal_of(desk, identity)
        assert refusal is not None
        assert (refusal.status, refusal.code) == (403, "workspace_flagged")
        assert "permission" not in refusal.facts
    assert refusal_of(desk, other_place.owner) is None


def test_t3_approved_templates_of_a_flagged_workspace_still_send(desk: Desk, meta: Meta) -> None:
    flag(desk)
    runtime = fresh(desk)
    [answer] = carry_out(runtime, send(runtime, desk.place.owner, order()))
    assert answer.status == "sent"


def test_t3_only_platform_admins_clear_a_flag_once_and_with_a_reason(desk: Desk) -> None:
    flag_id = flag(desk)
    for identity in (desk.place.acting(Role.OWNER), desk.place.acting(Role.SUPPORT)):
        with pytest.raises(Forbidden) as refusal:
            lift(desk, flag_id, by=identity)
        assert refusal.value.facts["permission"] == access.PLATFORM_ADMIN
    with pytest.raises(Impossible):
        lift(desk, flag_id, reason="  ")
    with pytest.raises(NotFound):
        lift(desk, "flg_none")
    lift(desk, flag_id)
    with pytest.raises(Conflict) as twice:
        lift(desk, flag_id)
    assert twice.value.code == "flag_cleared"
    with desk.runtime.unit(WORKER) as unit:
        entries = select(AuditEntry).where(col(AuditEntry.action).startswith("workspace.flag"))
        found = unit.session.exec(entries.order_by(col(AuditEntry.number))).all()
        assert [one.action for one in found] == ["workspace.flagged", "workspace.flag_cleared"]
        assert {one.workspace_id for one in found} == {desk.place.workspace.id}
        assert (found[1].after or {})["reason"] == "They mended them"


def test_t2_a_warning_ends_with_time_to_the_microsecond(desk: Desk) -> None:
    tell(desk, APPROVED, APPROVED, APPROVED, REJECTED, REJECTED)
    desk.advance(86_400 - 0.000_001)
    keep_due(desk.runtime)
    assert (standing(desk).level, stored(desk).level) == (WARNING, WARNING)
    desk.advance(0.000_001)
    assert (standing(desk).level, stored(desk).level) == (OK, WARNING)
    keep_due(desk.runtime)
    assert (stored(desk).level, stored(desk).due_at, alerts(desk)) == (OK, None, [])


def test_t2_approvals_that_grow_old_can_flag_also_when_the_clock_stood_still(desk: Desk) -> None:
    tell(desk, *[APPROVED] * 4, hours_ago=20)
    tell(desk, REJECTED, REJECTED, REJECTED, hours_ago=10)
    assert standing(desk).level is WARNING  # 3 of 7
    desk.advance(4.5 * 3600)
    assert standing(desk).level is FLAGGED  # 3 of 3
    assert refusal_of(desk) is not None
    desk.advance(30 * 3600)
    keep_due(desk.runtime)
    assert (standing(desk).level, standing(desk).tally) == (FLAGGED, Tally())
    assert standing(desk).reasons[0].startswith("Meta rejected 3 of 3 ")


def test_t2_five_tries_to_send_a_rejected_template_flag(desk: Desk, meta: Meta) -> None:
    with desk.runtime.unit(WORKER) as unit:
        template = unit.session.exec(select(Template).where(col(Template.name) == "order_update")).one()
    desk.change(Template, template.id, status="REJECTED")
    runtime = fresh(desk)

    async def attempt() -> str:
        with pytest.raises(Impossible) as refusal:
            await send(runtime, desk.place.acting(Role.AGENT), order())
        return refusal.value.code

    assert carry_out(runtime, *(attempt() for _ in range(4))) == ["template_not_sendable"] * 4
    assert (standing(desk).level, standing(desk).tally) == (OK, Tally(tried=4))
    runtime = fresh(desk)
    carry_out(runtime, attempt(), attempt())
    assert standing(desk).level is FLAGGED
    with desk.runtime.unit(WORKER) as unit:
        assert len(unit.session.exec(select(RejectedSend)).all()) == 5  # while flagged none is kept
    desk.change(Template, template.id, status="PAUSED")


def test_a_template_that_meta_stops_is_one_alert_until_it_may_go_again(desk: Desk) -> None:
    words = {"title": "FIRST_PAUSE", "description": "Readers blocked it."}
    hear(desk, status(1, "PAUSED", other_info=words), status(1, "PAUSED", other_info=words))
    with desk.runtime.unit(WORKER) as unit:
        [alert] = unit.session.exec(select(Alert)).all()
    assert (alert.kind, alert.title, alert.detail, alert.times) == (
        "template_stopped", "Meta paused the template “order_update”", "Readers blocked it.", 1
    )  # fmt: skip
    hear(desk, status(2, "APPROVED"))
    assert alerts(desk) == []
    hear(desk, status(3, "REJECTED", reason="SCAM"), status(4, "DISABLED"))
    assert alerts(desk) == ["template_stopped"]


steps = st.lists(
    st.tuples(
        st.integers(0, 9),  # hours that pass
        st.sampled_from([APPROVED, REJECTED, REJECTED]),
        st.integers(0, 26),  # how many hours ago it was, when it is told
        st.sampled_from(["one", "two", "three", "four"]),
    ),
    max_size=9,
)


def naive_level(
    events: set[tuple[datetime, TemplateEvent, str]], now: datetime, since: datetime
) -> AbuseLevel:
    approved = rejected = 0
    for template in {one for _, _, one in events}:
        before = None
        for at, event in sorted((at, event) for at, event, one in events if one == template):
            if event is not before and now - 24 * HOUR < at <= now and at > since:
                approved += event is APPROVED
                rejected += event is REJECTED
            before = event
    decided = approved + rejected
    share = rejected / decided if decided else 0.0
    if (decided >= 3 and share > 0.5) or rejected >= 5:
        return FLAGGED
    return WARNING if decided >= 3 and share > 0.3 else OK


def hourly(desk: Desk, hours: int, look: Callable[[], None]) -> None:
    for _ in range(hours):
        desk.advance(3600)
        keep_due(desk.runtime)
        look()


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(script=steps)
@example(
    script=[
        (0, APPROVED, 0, "one"),
        (13, REJECTED, 0, "one"),
        (6, APPROVED, 0, "one"),
        (6, REJECTED, 24, "two"),  # it would have flagged an hour ago, had anyone known
    ]
)
def test_t2_t3_levels_are_those_of_a_naive_count_over_sliding_windows(
    desk: Desk, script: list[tuple[int, TemplateEvent, int, str]]
) -> None:
    events: set[tuple[datetime, TemplateEvent, str]] = set()
    run = uuid4().hex[:8]
    desk.advance(30 * 3600)
    begun = desk.now
    with desk.runtime.unit(GUARD, write=True) as unit:  # nothing of the examples before counts
        forget(unit, desk)
    is_flagged = False

    def look() -> None:
        nonlocal is_flagged
        level = naive_level(events, desk.now, begun)
        is_flagged = is_flagged or level is FLAGGED
        assert stored(desk).level is (FLAGGED if is_flagged else level)

    for hours, event, ago, template in script:
        hourly(desk, hours, look)
        at = desk.now - ago * HOUR
        events.add((at, event, template))
        with desk.runtime.unit(desk.place.owner, write=True) as unit:
            record(unit, f"{run}{template}", event, at=at)
        look()


def forget(unit: Unit, desk: Desk) -> None:
    row = unit.session.get(AbuseStanding, desk.place.workspace.id)
    found = standing_of(unit, desk.place.workspace.id)
    if found.flag_id is not None:
        guard.clear(unit, found.flag_id, reason="The next example")
    elif row is not None:
        row.level, row.counts_from, row.judged_at, row.due_at = OK, unit.now, unit.now, None
        unit.session.add(row)
    else:
        lock_standing(unit, desk.place.workspace.id).counts_from = unit.now


def test_p8_people_of_the_platform_see_workspaces_by_risk_and_how_each_window_went(
    desk: Desk, other_place: Place
) -> None:
    tell(desk, APPROVED, APPROVED, REJECTED, hours_ago=6, place=other_place)
    tell(desk, REJECTED, hours_ago=40)
    tell(desk, APPROVED, hours_ago=20)
    tell(desk, REJECTED, REJECTED, hours_ago=10)
    desk.advance(60)
    with desk.runtime.unit(GUARD) as unit:
        assert [(row.slug, row.level, row.tally) for row in risks(unit)] == [
            ("northwind", FLAGGED, Tally(1, 2)),
            ("harbour", WARNING, Tally(2, 1)),
        ]
        found = risk_of(unit, desk.place.workspace.id)
    minute = timedelta(minutes=1)
    assert [(round((desk.now - one.at) / HOUR), one.tally) for one in found.line] == [
        (24, Tally(0, 1)),
        (20, Tally(1, 1)),
        (16, Tally(1, 0)),
        (10, Tally(1, 2)),
        (0, Tally(1, 2)),
    ]
    assert [one.what for one in found.events] == ["rejected", "rejected", "approved", "rejected"]
    flag_id = found.flags[0].id
    lift(desk, flag_id)
    desk.advance(60)
    tell(desk, REJECTED)
    with desk.runtime.unit(GUARD) as unit:
        assert [(row.slug, row.level) for row in risks(unit)] == [("harbour", WARNING), ("northwind", OK)]
        line = risk_of(unit, desk.place.workspace.id).line
    assert [(desk.now - one.at, one.tally) for one in line][-2:] == [
        (minute, Tally()),
        (timedelta(), Tally(0, 1)),
    ]
    with desk.runtime.unit(desk.place.acting(Role.OWNER)) as unit, pytest.raises(Forbidden):
        risks(unit)


def test_t3_rejections_that_are_told_at_once_open_one_flag_and_are_mailed_once(desk: Desk) -> None:
    start = threading.Barrier(6)

    def reject(_: int) -> None:
        start.wait()
        tell(desk, REJECTED)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(reject, range(6)))
    assert standing(desk).tally == Tally(0, 6)
    with desk.runtime.unit(GUARD) as unit:
        assert len(list_flags(unit).items) == 1
    assert mails(desk)["Northwind is flagged for rejected templates"] == 1
    assert alerts(desk) == ["workspace_flagged"]
