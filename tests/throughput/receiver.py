"""``python receiver.py``: stands in for Meta, and keeps when each request came in.

That is when the kernel got it, not when this process came to read it: on a busy machine that differs by more
than there is between two sends. Prints its address. Answers every POST at once as an accepted send;
``GET /log`` answers phone number id → the seconds at which its requests arrived. Ends with its parent.
"""

import asyncio
import itertools
import json
import socket
import struct
import sys
import time
from collections import defaultdict

SO_TIMESTAMPNS = 35  # Linux; Python has no name for it

_numbers = itertools.count()
_log: dict[str, list[tuple[float, str]]] = defaultdict(list)


class Receiving:
    """One keep-alive connection. Requests come one after the other."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._unread = b""
        connection.setblocking(False)
        asyncio.get_running_loop().add_reader(connection, self._read)

    def _read(self) -> None:
        try:
            received, extras, _, _ = self._connection.recvmsg(65_536, 256)
        except ConnectionError:
            received, extras = b"", []
        if not received:
            asyncio.get_running_loop().remove_reader(self._connection)
            self._connection.close()
            return
        stamps = [struct.unpack("@qq", value) for _, kind, value in extras if kind == SO_TIMESTAMPNS]
        arrived_at = stamps[0][0] + stamps[0][1] / 1e9 if stamps else time.time()
        self._unread += received
        while (head := self._unread.find(b"\r\n\r\n")) >= 0:
            end = head + 4 + _length(self._unread[:head])
            if len(self._unread) < end:
                return
            request, body = self._unread[:head], self._unread[head + 4 : end]
            self._unread = self._unread[end:]
            answer = _response(_answer(request, body, arrived_at))
            self._connection.setblocking(True)
            self._connection.sendall(answer)
            self._connection.setblocking(False)


def _answer(request: bytes, body: bytes, now: float) -> bytes:
    method, path = request.split(b" ", 2)[:2]
    if method == b"GET":
        return json.dumps(_log).encode()
    phone = path.split(b"/")[-2].decode()
    _log[phone].append((now, json.loads(body)["biz_opaque_callback_data"]))
    return b'{"messaging_product":"whatsapp","messages":[{"id":"wamid.RECEIVED%020d"}]}' % next(_numbers)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


def _response(body: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
        b"Connection: keep-alive\r\n\r\n%b" % (len(body), body)
    )


async def accept(server: socket.socket) -> None:
    while True:
        connection, _ = await asyncio.get_running_loop().sock_accept(server)
        Receiving(connection)


async def main() -> None:
    server = socket.create_server(("127.0.0.1", 0), backlog=1024)
    server.setblocking(False)
    server.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)  # which its connections inherit
    accepting = asyncio.create_task(accept(server))
    print(f"http://127.0.0.1:{server.getsockname()[1]}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    accepting.cancel()


if __name__ == "__main__":
    asyncio.run(main())
