"""Operations on the clients of all nodes.

This module owns the requests to all nodes and the limits on their answers; `answers` answers the requests to this node. Operations
are not in the log and reach only clients that are connected now. They neither reach nor change a client that is away, except for a
kick, which ends its session.

Every call ends: a node has `timeout_s` for its work and `ANSWER_S` more for the transfer. The result lists a node that did not or
could not answer by then in `missing`; such a node may have performed the request.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from roomwire.cluster.peers import Peers
from roomwire.cluster.presence import Presences
from roomwire.cluster.questions import (
    ANSWER_S,
    Answered,
    Asked,
    Counted,
    Found,
    checked,
    decode,
    names,
    request,
)
from roomwire.cluster.results import Acks, Changed, Presence, RemoteSocket, Sockets
from roomwire.cluster.shared import Shared
from roomwire.errors import ClientError
from roomwire.log.contract import Log
from roomwire.log.sessions import NodeId, Sid, is_sid
from roomwire.log.streams import room_of, travelling_name
from roomwire.protocol.payloads import arguments_of
from roomwire.protocol.wire_format import WireFormat

MAX_PRESENT: Final = 10_000
CROWD: Final = 100
"""The members of rooms with more members than this are read once for all that ask within a moment."""
_AT_ONCE: Final = 100


class Operations:
    """Performs operations on all nodes.

    Args:
        log: The log with the sessions.
        peers: The access to the nodes, this one included.
        presences: Lists the members of rooms, connected or away.
        wire: The form of packets on the wire.

    """

    def __init__(self, log: Log, peers: Peers, presences: Presences, *, wire: WireFormat) -> None:
        self._log = log
        self._peers = peers
        self._presences = presences
        self._payload = wire.payload
        self._shared: Shared[Presence] = Shared(_is_of_a_crowd)

    async def fetch(self, to: object, *, namespace: str, timeout_s: float, limit: int) -> Sockets:
        """See `Server.fetch_sockets`."""
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit!r}")
        asked = Asked(names(to), timeout_s, limit)
        answers, missing = await self._ask_all("fetch", namespace, asked)
        found = [decode(answer, type=Found) for answer in answers.values()]
        raw = [one for each in found for one in each.sockets][:limit]
        sockets = [decode(one, type=RemoteSocket) for one in raw]
        return Sockets(sockets, sum(each.total for each in found), missing)

    async def presence(self, room: object, *, namespace: str, timeout_s: float, limit: int) -> Presence:
        """See `Server.presence`."""
        if not 1 <= limit <= MAX_PRESENT:
            raise ValueError(f"limit must be at least 1 and at most {MAX_PRESENT}, not {limit!r}")
        rooms = [room_of(name) for name in names(room)]
        if not rooms or any(isinstance(one, str) and is_sid(one) for one in rooms):
            raise ValueError("presence needs the name of a room, not the id of a client")
        timeout_s = checked(timeout_s) + ANSWER_S
        # A node knows other nodes' rooms by the name's type as well: 1 is not "1", and True is not 1.
        question = (namespace, limit, *((type(one), one) for one in rooms))
        return await self._shared.get(
            question, lambda: self._presences.read(rooms, namespace, timeout_s=timeout_s, limit=limit)
        )

    async def emit_with_ack(
        self, event: str, data: object, *, to: object, namespace: str, timeout_s: float
    ) -> Acks:
        """See `Server.emit_with_ack`."""
        payload = self._payload([event, *arguments_of(data)])
        asked = Asked(names(to), timeout_s, event=payload)
        replies, missing = await self._ask_all("ask", namespace, asked)
        answered = [decode(reply, type=Answered) for reply in replies.values()]
        answers = {sid: _value(decode(raw)) for each in answered for sid, raw in each.answers.items()}
        expected, received = sum(one.expected for one in answered), sum(one.received for one in answered)
        dropped = sum(one.dropped for one in answered)
        return Acks(answers, expected, received, dropped, missing, received < expected)

    async def join(self, to: object, other: object, *, namespace: str, timeout_s: float) -> Changed:
        """See `Server.sockets_join`."""
        if isinstance(other, str) and is_sid(other):
            raise ValueError("cannot enter a sid room")
        return await self._change("join_all", to, namespace, timeout_s, travelling_name(other))

    async def leave(self, to: object, other: object, *, namespace: str, timeout_s: float) -> Changed:
        """See `Server.sockets_leave`."""
        return await self._change("leave_all", to, namespace, timeout_s, travelling_name(other))

    async def disconnect(self, to: object, *, namespace: str, timeout_s: float) -> Changed:
        """See `Server.disconnect_sockets`."""
        away = await self._away(to, namespace, timeout_s)
        changed = await self._change("disconnect_all", to, namespace, timeout_s)
        ended = failed = 0
        for start in range(0, len(away), _AT_ONCE):
            ends = (self._log.end(sid) for sid in away[start : start + _AT_ONCE])
            for outcome in await asyncio.gather(*ends, return_exceptions=True):
                if isinstance(outcome, BaseException) and not isinstance(outcome, ClientError):
                    raise outcome
                ended += outcome is True
                failed += isinstance(outcome, ClientError)
        return Changed(changed.done + ended, changed.failed + failed, changed.missing)

    async def _away(self, to: object, namespace: str, timeout_s: float) -> Sequence[Sid]:
        """Return the targeted clients that are not connected."""
        targets = [room_of(name) for name in names(to)]
        sids = [Sid(one) for one in targets if isinstance(one, str) and is_sid(one)]
        rooms = [one for one in targets if one not in sids]
        timeout_s = checked(timeout_s) + ANSWER_S
        presence = await self._presences.read(
            rooms, namespace, timeout_s=timeout_s, limit=MAX_PRESENT, max_bytes=0
        )
        away = [Sid(one.sid) for one in presence.present if not one.is_connected]
        owners = zip(sids, await asyncio.gather(*map(self._log.find, sids)), strict=True)
        return [*away, *(sid for sid, owner in owners if owner is not None and owner.namespace == namespace)]

    async def _change(
        self, what: str, to: object, namespace: str, timeout_s: float, other: str = ""
    ) -> Changed:
        answers, missing = await self._ask_all(what, namespace, Asked(names(to), timeout_s, other=other))
        counts = [decode(answer, type=Counted) for answer in answers.values()]
        return Changed(sum(one.done for one in counts), sum(one.failed for one in counts), missing)

    async def _ask_all(
        self, what: str, namespace: str, asked: Asked
    ) -> tuple[Mapping[NodeId, bytes], Sequence[NodeId]]:
        """Send a request to all nodes, this one included; return their answers, and the nodes without one."""
        timeout_s = checked(asked.timeout_s) + ANSWER_S
        asking = request(what, namespace, asked)
        # The nodes are listed first: if that fails, nothing has been done.
        others = await self._peers.others()
        # This node is called directly, so its own clients are reached even without other nodes.
        mine, replies = await asyncio.gather(
            self._peers.serves[what](asking),
            self._peers.ask_each(others, asking, timeout_s=timeout_s),
        )
        answers = {node: reply for node, reply in replies.items() if reply is not None}
        answers[self._log.node] = mine
        return answers, [node for node in others if node not in answers]


def _value(args: Sequence[object]) -> object:
    return tuple(args) if len(args) > 1 else args[0] if args else None


def _is_of_a_crowd(presence: Presence) -> bool:
    return presence.total > CROWD
