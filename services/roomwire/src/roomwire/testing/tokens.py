"""Tokens for tests: they are valid at the nodes of one cluster, until the virtual time reaches their expiry."""

import secrets
from collections.abc import Callable

from roomwire.identity.errors import InvalidToken, TokenExpired
from roomwire.identity.tokens import User


class Tokens:
    """Issues the tokens of a test's users, and verifies them in place of a process's `Verifier`.

    Args:
        now: Seconds since 1970.

    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._users: dict[str, User] = {}

    def issue(self, user: User) -> str:
        """Return a new token of a user."""
        token = secrets.token_urlsafe(16)
        self._users[token] = user
        return token

    async def verify(self, token: str) -> User:
        """Return the user that a token identifies; see `Verifier.verify`.

        Raises:
            Unauthenticated: The token is unknown or expired.

        """
        user = self._users.get(token)
        if user is None:
            raise InvalidToken
        if user.expires_at and user.expires_at <= self._now():
            raise TokenExpired
        return user
