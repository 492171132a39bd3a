"""Identifies the caller of a request by the access token that it carries."""

from typing import Protocol

from roomwire.errors import Forbidden, Unauthenticated
from roomwire.identity.errors import SessionEnded
from roomwire.identity.tokens import User
from roomwire_auth.sessions.sessions import Sessions


class Verifies(Protocol):
    """Verifies access tokens; `roomwire.identity.verification.Verifier` is one."""

    async def verify(self, token: str) -> User:
        """Return whom a token speaks for; raises `Unauthenticated`."""


class Callers:
    """Tells who asks.

    Gateways hear of sessions that end; here the session itself is looked for, so that its tokens end with it at once.

    Args:
        verifier: Checks access tokens.
        sessions: Knows which sessions last.

    """

    def __init__(self, verifier: Verifies, sessions: Sessions) -> None:
        self._verifier = verifier
        self._sessions = sessions

    async def of(self, authorization: str) -> User:
        """Return who sends this `Authorization` header: a guest or an account with a session that lasts.

        Raises:
            Unauthenticated: There is no access token in it, or one that does not hold, or its session has ended.
            Forbidden: It is a client's.
            Unavailable: The store does not answer.

        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated
        user = await self._verifier.verify(token.strip())
        if user.kind == "service":
            raise Forbidden("This endpoint is for users: a client has no account and no sessions.")
        if not any(session.id == user.session for session in await self._sessions.of_user(user.id)):
            raise SessionEnded
        return user
