"""The common parts of all routes: the prefix of their paths, the client address of a request, and its caller."""

from typing import Final

from fastapi import Request
from fastapi.security import HTTPBearer

from roomwire.identity.tokens import User
from roomwire_auth.http.callers import Callers

PREFIX: Final = "/auth"


def address_of(request: Request) -> str:
    """Return the client address that `Sources` found for a request. Routes use it as a dependency."""
    return request.client.host if request.client else ""


class CallerOf(HTTPBearer):
    """A dependency of routes: the user of the request's access token; requests without a valid token are refused.

    Args:
        callers: Verifies tokens.

    """

    def __init__(self, callers: Callers) -> None:
        super().__init__(
            bearerFormat="JWT", scheme_name="accessToken", description="An access token.", auto_error=False
        )
        self._callers = callers

    async def __call__(self, request: Request) -> User:  # type: ignore[override]  # the base returns what is in the header
        """Return the user; see `Callers.of`."""
        return await self._callers.of(request.headers.get("authorization", ""))
