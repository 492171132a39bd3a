"""A client's handshake, and the contract of the function that decides about it."""

from collections.abc import Awaitable, Callable, Mapping

from roomwire.identity.tokens import User, find_token
from roomwire.protocol.asgi import Environ
from roomwire.protocol.sources import Proxies, Source
from roomwire.protocol.values import decode, encode


class Handshake:
    """A client's handshake.

    Args:
        environ: The request, in Engine.IO's WSGI-like form.
        auth: The payload of the CONNECT packet: any value, or None if there is none.
        proxies: The trusted proxies.
        namespace: The namespace to which the client connects.

    Attributes:
        auth: The payload of the CONNECT packet. Once the client is connected, it has no token any more; it is kept as JSON from then
            on, and each reading returns a new value, so that changes of it are lost.
        auth_bytes: The size of the payload as JSON, without the token.
        namespace: The namespace to which the client connects.

    """

    __slots__ = ("_auth", "_environ", "_kept", "_proxies", "auth_bytes", "namespace")

    def __init__(self, environ: Environ, auth: object, *, proxies: Proxies, namespace: str = "/") -> None:
        self._environ = environ
        self._proxies = proxies
        self._auth = auth
        self._kept: str | None = None
        self.namespace = namespace
        self.auth_bytes = len(encode(_without_token(auth))) if isinstance(auth, dict) else 0

    @property
    def auth(self) -> object:
        """The payload of the CONNECT packet."""
        return self._auth if self._kept is None else decode(self._kept)

    @auth.setter
    def auth(self, auth: object) -> None:
        self._auth, self._kept = auth, None

    def forget_token(self) -> None:
        """Drop the token of the payload: after the verdict it is a secret that nothing needs. The rest takes its size as JSON."""
        auth = _without_token(self._auth)
        if isinstance(auth, dict):
            # Decoded, it may take many times that.
            self._auth, self._kept = None, encode(auth).decode()
        else:
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


def _without_token(auth: object) -> object:
    if isinstance(auth, dict) and isinstance(auth.get("token"), str):
        return {name: value for name, value in auth.items() if name != "token"}
    return auth


Authenticate = Callable[[Handshake], Awaitable[User]]
"""Returns the user that a handshake belongs to. A `ClientError` refuses the connection."""


async def everyone(_: Handshake) -> User:
    """Admit every client as a new anonymous user."""
    return User.anonymous()
