"""The sandbox on a socket: until stopped by a signal, or for as long as a test needs it."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import uvicorn

from core.sandbox.app import build
from core.sandbox.config import SandboxConfig


def serve(config: SandboxConfig, host: str = "127.0.0.1", port: int = 8090) -> None:
    """Answers until SIGINT or SIGTERM; then stops within about a second, requests in flight or not."""
    _server(config, host=host, port=port).run()


@contextlib.contextmanager
def running(config: SandboxConfig, *, port: int = 0) -> Iterator[str]:
    """A sandbox in a thread of this process, on a free loopback port unless given; yields its address."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    server = _server(config, host="127.0.0.1", port=port)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True)
    listener.listen(2048)  # from here on a client waits instead of being refused
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=5)
        listener.close()


def _server(config: SandboxConfig, *, host: str, port: int) -> uvicorn.Server:
    """Idle connections live 75 s: a shorter life would close some just as a client writes, and such a send
    would be an unknown outcome that nobody scripted."""
    return uvicorn.Server(
        uvicorn.Config(
            build(config),
            host=host,
            port=port,
            access_log=False,
            log_config=None,
            lifespan="on",
            ws="none",
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )
    )
