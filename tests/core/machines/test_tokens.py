"""Whatever becomes of a token at Meta, and whoever asks, replaces and dies meanwhile: one that works stays in
use until a better is proven, and when none does a person knows and the lanes wait."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

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
from core.errors import Forbidden, Impossible
from core.ports.clock import FrozenClock
from core.ports.graph import Graph
from core.ports.graph_tokens import MetaApp, NewToken, TokenFacts
from core.team.owners import COMMAND
from core.tokens import commands, refresh
from core.tokens.due import Turn, has_due, take_due
from data.alerts import Alert, Mail
from data.enums import HoldCause, MessageState, Role
from data.messages import Message
from data.operations import AuditEntry
from data.sending import Hold
from tests.conftest import APP_SECRET, WABA_ID
from tests.core.desk import Desk, Meta, accepted, carry_out
from tests.core.machines.conftest import HOW_LONG, Begin
from tests.core.machines.conftest import carry_out as carry_out_as
from tests.core.messaging.test_settling import refusal
from tests.core.tokens.conftest import APP_ID, Keeper, as_app
from tests.core.tokens.test_held import revoke

ROLES = st.sampled_from([*Role, Role.OWNER, Role.OWNER])
FATES = st.sampled_from(["fine", "soon", "stuck", "flaky", "hollow", "never", "expired", "revoked"])
STEPS = st.sampled_from(["inspect_token", "exchange_token", "prove_token"])
WAITS = st.sampled_from([1, 60, 300, 900, 6 * 3600, 3 * 86_400])
NOWHERE = "http://127.0.0.1:9"


class Killed(Exception):
    """The process that had the token in hand is no more."""


class Last(Graph):
    """The process dies when Meta has answered the last call that it makes."""

    last = ""

    async def inspect_token(self, *, token: str) -> TokenFacts:
        return self._die_after("inspect_token", await super().inspect_token(token=token))

    async def exchange_token(self, *, token: str) -> NewToken:
        return self._die_after("exchange_token", await super().exchange_token(token=token))

    async def prove_token(self, *, waba_id: str, token: str) -> None:
        self._die_after("prove_token", await super().prove_token(waba_id=waba_id, token=token))

    def _die_after(self, step: str, answer: Any) -> Any:
        if step == self.last:
            raise Killed
        return answer


class Tokens(RuleBasedStateMachine):
    """``revoked``: what Meta has taken back since it was put in; ``given``: all that people put in;
    ``turns``: tokens that a slow clock has in hand."""

    def __init__(self, begin: Begin, meta: Meta) -> None:
        super().__init__()
        found = begin()
        self.meta = meta
        meta.reset()
        self.desk = Desk(as_app(found.runtime), found.place)
        self.keeper = Keeper(self.desk.runtime, self.desk.place)
        self.keeper.give("fine-token")
        self.given = ["fine-token"]
        self.revoked: set[str] = set()
        self.turns: list[Turn] = []

    @rule(role=ROLES, fate=FATES)
    def put_in(self, role: Role, fate: str) -> None:
        """One that Meta takes is in use, and nothing that was wrong with the one before matters any more."""
        token = f"{fate}-{len(self.given)}"
        self.given.append(token)
        asked = commands.replace(
            self.desk.runtime, self.desk.place.acting(role), self.keeper.view.id, access_token=token
        )
        before = self.keeper.token
        try:
            carry_out(self.desk.runtime, asked)
        except Forbidden:
            assert role not in access.who_can("tokens.manage")
            assert self.keeper.token == before
        except Impossible:
            assert not self.works(token)
            assert self.keeper.token == before
        else:
            assert role in access.who_can("tokens.manage")
            assert (self.keeper.token, self.keeper.row.needs_attention) == (token, False)
            assert not self.holds()

    @rule(role=ROLES)
    def ask_for_a_new_one(self, role: Role) -> None:
        act = partial(commands.refresh, token_id=self.keeper.view.id)
        carry_out_as(self.desk, "tokens.refresh", role, act)

    @rule()
    def lose(self) -> None:
        """Meta takes the one in use back."""
        revoke(self.meta, self.keeper.token)
        self.revoked.add(self.keeper.token)

    @rule(count=st.integers(1, 3))
    def send(self, count: int) -> None:
        self.desk.queue(count, first=self.count(Message) + 1)
        for ours in self.desk.put_on_the_wire():
            reply = accepted(f"wamid.{ours.message_id}") if self.works(ours.token) else refusal(190)
            self.desk.answer((ours, reply))

    @rule(seconds=WAITS)
    def wait(self, seconds: int) -> None:
        self.keeper.tick_after(seconds)

    @rule(seconds=WAITS)
    def wait_without_meta(self, seconds: int) -> None:
        runtime = self.desk.runtime
        nowhere = Graph(base_url=NOWHERE, version=runtime.settings.waypost_graph_version, timeout_s=1)
        replace(self.keeper, runtime=replace(runtime, graph=nowhere)).tick_after(seconds)

    @rule()
    def take_up(self) -> None:
        """A clock that is slow about it."""
        refresh.look_at_all(self.desk.runtime)
        with self.desk.runtime.unit(COMMAND, write=True) as unit:
            self.turns += take_due(unit)

    @precondition(lambda self: self.turns)
    @rule()
    def finish(self) -> None:
        """Who was overtaken meanwhile changes nothing."""
        turn = self.turns.pop(0)
        before = self.keeper.row
        carry_out(self.desk.runtime, refresh.take(self.desk.runtime, turn))
        assert turn.number == before.turn or self.keeper.row == before

    @rule(step=STEPS)
    def die(self, step: str) -> None:
        """Its lease brings the token back to another."""
        runtime = self.desk.runtime
        refresh.look_at_all(runtime)
        with runtime.unit(COMMAND, write=True) as unit:
            turns = take_due(unit)
        graph = Last(
            base_url=runtime.settings.waypost_graph_url,
            version=runtime.settings.waypost_graph_version,
            timeout_s=runtime.settings.waypost_graph_timeout,
            app=MetaApp(APP_ID, APP_SECRET),
        )
        graph.last = step
        dying = replace(runtime, graph=graph)
        for turn in turns:
            try:
                carry_out(dying, refresh.take(dying, turn))
            except Killed:
                assert self.keeper.view.is_working

    @invariant()
    def what_works_stays_until_a_better_is_proven(self) -> None:
        token = self.keeper.token
        assert self.works(token) or token in self.revoked

    @invariant()
    def lanes_wait_only_while_something_is_done_about_it(self) -> None:
        row = self.keeper.row
        with self.desk.runtime.unit(COMMAND) as unit:
            is_under_way = has_due(unit) or row.due_at is not None
        assert not self.holds() or is_under_way or row.needs_attention

    @invariant()
    def who_is_needed_knows(self) -> None:
        row = self.keeper.row
        assert len(self.keeper.alerts()) == int(row.needs_attention)
        assert row.needs_attention or row.refused_at is None

    @invariant()
    def no_token_is_told(self) -> None:
        told = []
        with self.desk.runtime.unit(COMMAND) as unit:
            assert audit.verify(unit.session, unit.vault).whole
            for model in (AuditEntry, Alert, Mail):
                told += [str(one.model_dump()) for one in unit.session.exec(select(model))]
        told.append(str(self.keeper.row.model_dump(exclude={"sealed", "new_sealed"})))
        for token in {*self.given, self.keeper.token}:
            assert not [words for words in told if token in words]

    def teardown(self) -> None:
        """Once a person puts in one that works, everything goes that has not become too old."""
        self.put_in(role=Role.OWNER, fate="fine")
        self.keeper.tick_after(60)
        assert self.keeper.alerts() == []
        self.desk.advance(3600)
        self.desk.rescue()
        self.send(count=1)
        with self.desk.runtime.unit(COMMAND) as unit:
            found = unit.session.exec(select(Message.state, Message.error_code)).all()
        went, too_old = (MessageState.SENT, None), (MessageState.DEAD, "expired")
        assert set(found) <= {went, too_old}

    def works(self, token: str) -> bool:
        """Whether Meta takes it now."""
        headers = {"Authorization": f"Bearer {token}"}
        answer = self.meta.client.get(f"/v23.0/{WABA_ID}/phone_numbers", headers=headers)
        assert answer.status_code in (200, 401), answer.text
        return answer.status_code == 200

    def holds(self) -> list[Hold]:
        return [one for one in self.desk.holds() if one.cause is HoldCause.TOKEN]

    def count(self, model: Any) -> int:
        with self.desk.runtime.unit(COMMAND) as unit:
            return len(unit.session.exec(select(col(model.id))).all())


@pytest.fixture
def clock() -> FrozenClock:
    """The sandbox's tokens expire in real time."""
    return FrozenClock(datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0))


@pytest.mark.parametrize("how_long", HOW_LONG)
def test_tokens(begin: Begin, meta: Meta, how_long: settings) -> None:
    run_state_machine_as_test(lambda: Tokens(begin, meta), settings=how_long)
