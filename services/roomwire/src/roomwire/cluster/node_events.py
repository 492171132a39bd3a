"""Events between nodes, which one node emits to the handlers of all others without clients and without the log."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from roomwire.cluster.peers import PeerRequest, Peers
from roomwire.cluster.questions import ANSWER_S, NodeEvent, checked, decode, encode, request
from roomwire.cluster.results import ServerResults
from roomwire.engine.eager import Job
from roomwire.errors import RateLimited
from roomwire.logs import get_logger

MAX_HANDLING: Final = 1_000

Handler = Callable[..., object]
"""Handles an event of another node: gets its arguments and returns the answer. It may be a coroutine function."""

_log = get_logger(__name__)


class NodeEvents:
    """Emits events to the other nodes, and handles theirs.

    Args:
        peers: The access to the other nodes.
        start: Starts a task.

    Attributes:
        handlers: The handlers of other nodes' events, by namespace and event.

    """

    def __init__(self, peers: Peers, *, start: Callable[[Job], object]) -> None:
        self._peers = peers
        self._start = start
        self.handlers: dict[tuple[str, str], Handler] = {}
        self._handling = 0
        peers.serves.update(server_side=self._answer)

    async def emit(
        self,
        event: str,
        args: Sequence[object],
        *,
        namespace: str,
        timeout_s: float,
        is_answered: bool,
        includes_self: bool = False,
    ) -> ServerResults:
        """See `Server.server_side_emit`."""
        taken = NodeEvent(event, list(args), timeout_s if is_answered else 0.0)
        asked = request("server_side", namespace, taken)
        others = await self._peers.others()
        if includes_self:
            await self._answer(asked)
        replies = await self._peers.ask_each(others, asked, timeout_s=checked(timeout_s) + ANSWER_S)
        answers = {node: decode(reply) for node, reply in replies.items() if reply}
        return ServerResults(answers, [node for node in replies if node not in answers])

    def on(self, event: str, namespace: str, handler: Handler) -> None:
        """Register a handler for an event of other nodes. A second handler replaces the first."""
        self.handlers[namespace, event] = handler

    async def _answer(self, asked: PeerRequest) -> bytes:
        """Run the handler for another node's event. An empty answer means that there is no handler."""
        taken = decode(asked.payload, type=NodeEvent)
        handler = self.handlers.get((asked.namespace, taken.event))
        if handler is None:
            return b""
        if self._handling >= MAX_HANDLING:
            raise RateLimited
        self._handling += 1
        handling = self._handle(handler, taken)
        if taken.timeout_s:
            async with asyncio.timeout(taken.timeout_s):
                return encode(await handling)
        self._start(self._logged(handling, taken.event))
        return encode(None)

    async def _handle(self, handler: Handler, taken: NodeEvent) -> object:
        try:
            result = handler(*taken.args)
            return await result if asyncio.iscoroutine(result) else result
        finally:
            self._handling -= 1

    @staticmethod
    async def _logged(handling: Awaitable[object], event: str) -> None:
        try:
            await handling
        except Exception:
            _log.exception("handler of another node's event failed", event_name=event)
