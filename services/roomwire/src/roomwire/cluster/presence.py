"""The members of a room on all nodes, connected or away.

The log's sessions determine the members of a room, because they outlive transports and gateways. The nodes that hold the sessions
report which members are connected. If a node does not answer, because it died, its members count as away.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from roomwire.cluster.peers import PeerRequest, Peers
from roomwire.cluster.results import About, Presence, Present
from roomwire.log.contract import MAX_PRESENT_BYTES, Log
from roomwire.log.sessions import Attendee, NodeId, Sid
from roomwire.log.targets import stream_of
from roomwire.rooms.manager import Rooms
from roomwire.rooms.member import Member, Phase

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_sids: Final = msgspec.msgpack.Decoder(list[Sid]).decode
_decode: Final = msgspec.msgpack.Decoder().decode


class Presences:
    """Lists the members of rooms, and tells other nodes which of them are connected here.

    Args:
        rooms: The clients of this node.
        log: The log with the sessions.
        peers: The access to the other nodes.

    """

    def __init__(self, rooms: Rooms, log: Log, peers: Peers) -> None:
        self._rooms = rooms
        self._log = log
        self._peers = peers
        peers.serves["present"] = self._connected_here

    async def read(
        self,
        rooms: Sequence[object],
        namespace: str,
        *,
        timeout_s: float,
        limit: int,
        max_bytes: int = MAX_PRESENT_BYTES,
    ) -> Presence:
        """Return the members of one or more rooms, each client once.

        Args:
            rooms: The rooms.
            namespace: The namespace of the rooms.
            timeout_s: Time limit for a node to report its connected clients.
            limit: Maximum number of clients in the result.
            max_bytes: See `Log.present`; applies to each room.

        Raises:
            Unavailable: The log cannot be read now.

        """
        found = await asyncio.gather(
            *(
                self._log.present(stream_of(namespace, room), limit=limit, max_bytes=max_bytes)
                for room in rooms
            )
        )
        attendees = {one.sid: one for each in found for one in each.attendees}
        total = sum(each.total for each in found)
        if total == sum(len(each.attendees) for each in found):
            # No member was left out, so members of two rooms are recognised.
            total = len(attendees)
        chosen = [*attendees.values()][:limit]
        connected, missing = await self._ask(chosen, namespace, timeout_s=timeout_s)
        return Presence([_present(one, is_connected=one.sid in connected) for one in chosen], total, missing)

    async def _ask(
        self, attendees: Sequence[Attendee], namespace: str, *, timeout_s: float
    ) -> tuple[set[Sid], Sequence[NodeId]]:
        """Return the connected clients, and the nodes that did not answer."""
        by_node: dict[NodeId, list[Sid]] = defaultdict(list)
        for one in attendees:
            by_node[one.node].append(one.sid)
        connected = {*self._of(by_node.pop(self._log.node, []), namespace)}

        async def ask(node: NodeId, sids: list[Sid]) -> Mapping[NodeId, bytes | None]:
            asked = PeerRequest("present", namespace, "", payload=_encode(sids))
            return await self._peers.ask_each([node], asked, timeout_s=timeout_s)

        missing = []
        for each in await asyncio.gather(*(ask(*item) for item in by_node.items())):
            for node, answer in each.items():
                if answer is None:
                    missing.append(node)
                else:
                    connected.update(_decode_sids(answer))
        return connected, missing

    def _of(self, sids: Sequence[Sid], namespace: str) -> list[Sid]:
        """Return the clients that are connected to this node."""
        members: Iterable[tuple[Sid, Member | None]] = (
            (sid, self._rooms.member(sid, namespace)) for sid in sids
        )
        return [sid for sid, member in members if member is not None and member.phase is Phase.CONNECTED]

    async def _connected_here(self, request: PeerRequest) -> bytes:
        return _encode(self._of(_decode_sids(request.payload), request.namespace))


def _present(one: Attendee, *, is_connected: bool) -> Present:
    about = About.decoded(one.about)
    return Present(
        sid=one.sid,
        user_id=one.subject,
        user_name=about.name,
        user_kind=about.kind,
        node=one.node,
        is_connected=is_connected,
        data=_decode(one.data) if one.data else None,
    )
