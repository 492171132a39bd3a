"""Requests between nodes outside of the log, and the parts of this node that answer them.

`local_clients` performs requests that concern one client, `operations` and `presence` those that concern many. Each registers
itself in `serves`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec

from roomwire.errors import NotFound
from roomwire.log.contract import Log, NodeAway
from roomwire.log.sessions import NodeId

REQUEST_TIMEOUT_S: Final = 5.0


class PeerRequest(msgspec.Struct, frozen=True, array_like=True):
    """A request of one node to another about its clients."""

    what: str
    namespace: str
    sid: str
    room: str = ""
    payload: bytes = b""


Serve = Callable[[PeerRequest], Awaitable[bytes]]
"""Answers a request."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(PeerRequest).decode


class Peers:
    """Sends requests to other nodes, and answers theirs.

    Args:
        log: Carries requests and answers.

    Attributes:
        serves: The functions that answer requests, by `PeerRequest.what`.

    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self.serves: dict[str, Serve] = {}

    async def answer(self, request: bytes) -> bytes:
        """Answer another node; raise NotFound for a request that this version does not know, as a later version may send one."""
        asked = _decode(request)
        if asked.what not in self.serves:
            raise NotFound
        return await self.serves[asked.what](asked)

    async def others(self) -> Sequence[NodeId]:
        """Return the other nodes; raise `Unavailable` if they cannot be listed."""
        return [node for node, _ in (await self._log.nodes()).values() if node != self._log.node]

    async def ask(self, node: NodeId, asked: PeerRequest, *, timeout_s: float = REQUEST_TIMEOUT_S) -> bytes:
        """Send a request to a node; raise `NodeAway` if it did not perform it in time."""
        return await self._log.request(node, _encode(asked), timeout_s=timeout_s)

    async def ask_each(
        self, nodes: Sequence[NodeId], asked: PeerRequest, *, timeout_s: float
    ) -> Mapping[NodeId, bytes | None]:
        """Send a request to several nodes at once; the answer of a node that did not perform it in time is None."""

        async def ask(node: NodeId) -> bytes | None:
            try:
                return await self.ask(node, asked, timeout_s=timeout_s)
            except NodeAway:
                return None

        return dict(zip(nodes, await asyncio.gather(*map(ask, nodes)), strict=True))
