"""What nodes ask of each other, past the log: requests that name what is wanted, and who here does it.

`local_clients` does what concerns one client, `operations` and `presence` what concerns many; each says so in `serves`.
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
    """What one node asks of another about its clients."""

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
    """Asks other nodes, and answers them.

    Args:
        log: Carries requests and answers.

    Attributes:
        serves: What can be asked for, by `PeerRequest.what`.

    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self.serves: dict[str, Serve] = {}

    async def answer(self, request: bytes) -> bytes:
        """Answer another node; raises NotFound for what nobody here does, as a node of a later version may ask."""
        asked = _decode(request)
        if asked.what not in self.serves:
            raise NotFound
        return await self.serves[asked.what](asked)

    async def others(self) -> Sequence[NodeId]:
        """Return the other nodes; raises `Unavailable` if nobody knows them."""
        return [node for node, _ in (await self._log.nodes()).values() if node != self._log.node]

    async def ask(self, node: NodeId, asked: PeerRequest, *, timeout_s: float = REQUEST_TIMEOUT_S) -> bytes:
        """Ask a node; raises `NodeAway` if it did not do it in time."""
        return await self._log.request(node, _encode(asked), timeout_s=timeout_s)

    async def ask_each(
        self, nodes: Sequence[NodeId], asked: PeerRequest, *, timeout_s: float
    ) -> Mapping[NodeId, bytes | None]:
        """Ask several nodes at once; None for each that did not do it in time."""

        async def ask(node: NodeId) -> bytes | None:
            try:
                return await self.ask(node, asked, timeout_s=timeout_s)
            except NodeAway:
                return None

        return dict(zip(nodes, await asyncio.gather(*map(ask, nodes)), strict=True))
