"""Requests from node to node, and their answers. A callable passed in sends the bytes.

A request may be performed and its answer lost: requests are performed at most once, not exactly once. The forms are
`q<node> <number> <body>` and `a<number> <1 if done> <body>`. If the request was not performed because of a rate limit, the body is
`rate_limited`; earlier versions ignore that body.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from roomwire.errors import RateLimited
from roomwire.log.contract import LogObserver, NodeAway, NodeBusy
from roomwire.log.sessions import NodeId
from roomwire.logs import get_logger

_log = get_logger(__name__)

REQUEST: Final = b"q"
ANSWER: Final = b"a"
MAX_SERVING: Final = 1_000

_DONE: Final = b"1"
_NOT_DONE: Final = b"0"
_TOO_MUCH: Final = RateLimited.code.encode()

Send = Callable[[NodeId, bytes, Callable[[], None]], None]
"""Sends bytes to a node. The callable is called if no process listens there."""


class Requests:
    """Sends requests to other nodes, and answers theirs.

    Args:
        node: This node.
        send: Sends a message to a node.
        observer: Answers the requests of other nodes.

    """

    def __init__(self, node: NodeId, send: Send, *, observer: LogObserver) -> None:
        self._observer = observer
        self._node = node
        self._send = send
        self._asked: dict[bytes, asyncio.Future[bytes]] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._number = 0

    async def ask(self, node: NodeId, body: bytes, *, timeout_s: float) -> bytes:
        """Return a node's answer.

        Raises:
            NodeAway: The answer did not arrive in time, or the node failed.
            NodeBusy: The node is overloaded.

        """
        self._number += 1
        number = str(self._number).encode()
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            async with asyncio.timeout(timeout_s):
                message = b"%s%s %s %s" % (REQUEST, self._node.encode(), number, body)
                self._send(node, message, lambda: _refuse(answer))
                return await answer
        except TimeoutError:
            raise NodeAway from None
        finally:
            del self._asked[number]

    async def ask_all(
        self, nodes: Sequence[NodeId], body: bytes, *, timeout_s: float
    ) -> Mapping[NodeId, bytes | None]:
        """Return the answers of several nodes; the answer of a node that did not answer in time is None."""

        async def ask(node: NodeId) -> bytes | None:
            try:
                return await self.ask(node, body, timeout_s=timeout_s)
            except NodeAway:
                return None

        answers = await asyncio.gather(*(ask(node) for node in nodes))
        return dict(zip(nodes, answers, strict=True))

    def dispatch(self, message: bytes) -> None:
        """Dispatch an incoming request or answer; ignore any other message."""
        if message.startswith(ANSWER):
            number, is_done, body = message[1:].split(b" ", 2)
            answer = self._asked.get(number)
            if answer is not None and not answer.done():
                if is_done == _DONE:
                    answer.set_result(body)
                else:
                    answer.set_exception(NodeBusy() if body == _TOO_MUCH else NodeAway())
        elif message.startswith(REQUEST):
            sender, number, body = message[1:].split(b" ", 2)
            self._serve(NodeId(sender.decode()), number, body)

    async def close(self) -> None:
        """End all open requests and answers. Idempotent."""
        for answer in list(self._asked.values()):
            _refuse(answer)
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    def _serve(self, sender: NodeId, number: bytes, body: bytes) -> None:
        if len(self._serving) >= MAX_SERVING:
            self._answer(sender, number, _NOT_DONE)
            return
        answer = self._observer.on_request(sender, body)
        task = asyncio.get_running_loop().create_task(self._work(sender, number, answer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _work(self, sender: NodeId, number: bytes, answering: Awaitable[bytes]) -> None:
        try:
            answer = await answering
        except RateLimited:
            _log.info("request of another node refused", sender=sender)
            self._answer(sender, number, _NOT_DONE, _TOO_MUCH)
        except Exception:
            _log.exception("request of another node failed", sender=sender)
            self._answer(sender, number, _NOT_DONE)
        else:
            self._answer(sender, number, _DONE, answer)

    def _answer(self, sender: NodeId, number: bytes, is_done: bytes, body: bytes = b"") -> None:
        self._send(sender, b"%s%s %s %s" % (ANSWER, number, is_done, body), lambda: None)


def _refuse(answer: "asyncio.Future[bytes]") -> None:
    if not answer.done():
        answer.set_exception(NodeAway())
