"""How soon messages go again once a token that died was replaced."""

import socket
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from processes import printed, running

MESSAGES = 500
# What an enterprise plan and a number of level 80 send a second.
PACE = 80
STARTS_WITHIN_S = 60.0


def renewed_s() -> tuple[float, float]:
    """Seconds from the replaced token to the first send, and to the last of those that waited."""
    with tempfile.TemporaryDirectory(prefix="waypost-bench-") as name, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        folder, address = Path(name), f"http://127.0.0.1:{port}"
        with running("main.py", "sandbox", "--port", port, "--answer-delay", "0", cwd=folder, settings={}):
            _wait(f"{address}/sandbox/state")
            settings = {"WAYPOST_GRAPH_URL": address}
            first, last = printed("renewing.py", address, MESSAGES, cwd=folder, settings=settings).split()
    return float(first), float(last)


def _wait(url: str) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while True:
        try:
            urlopen(url, timeout=5).close()
            return
        except (URLError, TimeoutError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
