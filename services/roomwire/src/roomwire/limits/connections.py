"""How many connections are open: of a listener, and of each address.

Owns two counts and their bounds. A connection counts from its opening until asyncio tells that it is lost,
whatever protocols it is handed to meanwhile. Its neighbour is `roomwire.serving.http`.
"""

import asyncio
import enum
from typing import cast


class Full(enum.StrEnum):
    """Which bound keeps a connection out."""

    CONNECTIONS = "connections"
    CONNECTIONS_PER_ADDRESS = "connections_per_address"


class Connections:
    """The open connections of one listener.

    Args:
        max_connections: How many there may be. 0: any number.
        max_connections_per_address: How many there may be of one peer address. 0: any number.

    Attributes:
        open: How many there are.
        turned_away: How many there are beside these, for as long as it takes to say no.
        is_closing: Whether the listener is going to close, so that no connection is kept for another request.

    """

    def __init__(self, max_connections: int, *, max_connections_per_address: int) -> None:
        self._max_connections = max_connections
        self._max_connections_per_address = max_connections_per_address
        self._open_by_address: dict[str, int] = {}
        self.open = 0
        self.turned_away = 0
        self.is_closing = False

    def admit(self, address: str) -> Full | None:
        """Count a connection, or say why it has to stay out; what is counted must be released once."""
        same = self._open_by_address.get(address, 0)
        if self._max_connections and self.open >= self._max_connections:
            return Full.CONNECTIONS
        if self._max_connections_per_address and same >= self._max_connections_per_address:
            return Full.CONNECTIONS_PER_ADDRESS
        self.open += 1
        self._open_by_address[address] = same + 1
        return None

    def release(self, address: str) -> None:
        """Count a connection no longer."""
        self.open -= 1
        left = self._open_by_address[address] - 1
        if left:
            self._open_by_address[address] = left
        else:
            del self._open_by_address[address]

    def watch(self, transport: asyncio.BaseTransport, address: str) -> None:
        """Release a connection when it is lost. Its protocol must not hand it over after this.

        asyncio tells of the end once, and only the protocol that the transport then has; from there on the
        transport has none.
        """
        # uvloop may have none.
        protocol = cast("asyncio.BaseProtocol | None", transport.get_protocol())
        if protocol is None:
            self.release(address)
            return
        if isinstance(protocol, asyncio.BufferedProtocol):
            transport.set_protocol(_WatchedBuffered(protocol, self, address))
        else:
            transport.set_protocol(_WatchedStream(cast("asyncio.Protocol", protocol), self, address))


class _Watched(asyncio.BaseProtocol):
    """Stands in for a protocol, to learn of its end.

    Reading costs nothing more: its methods are the protocol's own, bound once.
    """

    __slots__ = ("_address", "_connections", "_protocol")

    def __init__(
        self, protocol: asyncio.Protocol | asyncio.BufferedProtocol, connections: Connections, address: str
    ) -> None:
        self._protocol = protocol
        self._connections = connections
        self._address = address

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.release(self._address)
        self._protocol.connection_lost(exc)

    def eof_received(self) -> bool | None:
        stays_open: bool | None = self._protocol.eof_received()
        return stays_open

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()


class _WatchedStream(_Watched, asyncio.Protocol):
    __slots__ = ("data_received",)

    def __init__(self, protocol: asyncio.Protocol, connections: Connections, address: str) -> None:
        super().__init__(protocol, connections, address)
        self.data_received = protocol.data_received  # type: ignore[method-assign]


class _WatchedBuffered(_Watched, asyncio.BufferedProtocol):
    __slots__ = ("buffer_updated", "get_buffer")

    def __init__(self, protocol: asyncio.BufferedProtocol, connections: Connections, address: str) -> None:
        super().__init__(protocol, connections, address)
        self.get_buffer = protocol.get_buffer  # type: ignore[method-assign]
        self.buffer_updated = protocol.buffer_updated  # type: ignore[method-assign]
