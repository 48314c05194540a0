"""SIGKILL in the middle of a bulk redrive: no letter twice, none forgotten (Q10)."""

from collections import Counter

import pytest
from sqlmodel import col, select

from core.dead_letters import bulk
from core.dead_letters.bulk import Order
from core.dead_letters.filters import LetterFilter
from core.messaging.claiming import claim, mark_sending
from core.messaging.settling import Result, settle
from core.ports.graph_replies import Reply, ReplyKind
from core.runtime import Runtime
from data.enums import BulkState, BulkVerb, LetterState
from data.letters import BulkWork
from data.messages import DeadLetter, LetterAction
from tests.crash.test_points import WORKER, Scene, queued, scene

__all__ = ["queued", "scene"]

pytestmark = pytest.mark.crash

GONE = Reply(ReplyKind.REFUSED, meta_code=131026, http_status=400, detail="Message undeliverable")
TAKEN = Reply(ReplyKind.ACCEPTED, wamid="wamid.x", http_status=200)


def answer(runtime: Runtime, reply: Reply) -> Counter[str]:
    """Everything that is due is sent and gets that answer."""
    with runtime.unit(WORKER, write=True) as unit:
        unit.throughput_lifted = True
        claims = claim(unit, holder="next", in_flight={}, per_lane=100, in_all=100).claims
    with runtime.unit(WORKER, write=True) as unit:
        marked = mark_sending(unit, claims, holder="next")
    with runtime.unit(WORKER, write=True) as unit:
        settle(unit, [Result(one.message_id, one.attempt, reply) for one in marked])
    return Counter(one.message_id for one in marked)


@pytest.mark.parametrize(("point", "committed"), [("while redriving", 0), ("after a step of a redrive", 2)])
def test_q10_killed_in_the_middle_it_goes_on_with_no_letter_twice_and_none_forgotten(
    queued: Scene, point: str, committed: int
) -> None:
    runtime = queued.runtime
    answer(runtime, GONE)
    order = Order(BulkVerb.REDRIVE, wanted=LetterFilter(), confirm=True, rate_per_second=2)
    with runtime.unit(queued.place.owner, write=True) as unit:
        work_id = bulk.start(unit, order).id
    queued.kill_at(point)
    with runtime.unit(WORKER) as unit:
        work = unit.session.get_one(BulkWork, work_id)
        letters = unit.session.exec(select(DeadLetter.state)).all()
        assert (work.state, work.done) == (BulkState.RUNNING, committed)
        assert Counter(letters)[LetterState.REDRIVEN] == committed
        assert len(unit.session.exec(select(LetterAction)).all()) == committed
    sent: Counter[str] = Counter()
    runtime = queued.later(60)
    for _ in range(10):
        sent += answer(runtime, TAKEN)
        bulk.run_due(runtime)
    with runtime.unit(WORKER) as unit:
        work = unit.session.get_one(BulkWork, work_id)
        acted = unit.session.exec(select(LetterAction.letter_id)).all()
        known = unit.session.exec(select(DeadLetter.id).order_by(col(DeadLetter.id))).all()
    messages = [message.id for message in queued.messages()]
    assert (work.state, work.done, work.total) == (BulkState.DONE, len(messages), len(messages))
    assert sent == Counter(messages)
    assert sorted(acted) == list(known)
    assert {message.round for message in queued.messages()} == {2}
