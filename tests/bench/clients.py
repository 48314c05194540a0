"""``python clients.py ADDRESS KEY MESSAGES CONNECTIONS PHONES``: sends that many messages through the REST
API, one at a time on each connection. Prints messages a second. Fails at the first answer but 200."""

import asyncio
import itertools
import json
import sys
import time
from urllib.parse import urlsplit

import bodies
import uvloop


async def main(address: str, key: str, *, messages: int, connections: int, phones: int) -> float:
    """Messages a second, from the first request to the last answer."""
    target = urlsplit(address)
    numbers = itertools.count()

    async def send_some() -> None:
        reader, writer = await asyncio.open_connection(target.hostname, target.port)
        for number in numbers:
            if number >= messages:
                break
            body = json.dumps(
                {**bodies.payload(number), "phoneNumberId": bodies.phone_id(number % phones)}
            ).encode()
            writer.write(
                b"POST /api/v1/messages/template HTTP/1.1\r\n"
                b"Host: bench\r\nContent-Type: application/json\r\n"
                b"Authorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b" % (key.encode(), len(body), body)
            )
            head = await reader.readuntil(b"\r\n\r\n")
            answer = await reader.readexactly(length_of(head))
            if not head.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(f"{head.splitlines()[0]!r}: {answer!r}")
        writer.close()

    started = time.monotonic()
    await asyncio.gather(*(send_some() for _ in range(connections)))
    return messages / (time.monotonic() - started)


def length_of(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


if __name__ == "__main__":
    found = uvloop.run(
        main(
            sys.argv[1],
            sys.argv[2],
            messages=int(sys.argv[3]),
            connections=int(sys.argv[4]),
            phones=int(sys.argv[5]),
        )
    )
    print(f"{found:.1f}")
