"""Counts the open connections of a listener, or the open sessions of an engine, and those of each address.

Owns two counts and their limits. A connection counts from its opening until asyncio reports its loss, whatever protocols it
is handed to meanwhile. A session counts from its opening to its end, whatever carries it: one TCP connection can carry many over polling. Its neighbours are
`roomwire.serving.http` and `roomwire.engine.engine`.
"""

import asyncio
import enum
from typing import cast


class Full(enum.StrEnum):
    """The limit that refuses a connection."""

    CONNECTIONS = "connections"
    CONNECTIONS_PER_ADDRESS = "connections_per_address"
    MEMORY = "memory"


class Connections:
    """The open connections of one listener.

    Args:
        max_connections: Maximum number of open connections. `0` disables this limit.
        max_connections_per_address: Maximum number of open connections of one peer address. `0` disables this limit.

    Attributes:
        open: Number of open connections.
        turned_away: Number of further connections, which stay open until their refusal is sent.
        is_closing: Whether the listener is closing, so that no connection is kept for another request.

    """

    def __init__(self, max_connections: int, *, max_connections_per_address: int) -> None:
        self._max_connections = max_connections
        self._max_connections_per_address = max_connections_per_address
        self._open_by_address: dict[str, int] = {}
        self.open = 0
        self.turned_away = 0
        self.is_closing = False

    def admit(self, address: str) -> Full | None:
        """Count a connection and return None, or return the limit that refuses it. A counted connection must be released once."""
        full = self.full(address)
        if full is None:
            self.open += 1
            self._open_by_address[address] = self._open_by_address.get(address, 0) + 1
        return full

    def full(self, address: str) -> Full | None:
        """Return the limit that refuses a further connection, or None."""
        if self._max_connections and self.open >= self._max_connections:
            return Full.CONNECTIONS
        same = self._open_by_address.get(address, 0)
        if self._max_connections_per_address and same >= self._max_connections_per_address:
            return Full.CONNECTIONS_PER_ADDRESS
        return None

    def release(self, address: str) -> None:
        """Stop counting a connection."""
        self.open -= 1
        left = self._open_by_address[address] - 1
        if left:
            self._open_by_address[address] = left
        else:
            del self._open_by_address[address]

    def watch(self, transport: asyncio.BaseTransport, address: str) -> None:
        """Release a connection when it is lost. Its protocol must not hand it over after this.

        asyncio reports the end once, to the protocol that the transport has at that time. Afterwards the transport has none.
        """
        # On uvloop there may be none.
        protocol = cast("asyncio.BaseProtocol | None", transport.get_protocol())
        if protocol is None:
            self.release(address)
            return
        if isinstance(protocol, asyncio.BufferedProtocol):
            transport.set_protocol(_WatchedBuffered(protocol, self, address))
        else:
            transport.set_protocol(_WatchedStream(cast("asyncio.Protocol", protocol), self, address))


class _Watched(asyncio.BaseProtocol):
    """Wraps a protocol in order to see the end of its connection.

    Reading costs nothing extra, because the methods are the protocol's own, bound once.
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
