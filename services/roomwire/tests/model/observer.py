"""What the log tells a gateway: production's `LogObserver`.

Production logs an exception of an observer's and goes on; here one is a mistake of the simulation's, and ends the run.
"""

from collections.abc import Callable
from typing import Any

from roomwire.log.entries import Entry, Message
from roomwire.log.sessions import NodeId, Tenure
from roomwire.log.streams import Stream


class Observer:
    """Hands on to a gateway, and keeps what that raises."""

    def __init__(self, gateway: Any) -> None:
        self._gateway = gateway

    def on_entry(self, entry: Entry) -> None:
        """Deliver an entry."""
        self._tell(self._gateway.deliver, entry)

    def on_volatile(self, stream: Stream, message: Message) -> None:
        """Deliver a message that is not in the log."""
        self._tell(self._gateway.deliver_volatile, stream, message)

    def on_fenced(self, tenure: Tenure) -> None:
        """Drop a socket."""
        self._tell(self._gateway.fenced, tenure)

    def on_incomplete(self, stream: Stream) -> None:
        """Close the transports of all in a stream."""
        self._tell(self._gateway.close_all, stream)

    def on_loss(self) -> None:
        """Close all transports."""
        self._tell(self._gateway.close_all, None)

    def on_held(self) -> None:
        """Nothing comes until the log is live; the gateway, which gave the link up, knows."""

    def on_live(self) -> None:
        """Ping every client, so that its session is confirmed in an epoch that may be new."""
        self._tell(self._gateway.ping_all)

    async def on_request(self, sender: NodeId, body: bytes) -> bytes:
        """Requests of other nodes are not simulated."""
        raise NotImplementedError

    def _tell(self, tell: Callable[..., None], *what: Any) -> None:
        try:
            tell(*what)
        except Exception as error:
            self._gateway.world.failures.append(error)
            raise
