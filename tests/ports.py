"""Ports for servers that a test starts."""

import random
import socket

# Below those that the system gives to whoever connects: one of these that is free now stays free until the
# server that is started for it listens.
OURS = range(20_000, 32_000)


def free_port() -> int:
    while True:
        port = random.choice(OURS)  # several test processes choose at once
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
