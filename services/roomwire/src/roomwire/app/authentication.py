"""Who may come in: decides about a handshake by its token and the gateway's mode."""

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
        mode: `required`: only with a valid token; `optional`: without a token as an anonymous guest, but a
            token that does not hold is refused; `off`: tokens are not looked at.
        verifier: Checks tokens.
        anonymous: What anonymous guests may do. Default: nothing.
        further: Of the application: it is asked about each client that may come in so far, says who one without a token is, and
            may refuse any. Default: who has no token is an anonymous guest.

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
