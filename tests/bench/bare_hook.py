"""``python bare_hook.py SECRET``: a route that checks the signature of a webhook, answers, and stores
nothing. Prints its own address."""

import hashlib
import hmac
import socket
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


def build(secret: str) -> Starlette:
    async def receive(request: Request) -> JSONResponse:
        body = await request.body()
        wanted = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, request.headers.get("x-hub-signature-256", "")):
            return JSONResponse({"error": "The signature does not match the body."}, 401)
        return JSONResponse({"success": True})

    return Starlette(routes=[Route("/webhooks/whatsapp", receive, methods=["POST"])])


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(build(sys.argv[1]), access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[listener])
