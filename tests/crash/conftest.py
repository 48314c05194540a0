"""A seed for what is random, said so that a failure can be repeated."""

import os
import random

import pytest


@pytest.fixture
def seed() -> int:
    """Printed: WAYPOST_CRASH_SEED=… make test repeats it."""
    chosen = int(os.environ.get("WAYPOST_CRASH_SEED") or random.randrange(10**6))
    print(f"WAYPOST_CRASH_SEED={chosen}")
    return chosen
