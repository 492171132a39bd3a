"""Renewal of access tokens: the part of a gateway by which a client stays connected when its token expires.

The event's name is `Gateway.renewal_event`. The tokens are verified as those of handshakes are, so a process that ignores tokens
(ROOMWIRE_AUTH_MODE=off) renews none.
"""

from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta, Struct

from roomwire.errors import Forbidden
from roomwire.gateways.binding import subscribe
from roomwire.gateways.chain import Provided, value_of
from roomwire.gateways.socket import Socket
from roomwire.identity.verification import Verifier


class RefreshToken(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of the event: a new access token of the same user."""

    token: Annotated[str, Meta(min_length=1)]

    def __repr__(self) -> str:
        return "RefreshToken()"


class Renewal(Struct, frozen=True, rename="camel"):
    """The ack of the event: until when the connection may stay."""

    expires_at: datetime


class Renewals:
    """The part of `Gateway` that renews tokens.

    Attributes:
        renewal_event: The event by which a client renews its token; empty: none does.

    """

    renewal_event: str = ""
    _verifier: Verifier | None = None

    def verify_by(self, provided: Provided) -> None:
        """Use the `Verifier` among the values that the process provides, if there is one."""
        self._verifier = value_of(provided, Verifier) if Verifier in provided else None

    async def renew_token(self, socket: Socket, token: str) -> Renewal:
        """Replace the token of a client by a new one of the same user, whose permissions apply from now on.

        Override this method to act on a renewal, for example to leave rooms that the new token does not allow.

        Args:
            socket: The client.
            token: The new token.

        Raises:
            Unauthenticated: The token is not valid; the client keeps its present token.
            Forbidden: The token belongs to another user or expires sooner than the present one, or the process does not verify
                tokens; the client keeps its present token.
            Unavailable: The keys that verify the token cannot be fetched; try again.

        """
        if self._verifier is None:
            raise Forbidden("This gateway does not check tokens.")
        socket.renew(await self._verifier.verify(token))
        return Renewal(expires_at=datetime.fromtimestamp(socket.user.expires_at, UTC))

    # The class of the application names the event; `subscribe` only exempts it from mutes here.
    @subscribe("", requires_voice=False)
    async def _renewed(self, socket: Socket, body: RefreshToken) -> Renewal:
        """Handle `renewal_event` where the gateway has no handler of its own."""
        return await self.renew_token(socket, body.token)
