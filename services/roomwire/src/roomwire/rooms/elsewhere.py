"""The way to clients of other nodes: the contract that the rooms have with it."""

from collections.abc import Sequence
from typing import Protocol

from roomwire.log.sessions import NodeId
from roomwire.rooms.emit import Emit


class Elsewhere(Protocol):
    """Reaches the clients of other nodes. `roomwire.cluster.remote_clients` has the one there is."""

    async def enter(self, sid: str, namespace: str, room: object) -> bool:
        """Make a client of another node a member of a room; False if no other node has it."""

    async def leave(self, sid: str, namespace: str, room: object) -> bool:
        """End a membership of a client of another node; False if no other node has it."""

    async def call(self, emit: Emit) -> None:
        """Emit to the client of another node that is the target, and give its ack to the callback."""

    async def disconnect(self, sid: str, namespace: str) -> None:
        """Send a client of another node away, or end the session of one that is away."""

    async def nodes(self) -> Sequence[NodeId]:
        """Return the other nodes."""

    async def close_room(self, nodes: Sequence[NodeId], name: str, namespace: str) -> None:
        """Close a room on other nodes, by the name that they know it by."""
