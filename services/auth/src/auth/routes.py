"""What routes have in common: whose request it is."""

from typing import Final

from fastapi import Request
from fastapi.security import HTTPBearer

from auth.callers import Callers
from roomwire.addresses import ClientAddress
from roomwire.tokens import User

PREFIX: Final = "/auth"


class AddressOf:
    """A dependency of routes: the client's address.

    Args:
        addresses: Knows which proxies are believed.

    """

    def __init__(self, addresses: ClientAddress) -> None:
        self._addresses = addresses

    def __call__(self, request: Request) -> str:
        """Return the address that a request comes from."""
        peer = request.client.host if request.client else ""
        return self._addresses.of(peer, ",".join(request.headers.getlist("x-forwarded-for")))


class CallerOf(HTTPBearer):
    """A dependency of routes: the user whose access token the request carries; refuses those without.

    Args:
        callers: Looks at tokens.

    """

    def __init__(self, callers: Callers) -> None:
        super().__init__(
            bearerFormat="JWT", scheme_name="accessToken", description="An access token.", auto_error=False
        )
        self._callers = callers

    async def __call__(self, request: Request) -> User:  # type: ignore[override]  # the base returns what is in the header
        """Return the user; see `Callers.of`."""
        return await self._callers.of(request.headers.get("authorization", ""))
