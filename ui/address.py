"""Where a request comes from."""

from starlette.requests import HTTPConnection


def client_address(connection: HTTPConnection) -> str:
    """The caller's address: the socket's, or what a proxy that we were told to believe says of it.

    Read from the right of ``X-Forwarded-For``: the first address that is no trusted proxy; what is left of
    it the caller may have made up.
    """
    peer = connection.client.host if connection.client else ""
    trusted = connection.app.state.runtime.settings.waypost_trusted_proxies
    if peer not in trusted:
        return peer
    for hop in reversed(connection.headers.get("x-forwarded-for", "").split(",")):
        address = hop.strip()
        if address and address not in trusted:
            return address[:64]
    return peer
