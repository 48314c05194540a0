"""Everything that a machine can do to a console that is at work: nothing lost, nothing sent twice unmarked,
the books right, and at work again with nobody's help."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.crash.console import GRAPH_TIMEOUT_S, HEALTHY_WITHIN_S, Console
from tests.crash.proof import count, drain, prove, prove_books
from tests.crash.senders import begin
from tests.crash.servers import OwnServers, own_servers

pytestmark = pytest.mark.crash
long = pytest.mark.long

SENDS = 60  # before the fault, and again after it
HOUR_S = 3600
SUMMER_ENDS = datetime(2026, 10, 25, 1, tzinfo=UTC)
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
DISK_BYTES = 16 * 1024 * 1024

Strike = Callable[[], None]


def survive(
    console: Console, seed: int, strike: Strike, *, mend: Strike | None = None, within: float = 120.0
) -> None:
    """Under load ``strike`` happens, more is sent, ``mend`` puts right what only the world can put right; in
    the end everything holds that must."""
    senders = begin(console, seed=seed)
    console.start()
    senders.send(range(SENDS))
    console.wait_until_sending()
    strike()
    senders.send(range(SENDS, 2 * SENDS))
    if mend is not None:
        mend()
    drain(console, senders, within=within)
    prove(console, senders, sends=2 * SENDS)
    prove_books(console)


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    with standing(Console(tmp_path)) as found:
        yield found


@pytest.fixture
def servers() -> Iterator[OwnServers]:
    with own_servers() as found:
        yield found


@pytest.fixture
def beside_servers(servers: OwnServers, tmp_path: Path) -> Iterator[Console]:
    """On a PostgreSQL and a Redis of its own."""
    console = Console(tmp_path, settings=servers.settings)
    console.command("migrate")
    with standing(console) as found:
        yield found


@contextmanager
def standing(console: Console) -> Iterator[Console]:
    with console.sandbox_running():
        try:
            yield console
        finally:
            console.stop()


def pause(seconds: float) -> Strike:
    """How long the fault lasts: nothing tells when it has done its worst."""
    return lambda: time.sleep(seconds)


# --- Processes ---


@long
@pytest.mark.parametrize("process", ["web", "worker"])
def test_a_process_is_killed(console: Console, seed: int, process: str) -> None:
    survive(console, seed, lambda: console.kill_one(process))


@long
def test_a_worker_that_stood_still_comes_back_when_another_has_its_work(console: Console, seed: int) -> None:
    """Two workers believe that the same leases are theirs: what the first still says counts no more."""

    def strike() -> None:
        asleep = console.worker
        with ExitStack() as woken:
            os.kill(asleep, signal.SIGSTOP)
            woken.callback(os.kill, asleep, signal.SIGCONT)
            held = {row[0] for row in console.rows("SELECT id FROM message WHERE state = 'sending'")}
            with console.another("worker", "--with-clock"):
                deadline = time.monotonic() + GRAPH_TIMEOUT_S + 30
                while held & {
                    row[0] for row in console.rows("SELECT id FROM message WHERE state = 'sending'")
                }:
                    assert time.monotonic() < deadline, "its leases were not taken over"
                    time.sleep(0.1)

    survive(console, seed, strike)


# --- What they stand on ---


def test_postgresql_crashes_and_redis_comes_back_empty(
    beside_servers: Console, servers: OwnServers, seed: int
) -> None:
    def strike() -> None:
        servers.redis().flushall()
        servers.crash_postgres()
        servers.stop_redis()
        time.sleep(2)
        servers.start_postgres()
        servers.start_redis()

    survive(beside_servers, seed, strike)


@long
def test_redis_stays_away(beside_servers: Console, servers: OwnServers, seed: int) -> None:
    """The doorbell only makes it quicker."""
    survive(beside_servers, seed, servers.stop_redis, mend=pause(5))
    servers.start_redis()  # for whoever stops it


@long
def test_the_queues_file_is_deleted(console: Console, seed: int) -> None:
    survive(console, seed, console.delete_queue_file)


@pytest.fixture
def on_a_small_disk(tmp_path: Path) -> Iterator[Console]:
    """Everything that it keeps is on a disk of its own."""
    var = tmp_path / "var"
    var.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(var)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a disk")
    try:
        with standing(Console(tmp_path)) as found:
            yield found
    finally:
        subprocess.run(["umount", "--lazy", str(var)], check=True)


@long
def test_the_disk_is_full_for_a_while(on_a_small_disk: Console, seed: int) -> None:
    ballast = on_a_small_disk.folder / "var" / "ballast"

    def strike() -> None:
        with pytest.raises(OSError, match="No space left"):
            ballast.write_bytes(bytes(DISK_BYTES))

    def mend() -> None:
        time.sleep(6)
        ballast.unlink()

    survive(on_a_small_disk, seed, strike, mend=mend)


@long
def test_the_disk_is_read_only_for_a_while(on_a_small_disk: Console, seed: int) -> None:
    console, var = on_a_small_disk, str(on_a_small_disk.folder / "var")

    def strike() -> None:
        console.kill()
        # Until the kernel has closed the last file of theirs that was open for writing, it is busy.
        deadline = time.monotonic() + HEALTHY_WITHIN_S
        while subprocess.run(["mount", "-o", "remount,ro", var], capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline, "the disk stayed busy"
            time.sleep(0.05)
        refused = console.refused("serve")
        assert "is read-only. Make it writable" in refused
        assert "Traceback" not in refused
        subprocess.run(["mount", "-o", "remount,rw", var], check=True)
        console.start()

    survive(console, seed, strike)


# --- The clock ---


@pytest.fixture
def time_file(tmp_path: Path) -> Path:
    """What it says is how far from the time what the console believes is: an offset in seconds."""
    if not FAKETIME.exists():
        pytest.skip("libfaketime is not installed here; make faults installs it")
    path = tmp_path / "time"
    path.write_text("+0")
    return path


def believing(tmp_path: Path, time_file: Path, **more: str) -> Console:
    fake = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(time_file),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": str(Path(__file__).parent / "beside_faketime"),
    }
    return Console(tmp_path, settings=fake | more)


@long
def test_the_clock_jumps_an_hour_ahead_and_back(tmp_path: Path, time_file: Path, seed: int) -> None:
    """What was put off while it was ahead waits for the hour to pass, as it was promised; so it passes."""
    with standing(believing(tmp_path, time_file)) as console:
        senders = begin(console, seed=seed)
        console.start()
        for number, offset in enumerate(("+0", f"+{HOUR_S}", "+0", f"+{HOUR_S}")):
            time_file.write_text(offset)
            senders.send(range(number * SENDS, (number + 1) * SENDS))
            time.sleep(4)
        drain(console, senders, within=120)
        prove(console, senders, sends=4 * SENDS)
        prove_books(console)


@long
def test_summer_time_ends_under_load(tmp_path: Path, time_file: Path, seed: int) -> None:
    """In Berlin three o'clock comes twice that night; here it does so between the sends."""

    def believe(until_then_s: float) -> None:
        ahead = SUMMER_ENDS - datetime.now(UTC) - timedelta(seconds=until_then_s)
        time_file.write_text(f"{ahead.total_seconds():+.0f}")

    believe(HOUR_S)
    with standing(believing(tmp_path, time_file, TZ="Europe/Berlin")) as console:
        senders = begin(console, seed=seed)
        console.start()
        believe(4.0)
        senders.send(range(SENDS))
        time.sleep(5)
        senders.send(range(SENDS, 2 * SENDS))
        drain(console, senders, within=120)
        stored = "SELECT min(created_at), max(created_at) FROM message"
        first, last = console.rows(stored)[0]
        assert first < SUMMER_ENDS.timestamp() * 1_000_000 < last
        prove(console, senders, sends=2 * SENDS)
        prove_books(console)


# --- Meta ---


def meta_does(
    console: Console, senders_sent: int, seed: int, *faults: dict[str, object], seconds: float
) -> None:
    """Meta does that for so long, then no more."""
    senders = begin(console, seed=seed)
    console.start()
    made = [console.sandbox("POST", "/faults", fault)["id"] for fault in faults]
    senders.send(range(senders_sent))
    time.sleep(seconds)
    for fault_id in made:
        console.sandbox("DELETE", f"/faults/{fault_id}")
    drain(console, senders, within=150)
    prove(console, senders, sends=senders_sent)
    prove_books(console)


@long
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "slow", "share": 0.5, "seconds": 1.5},
        {"kind": "reset", "share": 0.3, "times": 1, "per": "message"},
        {"kind": "reset_before", "share": 0.5, "times": 1, "per": "message"},
        {"kind": "malformed", "share": 0.3, "times": 1, "per": "message"},
        {"kind": "html_502", "share": 0.5, "times": 1, "per": "message"},
        {"kind": "empty_500", "share": 0.5, "times": 1, "per": "message"},
    ],
    ids=lambda fault: str(fault["kind"]),
)
def test_meta_is_odd(console: Console, seed: int, fault: dict[str, object]) -> None:
    meta_does(console, SENDS, seed, fault, seconds=3)


@long
def test_meta_is_down_for_longer_than_the_ladder(console: Console, seed: int) -> None:
    """The ladder is a few seconds here, and Meta is down for ten times as long: what was begun dies on its
    last rung, the lane is held, and what had not begun goes out afterwards."""
    meta_does(console, SENDS, seed, {"kind": "reset_before", "share": 1.0}, seconds=40)
    assert count(console, "state = 'dead'") < SENDS
