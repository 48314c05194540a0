import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from core.errors import Contended, Impossible, Unavailable
from core.together import MOST, Together


class Ledger:
    """Keeps what it is asked to write, batch by batch; the first batch waits until ``gate`` is set."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.began = threading.Event()
        self.gate = threading.Event()

    def write(self, asked: list[str]) -> list[Any]:
        self.batches.append(asked)
        self.began.set()
        assert self.gate.wait(5)
        if "crash" in asked:
            raise RuntimeError("a crash of ours")
        if "locked" in asked:
            raise Unavailable("The database is busy.")
        if "contended" in asked and len(asked) > 1:
            raise Contended("Something else was changing the same.")
        return [Impossible("No.") if one == "refused" else one.upper() for one in asked]


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 10))


async def ask(ledger: Ledger, *asked: str) -> list[Any]:
    """The first is being written when the others come."""
    together = Together()
    first = asyncio.create_task(together.write(ledger.write, asked[0]))
    await asyncio.to_thread(ledger.began.wait, 5)
    others = [asyncio.create_task(together.write(ledger.write, one)) for one in asked[1:]]
    await asyncio.sleep(0)  # each of them has asked
    ledger.gate.set()
    return await asyncio.gather(first, *others, return_exceptions=True)


def test_what_is_asked_for_while_a_batch_is_written_is_the_next_batch() -> None:
    ledger = Ledger()
    assert run(ask(ledger, "a", "b", "c", "d")) == ["A", "B", "C", "D"]
    assert ledger.batches == [["a"], ["b", "c", "d"]]


def test_a_batch_is_bounded() -> None:
    ledger = Ledger()
    run(ask(ledger, *map(str, range(MOST + 2))))
    assert [len(batch) for batch in ledger.batches] == [1, MOST, 1]


def test_a_refusal_is_for_the_one_who_asked_and_for_nobody_else() -> None:
    before, refused, after = run(ask(Ledger(), "a", "refused", "b"))
    assert (before, after) == ("A", "B")
    assert isinstance(refused, Impossible)


def test_after_a_crash_each_is_written_alone_and_only_the_one_that_crashes_fails() -> None:
    ledger = Ledger()
    first, second, crash, third = run(ask(ledger, "a", "b", "crash", "c"))
    assert (first, second, third) == ("A", "B", "C")
    assert isinstance(crash, RuntimeError)
    assert ledger.batches == [["a"], ["b", "crash", "c"], ["b"], ["crash"], ["c"]]


def test_a_database_that_cannot_be_written_is_said_to_all_of_the_batch() -> None:
    ledger = Ledger()
    first, *others = run(ask(ledger, "a", "b", "locked"))
    assert first == "A"
    assert all(isinstance(other, Unavailable) for other in others)
    assert len(ledger.batches) == 2


def test_after_another_transaction_stood_in_the_way_each_is_written_alone() -> None:
    ledger = Ledger()
    assert run(ask(ledger, "a", "b", "contended")) == ["A", "B", "CONTENDED"]
    assert ledger.batches == [["a"], ["b", "contended"], ["b"], ["contended"]]


def test_one_who_has_gone_is_written_all_the_same_and_hinders_nobody() -> None:
    async def leave() -> str:
        ledger, together = Ledger(), Together()
        gone = asyncio.create_task(together.write(ledger.write, "gone"))
        await asyncio.to_thread(ledger.began.wait, 5)
        stays = asyncio.create_task(together.write(ledger.write, "stays"))
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        ledger.gate.set()
        return await stays

    assert run(leave()) == "STAYS"


def test_it_serves_again_on_another_loop() -> None:
    ledger, together = Ledger(), Together()
    ledger.gate.set()
    assert run(together.write(ledger.write, "a")) == "A"
    assert run(together.write(ledger.write, "b")) == "B"
