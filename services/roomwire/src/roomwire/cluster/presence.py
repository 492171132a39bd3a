"""Who is in a room, on all nodes, connected or away.

The log's sessions say who is in a room: they outlive transports and gateways. Who of them is connected, the nodes that hold
them are asked; one that does not answer, as it died, has nobody who is.
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
    """Reads who is in rooms, and tells other nodes who of theirs is connected here.

    Args:
        rooms: The clients of this node.
        log: Has the sessions.
        peers: The way to the other nodes.

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
        """Return who is in any of some rooms; each client once.

        Args:
            rooms: The rooms.
            namespace: Theirs.
            timeout_s: How long a node may take to say who is connected.
            limit: Most clients in the result.
            max_bytes: See `Log.present`; of each room.

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
            # Nobody was left out, so that it is known who is in two of them.
            total = len(attendees)
        chosen = [*attendees.values()][:limit]
        connected, missing = await self._ask(chosen, namespace, timeout_s=timeout_s)
        return Presence([_present(one, is_connected=one.sid in connected) for one in chosen], total, missing)

    async def _ask(
        self, attendees: Sequence[Attendee], namespace: str, *, timeout_s: float
    ) -> tuple[set[Sid], Sequence[NodeId]]:
        """Return who is connected, and the nodes that did not say it."""
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
        """Return those of some clients that are connected to this node."""
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
