"""Decides about a handshake by its token and the gateway's mode."""

from typing import Literal

from roomwire.errors import Unauthenticated
from roomwire.identity.capabilities import NOTHING, Capabilities
from roomwire.identity.tokens import User
from roomwire.identity.verification import Verifier
from roomwire.rooms.handshake import Authenticate, Handshake


def authentication(
    mode: Literal["required", "optional", "off"],
    verifier: Verifier,
    *,
    anonymous: Capabilities = NOTHING,
    further: Authenticate | None = None,
) -> Authenticate:
    """Return how handshakes are authenticated.

    Args:
        mode: `required` admits only clients with a valid token. `optional` admits clients without a token as anonymous guests,
            but refuses an invalid token. `off` ignores tokens.
        verifier: Verifies tokens.
        anonymous: The permissions of anonymous guests. Default: none.
        further: The application's decision about each client that is admitted so far. It returns the identity of a client without
            a token, and may refuse any client. Default: a client without a token is an anonymous guest.

    """

    async def authenticate(handshake: Handshake) -> User:
        token = None if mode == "off" else handshake.token
        if token is None and mode == "required":
            raise Unauthenticated
        user = User.anonymous(anonymous) if token is None else await verifier.verify(token)
        if further is None:
            return user
        known = await further(handshake)
        return known if token is None else user

    return authenticate
