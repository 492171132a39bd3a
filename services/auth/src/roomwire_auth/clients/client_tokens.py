"""Answers the token requests of clients, without HTTP."""

from roomwire_auth import audit
from roomwire_auth.accounts.throttle import Throttle
from roomwire_auth.audit import Event
from roomwire_auth.clients.clients import Clients
from roomwire_auth.clients.oauth import WRONG_CLIENT, Refused, TokenRequest
from roomwire_auth.keys.access_tokens import AccessTokens


class ClientTokens:
    """Gives clients access tokens. There are no refresh tokens: a client requests another access token.

    Args:
        clients: The clients that may obtain one.
        access_tokens: Issues the tokens.
        throttle: Decides when a client has to wait.

    """

    def __init__(self, clients: Clients, access_tokens: AccessTokens, throttle: Throttle) -> None:
        self._clients = clients
        self._access_tokens = access_tokens
        self._throttle = throttle

    async def issue(self, request: TokenRequest, *, address: str) -> str:
        """Return an access token for a client.

        Raises:
            Refused: The client does not exist, or the secret is wrong; neither the answer nor its cost tells which.
            TooManyAttempts: The client from this address, or the address, has failed too often.
            Unavailable: The store does not answer.

        """
        attempt = await self._throttle.begin_client(request.client_id, address)
        client = self._clients.find(request.client_id, request.client_secret)
        if client is None:
            known = request.client_id if self._clients.knows(request.client_id) else None
            audit.record(Event.CLIENT_REFUSED, client=known, address=address)
            raise Refused("invalid_client", WRONG_CLIENT)
        await self._throttle.succeed(attempt)
        audit.record(Event.CLIENT_ADMITTED, client=client.id, role=client.role, address=address)
        return self._access_tokens.issue_to_client(client.id, client.capabilities)
