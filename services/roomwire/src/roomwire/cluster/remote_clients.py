"""Clients of other nodes: asks the node that holds a client to perform an operation on it."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Final

import msgspec

from roomwire.cluster.peers import REQUEST_TIMEOUT_S, PeerRequest, Peers
from roomwire.errors import ClientError, RateLimited
from roomwire.log.contract import Log, NodeAway, NodeBusy
from roomwire.log.sessions import NodeId, Sid
from roomwire.log.streams import travelling_name
from roomwire.logs import get_logger
from roomwire.protocol.wire_format import WireFormat
from roomwire.rooms.emit import Emit
from roomwire.rooms.manager import TOO_MANY_ACKS

CALL_TIMEOUT_S: Final = 60.0

_log = get_logger(__name__)


class RemoteClients:
    """Reaches clients of other nodes; the `Elsewhere` of `Rooms`.

    Args:
        log: Knows which node holds a client.
        peers: The access to the other nodes.
        wire: The form of packets on the wire.

    """

    def __init__(self, log: Log, peers: Peers, *, wire: WireFormat) -> None:
        self._log = log
        self._payload = wire.payload
        self._peers = peers

    async def enter(self, sid: str, namespace: str, room: object) -> bool:
        """See `Elsewhere`."""
        return await self._change("enter", sid, namespace, room)

    async def leave(self, sid: str, namespace: str, room: object) -> bool:
        """See `Elsewhere`."""
        return await self._change("leave", sid, namespace, room)

    async def _change(self, what: str, sid: str, namespace: str, room: object) -> bool:
        owner = await self._log.find(Sid(sid))
        if owner is None or owner.node == self._log.node or owner.namespace != namespace:
            return False
        await self._peers.ask(owner.node, PeerRequest(what, namespace, sid, travelling_name(room)))
        return True

    async def call(self, emit: Emit) -> Coroutine[object, object, None] | None:
        """See `Elsewhere`; return None if no other node has the client."""
        sid, callback = str(emit.target), emit.callback
        if callback is None:
            return None
        request = PeerRequest("call", emit.namespace, sid, payload=self._payload(emit.arguments()))
        try:
            owner = await self._log.find(Sid(sid))
        except ClientError as error:
            _log.info("client elsewhere not found", sid=sid, error=error.message)
            return None
        if owner is None or owner.node == self._log.node:
            return None
        return self._call(owner.node, request, callback)

    async def _call(self, node: NodeId, request: PeerRequest, callback: Callable[..., object]) -> None:
        sid = request.sid
        try:
            answer = await self._peers.ask(node, request, timeout_s=CALL_TIMEOUT_S)
        except NodeBusy:
            _log.info("client elsewhere not asked", sid=sid)
            if hasattr(callback, "refuse"):
                callback.refuse(RateLimited(TOO_MANY_ACKS))
            return
        except ClientError as error:
            # As for a client that does not answer: the waiting caller has its own timeout.
            _log.info("no answer of a client elsewhere", sid=sid, error=error.message)
            return
        result = callback(*msgspec.msgpack.decode(answer))
        if asyncio.iscoroutine(result):
            await result

    async def disconnect(self, sid: str, namespace: str) -> None:
        """See `Elsewhere`."""
        owner = await self._log.find(Sid(sid))
        if owner is None or owner.namespace != namespace:
            return
        try:
            await self._peers.ask(owner.node, PeerRequest("disconnect", namespace, sid))
        except NodeAway:
            # No node holds the session, which must not be recovered.
            await self._log.end(Sid(sid))

    async def nodes(self) -> Sequence[NodeId]:
        """See `Elsewhere`; raise `Unavailable` if the nodes cannot be listed."""
        return await self._peers.others()

    async def close_room(self, nodes: Sequence[NodeId], name: str, namespace: str) -> None:
        """See `Elsewhere`; raise `NodeAway` if a node did not do it."""
        asked = PeerRequest("close_room", namespace, "", name)
        if None in (await self._peers.ask_each(nodes, asked, timeout_s=REQUEST_TIMEOUT_S)).values():
            raise NodeAway
