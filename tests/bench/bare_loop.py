"""``python bare_loop.py ADDRESS MESSAGES PHONES IN_FLIGHT``: sends that many messages with the HTTP client
that Waypost uses, and does nothing else. Prints messages a second."""

import asyncio
import itertools
import json
import sys
import time

import bodies
import httpx
from httpx_aiohttp import AiohttpTransport


async def main(address: str, *, messages: int, phones: int, in_flight: int) -> float:
    """Messages a second, from the first request to the last answer."""
    numbers = itertools.count()

    async def send_some(client: httpx.AsyncClient) -> None:
        for number in numbers:
            if number >= messages:
                return
            response = await client.post(
                f"{address}/v23.0/{bodies.phone_id(number % phones)}/messages",
                headers={"Authorization": f"Bearer {bodies.TOKEN}", "Content-Type": "application/json"},
                content=json.dumps(bodies.meta_body(number)).encode(),
            )
            response.raise_for_status()
            assert response.json()["messages"][0]["id"]

    transport = AiohttpTransport(limits=httpx.Limits(max_connections=1000, keepalive_expiry=4.0))
    async with httpx.AsyncClient(transport=transport, timeout=10.0) as client:
        started = time.monotonic()
        await asyncio.gather(*(send_some(client) for _ in range(in_flight)))
        return messages / (time.monotonic() - started)


if __name__ == "__main__":
    found = asyncio.run(
        main(sys.argv[1], messages=int(sys.argv[2]), phones=int(sys.argv[3]), in_flight=int(sys.argv[4]))
    )
    print(f"{found:.1f}")
