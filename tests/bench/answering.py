"""The bare server that stands in for Meta: it reads a request, answers it, and does nothing else.

``python answering.py [SHARE [PHONE]]``: prints its address; that share of the requests (0 to 1) is refused in
passing with Meta's 131016, and what comes from that phone is answered after ten seconds. The poisoned
template is refused with 132015. Ends with its parent.
"""

import asyncio
import contextlib
import itertools
import random
import sys

import bodies
import uvloop

SLOW_S = 10.0
PAUSED = (
    b'{"error":{"message":"(#132015) Template is paused","type":"OAuthException","code":132015,'
    b'"fbtrace_id":"A0123456789"}}'
)
REFUSAL = (
    b'{"error":{"message":"(#131016) Service unavailable","type":"OAuthException","code":131016,'
    b'"error_data":{"messaging_product":"whatsapp","details":"Service is temporarily unavailable."},'
    b'"fbtrace_id":"A0123456789"}}'
)
_numbers = itertools.count()
_dice = random.Random(7)
_POISONED = bodies.POISONED.encode()


class Answering(asyncio.Protocol):
    """One keep-alive connection. Requests come one after the other, each with a Content-Length."""

    refused_share = 0.0
    slow_phone = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._unread = b""

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (head := self._unread.find(b"\r\n\r\n")) >= 0:
            end = head + 4 + _length(self._unread[:head])
            if len(self._unread) < end:
                return
            request, self._unread = self._unread[:end], self._unread[end:]
            if self.slow_phone and self.slow_phone in request[:200]:
                asyncio.get_running_loop().call_later(SLOW_S, self._write_late, self._answer(request))
            else:
                self._transport.write(self._answer(request))

    def _write_late(self, response: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(response)

    def _answer(self, request: bytes) -> bytes:
        if _POISONED in request:
            return _response(b"400 Bad Request", PAUSED)
        if self.refused_share and _dice.random() < self.refused_share:
            return _response(b"503 Service Unavailable", REFUSAL)
        wamid = b"wamid.BENCH%020d" % next(_numbers)
        accepted = b'{"messaging_product":"whatsapp","messages":[{"id":"%b"}]}' % wamid
        return _response(b"200 OK", accepted)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


def _response(status: bytes, body: bytes) -> bytes:
    return (
        b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
        b"Connection: keep-alive\r\n\r\n%b" % (status, len(body), body)
    )


async def main(refused_share: float, slow_phone: str) -> None:
    Answering.refused_share, Answering.slow_phone = refused_share, slow_phone.encode()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0, backlog=2048)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)  # our parent's end closes it
    server.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(
            main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0, sys.argv[2] if len(sys.argv) > 2 else "")
        )
