"""What a handler is given of a connection."""

import asyncio
from typing import Any

import msgspec

from roomwire.server import Handshake, Server
from roomwire.tokens import User


class Socket:
    """One client in one namespace, for as long as it is connected.

    Attributes:
        id: Its id; a room of its own.
        namespace: The namespace it connected to.
        server: The server it is connected to.
        user: Who it is.
        handshake: What it brought when it connected.
        waiting: How many of its events are handled or wait for their turn.
        turn: Held while one of its events is handled: in order, one at a time.
        handling: Marks the event that is being handled.

    """

    def __init__(self, server: Server, sid: str, namespace: str) -> None:
        self.server = server
        self.id = sid
        self.namespace = namespace
        self.waiting = 0
        self.turn = asyncio.Lock()
        self.handling: object = None
        connection = server.connection(sid)
        self.user: User = connection.user
        self.handshake: Handshake = connection.handshake

    async def emit(self, event: str, *args: Any) -> None:
        """Send an event to this client."""
        data = to_wire(args)
        await self.server.emit(event, data, to=self.id, namespace=self.namespace, ignore_queue=True)

    async def broadcast(self, room: str, event: str, *args: Any) -> None:
        """Send an event to everybody in a room, on all gateways, but not to this client.

        Raises:
            Unavailable: The other gateways could not be reached.

        """
        await self.server.emit(event, to_wire(args), to=room, skip_sid=self.id, namespace=self.namespace)

    async def join(self, room: str) -> None:
        """Join a room. Joining twice is joining once."""
        await self.server.enter_room(self.id, room, namespace=self.namespace)

    async def leave(self, room: str) -> None:
        """Leave a room; nothing happens if it is not in there."""
        await self.server.leave_room(self.id, room, namespace=self.namespace)

    def in_room(self, room: str) -> bool:
        """Say whether this client is in a room."""
        return room in self.server.rooms(self.id, namespace=self.namespace)

    async def disconnect(self) -> None:
        """Send the client away. The official client does not come back by itself after this."""
        await self.server.disconnect(self.id, namespace=self.namespace)


def to_wire(value: Any) -> Any:
    """Turn what a handler returns or emits into what python-socketio encodes.

    Structs become objects, dates ISO 8601 texts; binary stays binary, and a tuple stays several arguments.
    """
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(to_wire(item) for item in value)
    return msgspec.to_builtins(value, builtin_types=(bytes, bytearray), str_keys=True)
