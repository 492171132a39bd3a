"""Forwards requests for sessions of other nodes to their owners. Neighbours: `owners` finds nodes, `listener` accepts requests."""

import asyncio
import contextlib
import enum
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Final

from roomwire.engine.engine import Engine
from roomwire.log.contract import Log
from roomwire.logs import get_logger
from roomwire.metrics.gateway import Metrics
from roomwire.protocol.asgi import Receive, Scope, Send
from roomwire.relay.errors import AnswersTooLate, Unreached
from roomwire.relay.exchange import Cut, Exchange
from roomwire.relay.head import polling_head
from roomwire.relay.link import RelayLink, reach
from roomwire.relay.owners import Owner, Owners
from roomwire.relay.proof import Proof, RelayRequest
from roomwire.relay.splice import Splice

_BATCHES_PER_S: Final = 10
_CLEARS_S: Final = 10.0
_FORGOTTEN_S: Final = 60.0

_log = get_logger(__name__)


class RelayKind(enum.StrEnum):
    """The transport of a relayed request: a label of `roomwire_relays_total`."""

    POLLING = "polling"
    WEBSOCKET = "websocket"


class RelayOutcome(enum.StrEnum):
    """The outcome of a relayed request: a label of `roomwire_relays_total`."""

    SERVED = "served"
    """The owner served it until it was answered, or one of the two sides left."""
    UNKNOWN = "unknown"
    """There is no live node of that name."""
    UNREACHED = "unreached"
    """The owner does not answer, or does not prove its identity."""
    FULL = "full"
    """The maximum number of relays is reached, or this node is stopping."""
    CUT = "cut"
    """The owner or this node ended before the request was answered."""


class Relay:
    """Implements `roomwire.engine.relay.SessionRelay`.

    Args:
        engine: The engine whose clients send requests.
        log: The log with the registry of nodes.
        secret: The secret of all nodes.
        max_relays: Maximum simultaneous requests and WebSockets; excess ones are answered as if their owner were gone.
        timeout_s: Time limit for reaching an owner.
        metrics: Counts relays.

    """

    def __init__(
        self,
        engine: Engine,
        *,
        log: Log,
        secret: str,
        max_relays: int = 10_000,
        timeout_s: float = 2.0,
        metrics: Metrics,
    ) -> None:
        self._engine = engine
        self._owners = Owners(log)
        self._secret = secret
        self._max_relays = max_relays
        self._timeout_s = timeout_s
        self._metrics = metrics
        # A killed node counts as unreachable until the registry knows; if nothing is relayed afterwards, no success clears that.
        self._peers = metrics.dependencies.add(
            "relay", clears_after_s=_CLEARS_S, forgets_after_s=_FORGOTTEN_S
        )
        self._count_bytes = metrics.relay_bytes.count
        self._counts = {
            (kind, outcome): metrics.relays.labels(kind.value, outcome.value).inc
            for kind in RelayKind
            for outcome in RelayOutcome
        }
        self._is_over = False
        self._cuts: set[Callable[[], None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        metrics.relays_open.set_function(lambda: len(self._cuts))

    def leads_elsewhere(self, sid: str) -> bool:
        """See `roomwire.engine.relay`."""
        return self._engine.node_of(sid) not in {"", self._engine.node_name}

    async def answer(self, sid: str, scope: Scope, receive: Receive, send: Send) -> bool:
        """See `roomwire.engine.relay`."""
        peer, port = scope.get("client") or ("", 0)
        head = polling_head(scope, believes=self._engine.proxies.believes(peer))
        request = RelayRequest(peer, port or 0, scope.get("scheme", "http"), head)
        limits = self._engine.limits
        exchange = Exchange(
            scope,
            receive,
            send,
            max_body_bytes=limits.max_payload_bytes,
            # A live owner ends a poll with its next ping.
            timeout_s=limits.ping_interval_s + limits.ping_grace_s + limits.ping_timeout_s,
        )
        try:
            async with self._link(RelayKind.POLLING, sid, request, cut=exchange.cut) as link:
                await exchange.over(link)
        except (Unreached, Cut):
            return exchange.has_begun
        return True

    def websocket(self, sid: str, connections: set[object]) -> asyncio.Protocol:
        """See `roomwire.engine.relay`."""

        def link(
            request: RelayRequest, cut: Callable[[], None]
        ) -> contextlib.AbstractAsyncContextManager[RelayLink]:
            return self._link(RelayKind.WEBSOCKET, sid, request, cut=cut)

        return Splice(self._engine, connections, link=link, start=self._start, timeout_s=self._timeout_s)

    async def drain(self, window_s: float) -> None:
        """Cut all relays in batches over a window, then relay nothing more: those clients reconnect to other nodes.

        Args:
            window_s: The window in seconds. 0 cuts all at once.

        """
        cuts = list(self._cuts)
        random.shuffle(cuts)
        batches = max(1, round(window_s * _BATCHES_PER_S))
        size = -(-len(cuts) // batches) or 1
        for start in range(0, len(cuts), size):
            for cut in cuts[start : start + size]:
                cut()
            await asyncio.sleep(window_s / batches)
        self._end()

    async def close(self) -> None:
        """Cut all relays, and wait for their end; idempotent."""
        self._end()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._timeout_s)
        await self._owners.close()

    def _end(self) -> None:
        """Cut all relays, and let no new one begin."""
        self._is_over = True
        for cut in list(self._cuts):
            cut()

    def _start(self, running: Coroutine[object, object, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(running)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @contextlib.asynccontextmanager
    async def _link(
        self, kind: RelayKind, sid: str, request: RelayRequest, *, cut: Callable[[], None]
    ) -> AsyncIterator[RelayLink]:
        """Provide a connection to a session's owner, which already has the request.

        Raises:
            Unreached: The owner cannot be reached.

        """
        if self._is_over or len(self._cuts) >= self._max_relays:
            self._counts[kind, RelayOutcome.FULL]()
            raise Unreached
        outcome = RelayOutcome.CUT
        self._cuts.add(cut)
        try:
            link = await self._reach(sid, request)
            if link is None:
                outcome = RelayOutcome.UNKNOWN
                raise Unreached
            self._peers.works()
            try:
                yield link
                outcome = RelayOutcome.SERVED
            except asyncio.CancelledError:
                outcome = RelayOutcome.SERVED
                raise
            finally:
                link.close()
        except Unreached as error:
            if outcome is not RelayOutcome.UNKNOWN:
                outcome = RelayOutcome.UNREACHED
                self._peers.failed(error)
            raise
        finally:
            self._cuts.discard(cut)
            self._counts[kind, outcome]()

    async def _reach(self, sid: str, request: RelayRequest) -> RelayLink | None:
        """Return a connection to a session's owner; None if there is no such live node."""
        name = self._engine.node_of(sid)
        try:
            async with asyncio.timeout(self._timeout_s):
                owner = await self._owners.find(name)
                if owner is None:
                    return None
                try:
                    return await self._reach_at(owner, request)
                except Unreached:
                    # The node may have restarted since the registry was read.
                    successor = await self._owners.find(name, other_than=owner.node)
                    if successor is None:
                        raise
                    return await self._reach_at(successor, request)
        except TimeoutError as error:
            _log.info("owner of a session not reached in time", owner=name)
            raise AnswersTooLate(name) from error

    async def _reach_at(self, owner: Owner, request: RelayRequest) -> RelayLink:
        proof = Proof(self._secret, owner.node)
        return await reach(owner.host, owner.port, proof, request, count=self._count_bytes)
