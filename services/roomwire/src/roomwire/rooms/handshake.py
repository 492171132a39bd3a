"""What a client brings when it connects, and who decides about it."""

from collections.abc import Awaitable, Callable, Mapping

from roomwire.identity.tokens import User, find_token
from roomwire.protocol.asgi import Environ
from roomwire.protocol.sources import Proxies, Source


class Handshake:
    """What a client brings when it connects.

    Args:
        environ: The request, in the WSGI-like form that Engine.IO keeps of it.
        auth: The payload of its CONNECT packet; any value, None if there is none.
        proxies: Knows the proxies that are trusted.

    Attributes:
        auth: The payload of its CONNECT packet.

    """

    __slots__ = ("_environ", "_proxies", "auth")

    def __init__(self, environ: Environ, auth: object, *, proxies: Proxies) -> None:
        self._environ = environ
        self._proxies = proxies
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
        return self._proxies.address_of(self._environ)

    @property
    def source(self) -> Source:
        """Where it came from: the scheme, host and port that the client used, and its address."""
        return self._proxies.source_of(self._environ)

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
