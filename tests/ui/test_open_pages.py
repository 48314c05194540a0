"""How much of the web process one browser may hold: pages, and sockets of them."""

import asyncio
from contextlib import AsyncExitStack

import aiohttp
import httpx
import pytest

from tests.console import COOKIE, Console
from tests.ui.test_socket_guard import SOCKET_PATH
from ui.guard import PAGES_AT_ONCE, SOCKETS_AT_ONCE


def test_one_page_too_many_is_refused_to_its_browser_alone(console: Console) -> None:
    email = console.owner_email(console.new_place())
    cookies = {COOKIE: console.token_for(email)}
    with httpx.Client(base_url=console.url, cookies=cookies, timeout=60) as browser:
        for _ in range(PAGES_AT_ONCE):
            assert browser.get("/account").status_code == 200
        refused = browser.get("/account")
        assert refused.status_code == 429
        assert "Close some, then try again in a minute." in refused.text
        assert "frame-ancestors 'none'" in refused.headers["content-security-policy"]
    elsewhere = httpx.get(f"{console.url}/account", cookies={COOKIE: console.token_for(email)}, timeout=60)
    assert elsewhere.status_code == 200


def test_one_socket_too_many_is_refused_to_its_browser_alone(console: Console) -> None:
    email = console.owner_email(console.new_place())
    token, elsewhere = console.token_for(email), console.token_for(email)
    address = f"{console.url}{SOCKET_PATH}/?EIO=4&transport=websocket&client_id=gone"

    async def run() -> None:
        async with AsyncExitStack() as held:
            many = aiohttp.TCPConnector(limit=0)
            http = await held.enter_async_context(aiohttp.ClientSession(connector=many))

            async def hold(token: str) -> None:
                headers = {"Cookie": f"{COOKIE}={token}", "Origin": console.url}
                await held.enter_async_context(http.ws_connect(address, headers=headers))

            for _ in range(SOCKETS_AT_ONCE):
                await hold(token)
            with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                await hold(token)
            await hold(elsewhere)

    asyncio.run(run())
