"""A client's handshake, and the contract of the function that decides about it."""

from collections.abc import Awaitable, Callable, Mapping

from roomwire.identity.tokens import User, find_token
from roomwire.protocol.asgi import Environ
from roomwire.protocol.sources import Proxies, Source


class Handshake:
    """A client's handshake.

    Args:
        environ: The request, in Engine.IO's WSGI-like form.
        auth: The payload of the CONNECT packet: any value, or None if there is none.
        proxies: The trusted proxies.

    Attributes:
        auth: The payload of the CONNECT packet.

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
        """The client's address, as reported by trusted proxies."""
        return self._proxies.address_of(self._environ)

    @property
    def source(self) -> Source:
        """The source of the request: the scheme, host and port that the client used, and its address."""
        return self._proxies.source_of(self._environ)

    @property
    def token(self) -> str | None:
        """The token of the handshake, wherever it is."""
        authorization = self._environ.get("HTTP_AUTHORIZATION", "")
        return find_token(self.auth, authorization=authorization, query=self.query)


Authenticate = Callable[[Handshake], Awaitable[User]]
"""Returns the user that a handshake belongs to. A `ClientError` refuses the connection."""


async def everyone(_: Handshake) -> User:
    """Admit every client as a new anonymous user."""
    return User.anonymous()
