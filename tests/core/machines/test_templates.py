"""Whatever people do to templates, and Meta says of them, and gets lost between: our copies become as Meta's,
nothing is submitted twice, what is stopped is an alert, and who is flagged submits nothing."""

from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlmodel import col, select

from core import access, audit
from core.errors import DomainError, Forbidden
from core.ports.graph import Graph
from core.runtime import Runtime
from core.team.owners import COMMAND
from core.templates import guard, stops, submissions
from core.templates.creating import create
from core.templates.deleting import delete
from core.templates.editing import edit
from core.templates.standing import GUARD, keep_due, standing_of
from core.templates.updates import apply_change
from data.abuse import AbuseFlag
from data.alerts import Alert
from data.enums import AbuseLevel, Role, SubmissionState
from data.sending import Template, Waba
from data.templates import TemplateSubmission
from tests.conftest import WABA_ID
from tests.core.desk import WORKER, Meta, carry_out
from tests.core.machines.conftest import HOW_LONG, Begin
from tests.core.templates.test_draft_rules import GOOD
from tests.core.templates.test_sync import copies, synced

# The sandbox gives those no verdict of its own.
NAMES = st.sampled_from([f"pending_{name}" for name in "abc"])
WORDS = st.integers(1, 3)
ROLES = st.sampled_from([*Role, *[Role.OWNER] * 4, *[Role.MANAGER] * 2])
STATUSES = st.sampled_from(["APPROVED", "REJECTED", "REJECTED", "PAUSED", "DISABLED"])
Work = Callable[[Runtime], Coroutine[Any, Any, Any]]


class Killed(Exception):
    """The process is no more: what Meta answered is not written down."""


class Last(Graph):
    """Dies once Meta has answered a call that writes, or before it is made."""

    heard = True

    async def _write(self, *args: Any, **options: Any) -> Any:
        if self.heard:
            await super()._write(*args, **options)
        raise Killed


class Templates(RuleBasedStateMachine):
    def __init__(self, begin: Begin, meta: Meta) -> None:
        super().__init__()
        self.desk = begin()
        self.meta = meta
        meta.reset()
        self.sync()

    @rule(role=ROLES, name=NAMES, words=WORDS, fate=st.sampled_from(["answered", "heard", "lost"]))
    def submit(self, role: Role, name: str, words: int, fate: str) -> None:
        """A new one, or the words of the old one; the process may die, before or after Meta has heard."""
        draft = replace(GOOD, name=name, body=f"Hello {{{{1}}}}, order {{{{2}}}} is on its {words}. way.")
        ours = self.copy(name)
        who = self.desk.place.acting(role)
        if ours is None or ours.status == "DELETED":
            self.act(role, lambda runtime: create(runtime, who, draft), fate, submits=True)
        else:
            template_id = ours.id
            self.act(role, lambda runtime: edit(runtime, who, template_id, draft), fate, submits=True)

    @rule(role=ROLES, name=NAMES)
    def take_away(self, role: Role, name: str) -> None:
        ours, who = self.copy(name), self.desk.place.acting(role)
        if ours is not None:
            template_id = ours.id
            self.act(role, lambda runtime: delete(runtime, who, template_id), "answered", submits=False)

    @rule(name=NAMES, status=STATUSES, is_told=st.booleans())
    def judge(self, name: str, status: str, is_told: bool) -> None:
        """Meta's verdict, which a webhook tells or the next sync finds."""
        self.desk.advance(1)
        try:
            self.meta.client.post(
                f"/sandbox/templates/{name}/status", json={"status": status}
            ).raise_for_status()
        except httpx.HTTPStatusError:
            return  # Meta has none of that name
        if is_told:
            value = {"event": status, "reason": "NONE", "message_template_language": "en_US"}
            value["message_template_name"] = name
            with self.desk.runtime.unit(WORKER, write=True) as unit:
                waba = unit.session.get_one(Waba, WABA_ID)
                field = "message_template_status_update"
                apply_change(unit, waba=waba, field=field, value=value, at=unit.now)

    @rule(name=NAMES)
    def vanish(self, name: str) -> None:
        """Somebody deletes it in Meta's own pages."""
        self.meta.client.delete(
            f"/v23.0/{WABA_ID}/message_templates",
            params={"name": name},
            headers={"Authorization": "Bearer test-token"},
        )

    @rule(names=st.sampled_from(["ab", "abc"]))
    def have_many_rejected(self, names: str) -> None:
        for name in names:
            self.submit(role=Role.OWNER, name=f"pending_{name}", words=1, fate="answered")
            self.judge(name=f"pending_{name}", status="REJECTED", is_told=True)

    @rule(minutes=st.sampled_from([1, 30, 60 * 13, 60 * 25]))
    def wait(self, minutes: int) -> None:
        self.desk.advance(minutes * 60)
        keep_due(self.desk.runtime)

    @rule()
    def sync(self) -> None:
        """What Meta has and what we have is the same then."""
        self.desk.advance(2)
        synced(self.desk)
        theirs = {
            (one["name"], one["language"]): one["status"]
            for one in self.meta.client.get("/sandbox/state").json()["templates"]
            if one["wabaId"] == WABA_ID
        }
        ours = {key: one.status for key, one in copies(self.desk).items() if one.status != "DELETED"}
        assert ours == theirs

    @precondition(lambda self: self.flags())
    @rule(by_admin=st.booleans(), role=ROLES)
    def clear_the_flag(self, by_admin: bool, role: Role) -> None:
        (flag,) = self.flags()
        who = GUARD if by_admin else self.desk.place.acting(role)
        try:
            with self.desk.runtime.unit(who, write=True) as unit:
                guard.clear(unit, flag.id, reason="They mended them")
        except Forbidden:
            assert not by_admin
        else:
            assert by_admin
            assert self.flags() == []

    @invariant()
    def what_is_stopped_is_an_alert(self) -> None:
        with self.desk.runtime.unit(COMMAND) as unit:
            open_ones = select(Alert.subject).where(
                col(Alert.kind) == stops.KIND, col(Alert.resolved_at).is_(None)
            )
            alerts = Counter(unit.session.exec(open_ones))
        stopped = [one for one in copies(self.desk).values() if one.name.startswith("pending_")]
        expected = {f"{one.name} ({one.language})" for one in stopped if one.status in stops.STOPPED}
        assert {one: count for one, count in alerts.items() if one.startswith("pending_")} == dict.fromkeys(
            expected, 1
        )

    @invariant()
    def nobody_submits_the_same_twice_at_once(self) -> None:
        open_ones = Counter(row.name for row in self.submissions() if row.state in submissions.OPEN)
        assert all(count == 1 for count in open_ones.values())

    @invariant()
    def who_is_flagged_has_one_open_flag(self) -> None:
        with self.desk.runtime.unit(COMMAND) as unit:
            level = standing_of(unit, self.desk.place.workspace.id).level
            assert audit.verify(unit.session, unit.vault).whole
        assert len(self.flags()) == int(level is AbuseLevel.FLAGGED)

    def teardown(self) -> None:
        """Once Meta was asked late enough, it is known of each submission whether it got there."""
        self.desk.advance(120)
        self.sync()
        assert not [row for row in self.submissions() if row.state in submissions.OPEN]
        lost = [row.name for row in self.submissions() if row.state is SubmissionState.LOST]
        with self.desk.runtime.unit(self.desk.place.owner) as unit:
            assert sorted(each.name for each in submissions.unsettled(unit)) == sorted(lost)

    def act(self, role: Role, work: Work, fate: str, *, submits: bool) -> None:
        self.desk.advance(1)
        runtime = self.desk.runtime
        graph = runtime.graph.again()
        if fate != "answered":
            graph = Last(
                base_url=runtime.settings.waypost_graph_url,
                version=runtime.settings.waypost_graph_version,
                timeout_s=runtime.settings.waypost_graph_timeout,
            )
            graph.heard = fate == "heard"
        was_flagged = bool(self.flags())
        fresh = replace(runtime, graph=graph)
        may = role in access.who_can("templates.manage")
        try:
            carry_out(fresh, work(fresh))
        except Forbidden:
            assert not may or (submits and was_flagged)
            return
        except (DomainError, Killed):
            pass
        assert may
        assert not (submits and was_flagged)

    def copy(self, name: str) -> Template | None:
        return copies(self.desk).get((name, "en_US"))

    def submissions(self) -> list[TemplateSubmission]:
        with self.desk.runtime.unit(COMMAND) as unit:
            return list(unit.session.exec(select(TemplateSubmission)))

    def flags(self) -> list[AbuseFlag]:
        with self.desk.runtime.unit(COMMAND) as unit:
            return list(unit.session.exec(select(AbuseFlag).where(col(AbuseFlag.cleared_at).is_(None))))


@pytest.mark.parametrize("how_long", HOW_LONG)
def test_templates(begin: Begin, meta: Meta, how_long: settings) -> None:
    run_state_machine_as_test(lambda: Templates(begin, meta), settings=how_long)
