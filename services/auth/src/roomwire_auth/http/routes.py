"""What all routes share: the prefix of their paths, the address of a request, and its caller."""

from typing import Final

from fastapi import Request
from fastapi.security import HTTPBearer

from roomwire.identity.tokens import User
from roomwire_auth.http.callers import Callers

PREFIX: Final = "/auth"


def address_of(request: Request) -> str:
    """Return the address that a request comes from: `Sources` has put it there. A dependency of routes."""
    return request.client.host if request.client else ""


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
