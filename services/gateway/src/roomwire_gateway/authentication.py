"""Who may come in: decides about a handshake by its token and the gateway's mode."""

from typing import Literal

from roomwire.errors import Unauthenticated
from roomwire.identity.capabilities import NOTHING, Capabilities
from roomwire.identity.tokens import User
from roomwire.identity.verification import Verifier
from roomwire.rooms.handshake import Authenticate, Handshake


def authentication(
    mode: Literal["required", "optional", "off"], verifier: Verifier, *, anonymous: Capabilities = NOTHING
) -> Authenticate:
    """Return how handshakes are authenticated.

    Args:
        mode: `required`: only with a valid token; `optional`: without a token as an anonymous guest, but a
            token that does not hold is refused; `off`: tokens are not looked at.
        verifier: Checks tokens.
        anonymous: What anonymous guests may do. Default: nothing.

    """

    async def authenticate(handshake: Handshake) -> User:
        token = None if mode == "off" else handshake.token
        if token is not None:
            return await verifier.verify(token)
        if mode == "required":
            raise Unauthenticated
        return User.anonymous(anonymous)

    return authenticate
