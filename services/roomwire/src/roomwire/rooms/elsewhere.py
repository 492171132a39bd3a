"""The contract between the rooms and the way to clients of other nodes."""

from collections.abc import Coroutine, Sequence
from typing import Protocol

from roomwire.log.sessions import NodeId
from roomwire.rooms.emit import Emit


class Elsewhere(Protocol):
    """Reaches the clients of other nodes. `roomwire.cluster.remote_clients` has the only implementation."""

    async def enter(self, sid: str, namespace: str, room: object) -> bool:
        """Make a client of another node a member of a room; return False if no other node has the client."""

    async def leave(self, sid: str, namespace: str, room: object) -> bool:
        """End a membership of a client of another node; return False if no other node has the client."""

    async def call(self, emit: Emit) -> Coroutine[object, object, None] | None:
        """Find a target client of another node; return what emits to it in its first step, and passes its ack to the callback."""

    async def disconnect(self, sid: str, namespace: str) -> None:
        """Disconnect a client of another node, or end the session of a client that is away."""

    async def nodes(self) -> Sequence[NodeId]:
        """Return the other nodes."""

    async def close_room(self, nodes: Sequence[NodeId], name: str, namespace: str) -> None:
        """Close a room on other nodes, by the name under which they know it."""
