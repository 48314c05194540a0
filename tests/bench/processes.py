"""The processes of a benchmark: each a script beside this one, ended when the block that started it ends."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
STOP_S = 30


@contextmanager
def running(
    script: str, *words: object, cwd: Path, settings: dict[str, str]
) -> Iterator["subprocess.Popen[str]"]:
    """The script as a process with those settings in its environment; interrupted at the end."""
    process = subprocess.Popen(
        _command(script, words),
        cwd=cwd,
        env=_environment(settings),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def printed(script: str, *words: object, cwd: Path, settings: dict[str, str]) -> str:
    """What the script prints until it ends by itself."""
    done = subprocess.run(
        _command(script, words),
        cwd=cwd,
        env=_environment(settings),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise RuntimeError(f"{process.args!r} ended without a word")
    return line


def memory_mb(pid: int) -> float:
    """The resident memory of a process, in megabytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LookupError(pid)


def written_mb(pid: int) -> float:
    """What a process has had written to disks, in megabytes."""
    for line in Path(f"/proc/{pid}/io").read_text().splitlines():
        if line.startswith("write_bytes:"):
            return int(line.split()[1]) / 1e6
    raise LookupError(pid)


def cpu_s(pid: int) -> float:
    """The processor time that a process has taken, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _command(script: str, words: tuple[object, ...]) -> list[str]:
    path = ROOT / script if script == "main.py" else HERE / script
    return [sys.executable, str(path), *map(str, words)]


def _environment(settings: dict[str, str]) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WAYPOST_", "START_", "TOKEN_"))
    }
    return {**kept, "PYTHONPATH": str(ROOT), "TZ": "UTC", **settings}
