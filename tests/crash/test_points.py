"""SIGKILL at every named point of a send, and what the next process makes of what it finds (Q1, Q2, Q6)."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text
from sqlmodel import col, select

from core.messaging import intake
from core.messaging.claiming import claim, mark_sending
from core.messaging.requests import SendRequest, template_payload
from core.messaging.settling import Result, rescue, settle
from core.ports.clock import FrozenClock
from core.ports.vault import Vault
from core.runtime import Runtime
from core.unit import Identity
from data.engine import Database
from data.enums import MessageState, Outcome, WaitingFor
from data.messages import Attempt, Message
from tests.conftest import PHONE_ID, WABA_ID, Place, make_place, with_settings
from tests.console import wait_for
from tests.webhooks import hear

pytestmark = pytest.mark.crash

ROOT = Path(__file__).parent.parent.parent
DRIVER = Path(__file__).parent / "driver.py"
WORKER = Identity(process="worker")
CLOCK = Identity(process="clock")
MESSAGES = 5
RUNG_S = 60.0
OTHERS_AT_WORK = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
"""


@dataclass(frozen=True)
class Scene:
    """A workspace with queued messages, and processes that die over it. ``at`` is the moment it began."""

    runtime: Runtime
    place: Place
    environment: dict[str, str]
    sandbox_url: str
    at: datetime

    def kill_at(self, point: str, *, later_s: float | None = None) -> None:
        """A process of ours works until that point, and dies there."""
        words = [point] if later_s is None else [point, str(later_s)]
        died = subprocess.run(
            [sys.executable, str(DRIVER), *words], env=self.environment, cwd=ROOT, timeout=120, check=False
        )
        assert died.returncode == -signal.SIGKILL
        if not self.runtime.database.is_sqlite:
            wait_for(self._has_let_go, within_s=30)

    def _has_let_go(self) -> bool:
        """PostgreSQL has heard that the process is gone; until then its rows stay locked, and are skipped."""
        with self.runtime.database.read.connect() as connection:
            return not connection.execute(text(OTHERS_AT_WORK)).scalar()

    def later(self, seconds: float) -> Runtime:
        """The same place, for a process that starts so much later."""
        return replace(self.runtime, clock=FrozenClock(datetime.now(UTC) + timedelta(seconds=seconds)))

    @property
    def after_lease(self) -> Runtime:
        return self.later(self.runtime.settings.lease_s + 1)

    def messages(self) -> list[Message]:
        with self.runtime.unit(WORKER) as unit:
            return list(unit.session.exec(select(Message).order_by(col(Message.id))))

    def attempts(self, number: int) -> list[Attempt]:
        with self.runtime.unit(WORKER) as unit:
            return list(unit.session.exec(select(Attempt).where(col(Attempt.number) == number)))

    def accepted(self) -> Counter[str]:
        """message id → how often the sandbox took it."""
        counts = httpx.get(f"{self.sandbox_url}/sandbox/counts", trust_env=False).json()
        return Counter({message.id: counts["byCallback"].get(message.id, 0) for message in self.messages()})


@pytest.fixture
def scene(
    database: Database, runtime: Runtime, sandbox_url: str, password_hash: str, tmp_path: Path
) -> Scene:
    httpx.post(f"{sandbox_url}/sandbox/reset", trust_env=False).raise_for_status()
    key = Fernet.generate_key().decode()
    at = datetime.now(UTC)
    # Within the throughput some would go now and some a moment later; it is not what is tested here.
    here = replace(runtime, vault=Vault((key,)), clock=FrozenClock(at), throughput_lifted=True)
    here = with_settings(here, waypost_graph_timeout=10.0)  # it answers at once, unless the machine is busy
    place = make_place(here, password_hash)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "WAYPOST_DATABASE_URL": database.url.render_as_string(hide_password=False),
        "WAYPOST_QUEUE_URL": f"sqlite:///{tmp_path / 'huey.db'}",
        "WAYPOST_SECRET_KEYS": key,
        "WAYPOST_GRAPH_URL": sandbox_url,
        "WAYPOST_GRAPH_TIMEOUT": str(here.settings.waypost_graph_timeout),
        "CRASH_WORKSPACE": place.workspace.id,
        "CRASH_PHONE": PHONE_ID,
    }
    return Scene(here, place, environment, sandbox_url, at)


@pytest.fixture
def queued(scene: Scene) -> Scene:
    """The scene with messages in its queue."""
    with scene.runtime.unit(scene.place.owner, write=True) as unit:
        for number in range(MESSAGES):
            intake.store(unit, order(number))
    return scene


def order(number: int) -> SendRequest:
    words = [{"type": "text", "text": word} for word in ("Mara", f"NW-{number}")]
    payload = template_payload(
        f"+49151123{number:05d}",
        name="order_update",
        language="en_US",
        components=[{"type": "body", "parameters": words}],
    )
    return SendRequest(payload=payload, phone_number_id=PHONE_ID, queued=True)


def rescue_all(runtime: Runtime) -> int:
    with runtime.unit(CLOCK, write=True) as unit:
        return rescue(unit)


def work(runtime: Runtime) -> int:
    """Everything that is due is sent and settled, step by step; returns how many that were."""
    with runtime.unit(WORKER, write=True) as unit:
        claims = claim(unit, holder="next", in_flight={}, per_lane=100, in_all=100).claims
    if not claims:
        return 0
    with runtime.unit(WORKER, write=True) as unit:
        claims = mark_sending(unit, claims, holder="next")

    async def call() -> list[Result]:
        replies = [
            await runtime.graph.send(phone_number_id=one.phone_number_id, token=one.token, body=one.body)
            for one in claims
        ]
        await runtime.graph.close()
        return [
            Result(one.message_id, one.attempt, reply) for one, reply in zip(claims, replies, strict=True)
        ]

    results = asyncio.run(call())
    with runtime.unit(WORKER, write=True) as unit:
        settle(unit, results)
    return len(results)


def states(messages: list[Message]) -> set[MessageState]:
    return {message.state for message in messages}


def test_killed_after_the_claim_it_is_sent_again_at_once_and_marked_in_no_way(queued: Scene) -> None:
    queued.kill_at("after the claim is on disk")
    assert states(queued.messages()) == {MessageState.CLAIMED}
    assert rescue_all(queued.later(0)) == 0  # the lease still runs

    assert rescue_all(queued.after_lease) == MESSAGES
    for message in queued.messages():
        assert message.state is MessageState.QUEUED
        assert not message.may_duplicate
        assert (message.rung, message.leases_lost) == (0, 0)
    assert {attempt.outcome for attempt in queued.attempts(1)} == {Outcome.LOST}

    assert work(queued.after_lease) == MESSAGES
    assert states(queued.messages()) == {MessageState.SENT}
    assert set(queued.accepted().values()) == {1}


def test_killed_after_the_mark_it_waits_the_first_rung_and_may_duplicate(queued: Scene) -> None:
    queued.kill_at("after the mark is on disk")
    assert states(queued.messages()) == {MessageState.SENDING}

    assert rescue_all(queued.after_lease) == MESSAGES
    for message in queued.messages():
        assert message.state is MessageState.RETRY_QUEUED
        assert message.waiting_for is WaitingFor.RUNG
        assert message.may_duplicate
        assert (message.rung, message.leases_lost) == (0, 1)
        assert message.due_at is not None
        wait_s = (message.due_at - queued.at).total_seconds()
        assert wait_s >= RUNG_S + queued.runtime.settings.lease_s
    assert {attempt.outcome for attempt in queued.attempts(1)} == {Outcome.UNKNOWN}
    assert work(queued.after_lease) == 0

    assert work(queued.later(2 * RUNG_S)) == MESSAGES
    assert states(queued.messages()) == {MessageState.SENT}
    assert all(attempt.may_duplicate for attempt in queued.attempts(2))
    assert set(queued.accepted().values()) == {1}


@pytest.mark.parametrize("point", ["after the answer", "while settling"])
def test_killed_with_the_answer_in_hand_what_meta_took_is_sent_twice_at_most_and_says_so(
    queued: Scene, point: str
) -> None:
    queued.kill_at(point)
    taken = queued.accepted()
    assert taken.total() >= 1
    assert states(queued.messages()) == {MessageState.SENDING}

    assert rescue_all(queued.after_lease) == MESSAGES
    assert work(queued.later(2 * RUNG_S)) == MESSAGES
    assert states(queued.messages()) == {MessageState.SENT}
    accepted = queued.accepted()
    assert all(accepted[message_id] == before + 1 for message_id, before in taken.items())
    assert all(message.may_duplicate for message in queued.messages())


def test_a_status_that_comes_before_the_rung_settles_what_the_kill_left_open(queued: Scene) -> None:
    queued.kill_at("after the answer")
    rescue_all(queued.after_lease)
    taken = [message_id for message_id, times in queued.accepted().items() if times]
    received = httpx.get(f"{queued.sandbox_url}/sandbox/received", trust_env=False).json()["received"]
    wamids = {request["callback"]: request["wamid"] for request in received}
    later = queued.after_lease
    for message_id in taken:
        assert hear(later, _status(message_id, wamids[message_id], at=later.clock.now())) == 1

    assert work(queued.later(2 * RUNG_S)) == MESSAGES - len(taken)
    assert states(queued.messages()) == {MessageState.SENT}
    assert set(queued.accepted().values()) == {1}


def test_killed_while_rescuing_nothing_is_half_rescued_and_no_lease_counts_twice(queued: Scene) -> None:
    queued.kill_at("after the mark is on disk")
    queued.kill_at("while rescuing", later_s=queued.runtime.settings.lease_s + 1)
    assert states(queued.messages()) == {MessageState.SENDING}
    assert {message.leases_lost for message in queued.messages()} == {0}

    assert rescue_all(queued.after_lease) == MESSAGES
    assert {message.leases_lost for message in queued.messages()} == {1}


@pytest.mark.parametrize(
    ("point", "taken"), [("before a direct call", 0), ("after a direct answer", 1)], ids=["before", "after"]
)
def test_killed_in_a_direct_send_the_same_key_finds_it_and_nothing_is_stored_twice(
    scene: Scene, point: str, taken: int
) -> None:
    scene.kill_at(point)
    [message] = scene.messages()
    assert message.state is MessageState.SENDING
    assert scene.accepted().total() == taken

    rescue_all(scene.after_lease)
    replay = replace(order(0), idempotency=("crash-key", "crash-hash"))
    with scene.after_lease.unit(scene.place.owner, write=True) as unit:
        answer = intake.store(unit, replay).answer
    assert (answer.message_id, answer.status, answer.is_replay) == (message.id, "retry_queued", True)

    assert work(scene.later(2 * RUNG_S)) == 1
    [message] = scene.messages()
    assert message.state is MessageState.SENT
    assert message.may_duplicate
    assert scene.accepted().total() == taken + 1


def _status(message_id: str, wamid: str, *, at: datetime) -> dict[str, object]:
    status = {
        "id": wamid,
        "status": "sent",
        "timestamp": str(int(at.timestamp())),
        "recipient_id": "4915112300000",
        "biz_opaque_callback_data": message_id,
    }
    metadata = {"display_phone_number": "493055570142", "phone_number_id": PHONE_ID}
    value = {"messaging_product": "whatsapp", "metadata": metadata, "statuses": [status]}
    change = {"field": "messages", "value": value}
    return {"object": "whatsapp_business_account", "entry": [{"id": WABA_ID, "changes": [change]}]}
