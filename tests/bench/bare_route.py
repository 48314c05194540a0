"""``python bare_route.py ADDRESS``: a FastAPI route that forwards each send to ADDRESS with the HTTP client
that Waypost uses, and does nothing else. Prints its own address."""

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import bodies
import httpx
import uvicorn
from fastapi import FastAPI
from httpx_aiohttp import AiohttpTransport


def build(address: str) -> FastAPI:
    client = httpx.AsyncClient(
        transport=AiohttpTransport(limits=httpx.Limits(max_connections=1000, keepalive_expiry=4.0))
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with client:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/api/v1/messages/template")
    async def forward(body: dict[str, Any]) -> dict[str, Any]:
        template = body["template"]
        response = await client.post(
            f"{address}/v23.0/{body['phoneNumberId']}/messages",
            headers={"Authorization": f"Bearer {bodies.TOKEN}"},
            json={
                "messaging_product": "whatsapp",
                "to": body["to"],
                "type": "template",
                "template": {**template, "language": {"code": template["language"]}},
            },
        )
        response.raise_for_status()
        return {"success": True, "wamid": response.json()["messages"][0]["id"]}

    return app


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(build(sys.argv[1]), access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[listener])
