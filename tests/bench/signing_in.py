"""``python signing_in.py TIMES``: milliseconds that a failed sign-in takes, for a known and for an unknown
address, in turns and with the throttle's memory wiped in between.

Works on the database that the environment names. Prints two numbers.
"""

import sys
import time
from statistics import median

from sqlmodel import delete

import main as waypost
from core.errors import NotSignedIn
from core.runtime import Runtime
from core.team.owners import COMMAND, create_owner
from core.team.passwords import hash_password
from core.team.sign_in import sign_in
from core.unit import ANONYMOUS
from data.people import SignInFailure

KNOWN, UNKNOWN = "known@example.com", "unknown@example.com"


def measure(runtime: Runtime, *, times: int) -> tuple[float, float]:
    """The medians, known first."""
    hashed = hash_password("four unrelated words here")
    with runtime.unit(COMMAND, write=True) as unit:
        create_owner(unit, workspace_name="Bench", email=KNOWN, password_hash=hashed)
    taken: dict[str, list[float]] = {KNOWN: [], UNKNOWN: []}
    for _ in range(times):
        for email, durations in taken.items():
            durations.append(_one(runtime, email))
            with runtime.unit(COMMAND, write=True) as unit:
                unit.session.exec(delete(SignInFailure))
    return median(taken[KNOWN]), median(taken[UNKNOWN])


def _one(runtime: Runtime, email: str) -> float:
    started = time.perf_counter()
    try:
        sign_in(runtime, ANONYMOUS, email=email, password="not the password", agent="bench")
    except NotSignedIn:
        return (time.perf_counter() - started) * 1000
    raise AssertionError("a wrong password was right")


if __name__ == "__main__":
    settings = waypost._settings()
    waypost._migrate(settings)
    with waypost._runtime(settings) as runtime:
        print(*measure(runtime, times=int(sys.argv[1])))
