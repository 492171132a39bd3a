"""The contract of the relay, to which the engine hands requests for sessions of other nodes."""

import asyncio
from typing import Protocol

from roomwire.protocol.asgi import Receive, Scope, Send


class SessionRelay(Protocol):
    """Forwards requests to the nodes that hold their sessions. `roomwire.relay` has the only implementation."""

    def leads_elsewhere(self, sid: str) -> bool:
        """Return whether a session id is another node's; the session need not exist."""

    async def answer(self, sid: str, scope: Scope, receive: Receive, send: Send) -> bool:
        """Have the session's owner answer a polling request; False if that is impossible and nothing was sent."""

    def websocket(self, sid: str, connections: set[object]) -> asyncio.Protocol:
        """Return the protocol that forwards a WebSocket's request and transport to the session's owner.

        Args:
            sid: The session.
            connections: uvicorn's open connections; the protocol is among them while it is open.

        """
