"""SIGKILL between the steps of a renewal: a token that works is in use, and the next clock goes on (K1)."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet

from core.ports.clock import FrozenClock
from core.ports.vault import Vault
from core.runtime import Runtime
from tests.conftest import APP_SECRET, WABA_ID, make_place
from tests.core.tokens.conftest import APP_ID, Keeper, as_app

pytestmark = pytest.mark.crash
ROOT = Path(__file__).parent.parent.parent
POINTS = [
    "after the turn is on disk",
    "after the inspection",
    "after the exchange",
    "while the new one is kept",
    "after the proof",
    "while switching",
]


@pytest.mark.parametrize("point", POINTS)
def test_k1_killed_at_any_step_a_token_that_works_is_in_use(
    point: str, runtime: Runtime, sandbox_url: str, password_hash: str, tmp_path: Path
) -> None:
    httpx.post(f"{sandbox_url}/sandbox/reset", trust_env=False).raise_for_status()
    key = Fernet.generate_key().decode()
    here = as_app(replace(runtime, vault=Vault((key,)), clock=FrozenClock(datetime.now(UTC))))
    keeper = Keeper(here, make_place(here, password_hash))
    keeper.give("soon-token")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "WAYPOST_DATABASE_URL": here.database.url.render_as_string(hide_password=False),
        "WAYPOST_QUEUE_URL": f"sqlite:///{tmp_path / 'huey.db'}",
        "WAYPOST_SECRET_KEYS": key,
        "WAYPOST_GRAPH_URL": sandbox_url,
        "WAYPOST_META_APP_ID": APP_ID,
        "WAYPOST_META_APP_SECRET": APP_SECRET,
    }
    renewer = [sys.executable, str(ROOT / "tests/crash/renewer.py"), point]
    died = subprocess.run(renewer, env=environment, cwd=ROOT, timeout=90, check=False)
    assert died.returncode == -signal.SIGKILL
    assert keeper.token == "soon-token"
    assert works(sandbox_url, keeper.token)
    later = replace(here, clock=FrozenClock(datetime.now(UTC) + timedelta(minutes=5)))
    again = replace(keeper, runtime=later)
    again.tick()
    assert again.token.startswith("EAAW")
    assert works(sandbox_url, again.token)
    assert again.row.new_sealed is None
    assert again.actions() == ["token.refreshed"]


def works(sandbox_url: str, token: str) -> bool:
    address = f"{sandbox_url}/v23.0/{WABA_ID}"
    return httpx.get(address, headers={"Authorization": f"Bearer {token}"}, trust_env=False).is_success
