"""A node (one gateway process within the test), and the log in memory that several nodes share.

A node's work runs in its `Life`, even if another node requested it, so none of a killed node's work continues elsewhere.
"""

import contextvars
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import socketio

from roomwire.app.app import App
from roomwire.app.running import Running, server_of
from roomwire.log.entries import Entry
from roomwire.log.memory.hub import MemoryHub
from roomwire.log.memory.log import MemoryLog
from roomwire.log.sessions import Sid, new_node_id
from roomwire.metrics.gateway import Metrics
from roomwire.protocol.asgi import App as Asgi
from roomwire.protocol.asgi import Receive, Scope, Send
from roomwire.protocol.packets import EnginePacket
from roomwire.rooms.member import Phase
from roomwire.server import Server
from roomwire.testing.life import Life, life_of
from roomwire.testing.loop import VirtualLoop
from roomwire.testing.wires import Wire

T = TypeVar("T")


class SharedHub(MemoryHub):
    """A log in memory that makes each change in the life of the requesting node; pending requests of a killed node are lost."""

    def soon(self, change: Callable[[], None]) -> None:
        """See `MemoryHub`."""
        context = contextvars.copy_context()
        life = life_of(context)

        def make() -> None:
            if life is None or not life.is_over:
                context.run(change)

        # In a context of its own: the first requester may be killed, and the changes of others are still made.
        contextvars.Context().run(super().soon, make)


class NodeLog(MemoryLog):
    """The log of a node: it delivers in the node's life.

    Args:
        name: The node's name.
        hub: The log that the nodes share.
        life: The node's life.
        metrics: The node's metrics.

    """

    def __init__(self, name: str, *, hub: MemoryHub, life: Life, metrics: Metrics) -> None:
        super().__init__(node=new_node_id(name), hub=hub, metrics=metrics)
        self._life = life

    def deliver(self, entry: Entry) -> None:
        """See `MemoryLog`."""
        self._life.enter(super().deliver, entry)

    def fence(self, sid: Sid, newer_claim: int) -> None:
        """See `MemoryLog`."""
        self._life.enter(super().fence, sid, newer_claim)

    def take(self, message: bytes) -> None:
        """See `MemoryLog`."""
        self._life.enter(super().take, message)

    def die(self) -> None:
        """End without leaving the log: the sessions stay, and further calls are refused."""
        self._is_open = False
        self._hub.logs.pop(self.node, None)
        self._primary.nodes.pop(self.node, None)


class Node:
    """A gateway process within the test's process.

    Args:
        name: Its name.
        app: The application.
        hub: The log that it shares with other nodes.
        loop: The test's loop.
        provided: The objects that a process provides to its app, by type, in addition to server and metrics.
        arguments: Further arguments of its `Server`.

    Attributes:
        name: Its name.
        server: Its server.
        metrics: Its metrics.

    """

    def __init__(
        self,
        name: str,
        app: App,
        *,
        hub: SharedHub,
        loop: VirtualLoop,
        provided: Mapping[Any, object],
        arguments: Mapping[str, Any],
    ) -> None:
        self.name = name
        self.metrics = Metrics(clock=loop.time)
        self._life = Life()
        self._log = NodeLog(name, hub=hub, life=self._life, metrics=self.metrics)
        self.server: Server = server_of(
            app,
            log=self._log,
            node_name=name,
            metrics=self.metrics,
            clock=loop.time,
            wall_clock=loop.wall_time,
            **arguments,
        )
        self._running = Running(app, self.server, {Metrics: self.metrics, **provided})
        self._served: Any = socketio.ASGIApp(
            self.server, other_asgi_app=None if app.http is None else self._running.http
        )

    @property
    def is_alive(self) -> bool:
        """Whether it has been neither killed nor stopped."""
        return not self._life.is_over

    @property
    def is_busy(self) -> bool:
        """Whether a handler is running: it may wait for a database, for example."""
        return self.is_alive and any(
            member.phase is not Phase.CONNECTED or member.handling or (member.lane and member.lane.events)
            for connection in self.server.eio.sockets.values()
            for member in connection.members
        )

    def get(self, kind: Callable[..., T]) -> T:
        """Return its gateway of this class, or the object that its lifespan has provided for this type.

        Raises:
            LookupError: There is no such object.

        """
        return self._running.app.get(kind)

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve any request, also to the application's own HTTP: an ASGI application, for `httpx.ASGITransport` for example."""
        await self._served(scope, receive, send)

    async def start(self) -> None:
        """Start the node, including its lifespan, whose exceptions are raised."""
        await self._life.start(self._start())

    async def _start(self) -> None:
        await self.server.join_nodes()
        await self._running.start()

    async def stop(self) -> None:
        """Disconnect its clients and end, as on SIGTERM, but at once; idempotent."""
        if self.is_alive:
            await self._life.start(self._stop())
            self._life.end()
            await self._life.bury()

    async def _stop(self) -> None:
        await self.server.drain(0.0)
        await self._running.close()
        await self.server.close()

    def kill(self) -> None:
        """End it in one moment, as by SIGKILL: nothing of it runs any more, and the other nodes are not told."""
        self._life.end()
        self._log.die()
        # Nor is its application told of any end when its tasks are cancelled later.
        self.server.eio.handlers.clear()

    async def bury(self) -> None:
        """Release what a killed node holds of the test; see `Life.bury`."""
        await self._life.bury()

    def wire(
        self,
        make: Callable[..., Wire],
        headers: Mapping[str, str],
        *,
        hear: Callable[[EnginePacket], None],
        ended: Callable[[str], None],
    ) -> Wire:
        """Create a wire to the node."""
        served: Asgi = self._served
        return make(served, self._life, headers, hear=hear, ended=ended)
