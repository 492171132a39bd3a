"""Identifies the caller of a request by the access token that it carries."""

from typing import Protocol

from roomwire.errors import Forbidden, Unauthenticated
from roomwire.identity.errors import SessionEnded
from roomwire.identity.tokens import User
from roomwire_auth.sessions.sessions import Sessions


class Verifies(Protocol):
    """Verifies access tokens; `roomwire.identity.verification.Verifier` is one."""

    async def verify(self, token: str) -> User:
        """Return the user that a token identifies; raises `Unauthenticated`."""


class Callers:
    """Identifies the caller of a request.

    Gateways are notified of sessions that end; here the session itself is looked up, so its tokens end with it at once.

    Args:
        verifier: Checks access tokens.
        sessions: Looks up sessions.

    """

    def __init__(self, verifier: Verifies, sessions: Sessions) -> None:
        self._verifier = verifier
        self._sessions = sessions

    async def of(self, authorization: str) -> User:
        """Return the sender of this `Authorization` header: a guest or an account, with a session that has not ended.

        Raises:
            Unauthenticated: The header has no access token, or an invalid one, or its session has ended.
            Forbidden: The token is a client's.
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
