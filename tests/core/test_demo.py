from dataclasses import replace

import pytest
from sqlmodel import col, func, select

from core import demo
from core.errors import Unavailable
from core.runtime import Runtime
from core.unit import Identity
from data.abuse import AbuseStanding
from data.alerts import Alert
from data.enums import AbuseLevel
from data.messages import Message
from data.people import Member
from data.sending import Phone
from tests.conftest import with_settings
from tests.core.desk import Meta

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def without_sandbox(runtime: Runtime) -> Runtime:
    return with_settings(runtime, waypost_demo=True, waypost_graph_url=NOWHERE)


def count(runtime: Runtime, table: type[Message] | type[Phone] | type[Member]) -> int:
    with runtime.unit(Identity(process="test")) as unit:
        return unit.session.exec(select(func.count(col(table.id)))).one()


def test_traffic_waits_until_the_sandbox_is_connected(without_sandbox: Runtime) -> None:
    with pytest.raises(Unavailable):
        demo.prepare(without_sandbox, sandbox_within_s=0)
    demo.send_some(without_sandbox)
    assert (count(without_sandbox, Phone), count(without_sandbox, Message)) == (0, 0)


def test_a_demo_that_was_left_half_made_is_finished_the_next_time(
    runtime: Runtime, without_sandbox: Runtime, meta: Meta
) -> None:
    with pytest.raises(Unavailable):
        demo.prepare(without_sandbox, sandbox_within_s=0)
    assert demo.prepare(runtime) is None
    people = 1 + len(demo.COLLEAGUES) + len([demo.INVITED])
    made = (2, len(demo.FIRST), people)
    with runtime.unit(
        Identity(process="test")
    ) as unit:  # what Meta rejected of its templates troubles nobody
        assert {row.level for row in unit.session.exec(select(AbuseStanding))} == {AbuseLevel.OK}
        assert unit.session.exec(select(Alert)).all() == []
    assert (count(runtime, Phone), count(runtime, Message), count(runtime, Member)) == made
    assert demo.prepare(replace(runtime, graph=runtime.graph.again())) is None
    assert (count(runtime, Phone), count(runtime, Message), count(runtime, Member)) == made
