"""The contract of the relay that the engine asks about a request for a session of another node."""

import asyncio
from typing import Protocol

from roomwire.protocol.asgi import Receive, Scope, Send


class SessionRelay(Protocol):
    """Takes requests to the nodes that hold their sessions. `roomwire.relay` has the one there is."""

    def leads_elsewhere(self, sid: str) -> bool:
        """Say whether a session id is another node's; it need not exist."""

    async def answer(self, sid: str, scope: Scope, receive: Receive, send: Send) -> bool:
        """Have a polling request answered by the session's owner; False: it cannot be, and nothing was said."""

    def websocket(self, sid: str, connections: set[object]) -> asyncio.Protocol:
        """Return what takes a WebSocket's request, and its transport, to the session's owner.

        Args:
            sid: The session.
            connections: uvicorn's open connections: it stands there as long as it is open.

        """
