"""What a client brings when it connects, and who decides about it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from roomwire.addresses import ClientAddress
from roomwire.tokens import User, find_token


class Handshake:
    """What a client brings when it connects.

    Args:
        environ: The request, in the WSGI-like form that Engine.IO keeps of it.
        auth: The payload of its CONNECT packet; any value, None if there is none.
        addresses: Knows the proxies that are trusted.

    Attributes:
        auth: The payload of its CONNECT packet.

    """

    __slots__ = ("_addresses", "_environ", "auth")

    def __init__(self, environ: Mapping[str, Any], auth: Any, *, addresses: ClientAddress) -> None:
        self._environ = environ
        self._addresses = addresses
        self.auth = auth

    @property
    def query(self) -> str:
        """The query string of the request."""
        query: str = self._environ.get("QUERY_STRING", "")
        return query

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's headers, names in lower case."""
        return {
            name.removeprefix("HTTP_").replace("_", "-").lower(): value
            for name, value in self._environ.items()
            if name.startswith("HTTP_")
        }

    @property
    def address(self) -> str:
        """The client's address, as far as the proxies in between are trusted."""
        scope = self._environ.get("asgi.scope", {})
        peer = (scope.get("client") or ("", 0))[0]
        return self._addresses.of(peer, self._environ.get("HTTP_X_FORWARDED_FOR", ""))

    @property
    def token(self) -> str | None:
        """The token it carries, wherever it is."""
        authorization = self._environ.get("HTTP_AUTHORIZATION", "")
        return find_token(self.auth, authorization=authorization, query=self.query)


Authenticate = Callable[[Handshake], Awaitable[User]]
"""Returns whom a handshake belongs to, or raises a `ClientError`: the connection is then refused."""


async def everyone(_: Handshake) -> User:
    """Authenticate nobody: every client is a new anonymous user."""
    return User.anonymous()
