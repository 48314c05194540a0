"""``python posting.py ADDRESS SECRET POSTS CONNECTIONS PHONES``: posts that many signed webhooks of one
status each, one at a time on each connection. Prints POSTs a second. Fails at the first answer but 200."""

import asyncio
import hashlib
import hmac
import itertools
import sys
import time
from urllib.parse import urlsplit

import bodies
import uvloop
from clients import length_of


async def main(address: str, secret: str, *, posts: int, connections: int, phones: int) -> float:
    """POSTs a second, from the first request to the last answer. Composed and signed beforehand."""
    target = urlsplit(address)
    requests = iter([signed(_body(number, phones), secret) for number in range(posts)])
    numbers = itertools.count()

    async def post_some() -> None:
        reader, writer = await asyncio.open_connection(target.hostname, target.port)
        while next(numbers) < posts:
            writer.write(next(requests))
            head = await reader.readuntil(b"\r\n\r\n")
            answer = await reader.readexactly(length_of(head))
            if not head.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(f"{head.splitlines()[0]!r}: {answer!r}")
        writer.close()

    started = time.monotonic()
    await asyncio.gather(*(post_some() for _ in range(connections)))
    return posts / (time.monotonic() - started)


def _body(number: int, phones: int) -> bytes:
    return bodies.webhook([number], status="sent", phone=bodies.phone_id(number % phones))


def signed(body: bytes, secret: str) -> bytes:
    """The POST of that webhook."""
    signature = hmac.digest(secret.encode(), body, hashlib.sha256).hex().encode()
    return (
        b"POST /webhooks/whatsapp HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        b"X-Hub-Signature-256: sha256=%b\r\nContent-Length: %d\r\n\r\n%b" % (signature, len(body), body)
    )


if __name__ == "__main__":
    posts, connections, phones = map(int, sys.argv[3:])
    work = main(sys.argv[1], sys.argv[2], posts=posts, connections=connections, phones=phones)
    print(f"{uvloop.run(work):.1f}")
