"""Calls to addresses that people of a workspace chose: signed, without redirects, and not into our own
network."""

import asyncio
import hashlib
import hmac
import socket
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

import httpx

from core.ports.unit_guard import refuse_inside_unit

TIMEOUT_S = 10.0
URL_MAX = 2000
# The world's IPv4 written as IPv6: what it leads to is not what it looks like.
_TRANSLATED = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"), ip_network("2002::/16"))
INWARD = (
    "The address leads into a private network, which is not called. If it is your own, set "
    "WAYPOST_ALERTS_PRIVATE_TARGETS."
)


class NotTold(Exception):
    """It was not taken. ``sentence`` says why, without a word of the address; ``is_final``: trying again
    changes nothing."""

    def __init__(self, sentence: str, *, is_final: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class Post:
    """One signed call. ``id`` is the same however often it is made, so that its receiver knows a copy."""

    id: str
    url: str = field(repr=False)
    secret: str = field(repr=False)
    body: bytes
    at_s: int


def wrong_with(url: str, *, may_be_private: bool) -> str:
    """What is wrong with an address as it is written, in a sentence; empty when nothing is. Where its name
    leads is seen when it is called."""
    parts = _parts(url)
    if parts is None or parts.scheme not in ("https", "http") or not parts.hostname:
        return "Give an address that begins with https://."
    if parts.scheme == "http" and not may_be_private:
        return "Give an address that begins with https://: what is said would travel in clear."
    if parts.username or parts.password:
        return "Leave name and password out of the address: calls are signed instead."
    try:
        literal = ip_address(parts.hostname)
    except ValueError:
        is_local = parts.hostname == "localhost" or parts.hostname.endswith((".localhost", ".local"))
        return INWARD if is_local and not may_be_private else ""
    return "" if may_be_private or is_outside(literal) else INWARD


def shown(url: str) -> str:
    """As much of the address as may be seen: *https://hooks.example.com/…*."""
    parts = _parts(url)
    return f"{parts.scheme}://{parts.hostname}/…" if parts is not None else "…"


def is_outside(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is one of the internet's: no loopback, no private network, no cloud's own services."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_outside(address.ipv4_mapped)
        if any(address in network for network in _TRANSLATED):
            return False
    return address.is_global and not address.is_multicast


def signature(secret: str, *, at_s: int, body: bytes) -> str:
    """``sha256=`` and the HMAC-SHA256, in hex, over the seconds of the timestamp header, a dot and the raw
    body."""
    signed = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256)
    return f"sha256={signed.hexdigest()}"


async def post(call: Post, *, may_be_private: bool) -> None:
    """The receiver said 2xx. Raises NotTold.

    The name is looked up once, and what was looked at is what is called: a name that leads elsewhere a
    moment later gains nothing.
    """
    refuse_inside_unit()
    problem = wrong_with(call.url, may_be_private=may_be_private)
    if problem:
        raise NotTold(problem, is_final=True)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            status = await _call(call, may_be_private=may_be_private)
    except (TimeoutError, httpx.TimeoutException):
        raise NotTold("The receiver did not answer in time.") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotTold(f"The receiver cannot be reached ({type(error).__name__}).") from None
    if 300 <= status < 400:
        raise NotTold(f"The receiver answered {status}: it sends elsewhere, and that is not followed.")
    if not 200 <= status < 300:
        raise NotTold(f"The receiver answered {status}.")


async def _call(call: Post, *, may_be_private: bool) -> int:
    url = httpx.URL(call.url)
    address = await _look_up(url.host, url.port or (443 if url.scheme == "https" else 80))
    if not may_be_private and not is_outside(address):
        raise NotTold(INWARD, is_final=True)
    headers = {
        "Host": url.netloc.decode(),
        "Content-Type": "application/json",
        "User-Agent": "Waypost",
        "X-Waypost-Delivery": call.id,
        "X-Waypost-Timestamp": str(call.at_s),
        "X-Waypost-Signature": signature(call.secret, at_s=call.at_s, body=call.body),
    }
    request = httpx.Request(
        "POST",
        url.copy_with(host=str(address)),
        content=call.body,
        headers=headers,
        extensions={"sni_hostname": url.host},
    )
    async with httpx.AsyncClient(trust_env=False) as client:  # `post` bounds the whole of it
        # Its answer's body is not read: nobody needs it, and it may be endless.
        response = await client.send(request, stream=True, follow_redirects=False)
        await response.aclose()
        return response.status_code


async def _look_up(host: str, port: int) -> IPv4Address | IPv6Address:
    """The first address; any that lies inside stands before those outside, so that it is seen."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotTold("The name of the receiver is not known.") from None
    addresses = [ip_address(str(one[4][0]).partition("%")[0]) for one in found]
    return min(addresses, key=is_outside)


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
    except ValueError:
        return None
    return parts
