"""The server's operations on all nodes; see `roomwire.cluster.operations` and `roomwire.cluster.node_events`."""

from collections.abc import Callable

from roomwire.cluster.node_events import Handler, NodeEvents
from roomwire.cluster.operations import Operations
from roomwire.cluster.results import Acks, Changed, Presence, ServerResults, Sockets


class ClusterCalls:
    """Operations over the connected clients of all nodes, as methods of `Server`.

    In all of them, `timeout_s` is the time that each node has for its work, above 0 and at most 300 seconds. A call ends at most
    `questions.ANSWER_S` (2 seconds) later, plus the time in which the log lists the nodes. The result lists a node that did not
    answer in `missing`, by its name, a dot and a random suffix; such a node may have done its part. A client that is away belongs
    to no node and is neither found nor changed, with two exceptions: `presence` finds it, and `disconnect_sockets` ends its
    session.

    The name of a room is a text or a number; a list or tuple names several rooms, as for `emit`.

    Raises, in all of them:
        ValueError: A number is out of range, another node could not know the room by its name, or the room to join is a client's
            own.
        TooLarge: The request has more than 1,000,000 bytes.
        Unavailable: The nodes cannot be listed; nothing was done.
    """

    def __init__(self, operations: Operations, node_events: NodeEvents) -> None:
        self._operations = operations
        self._node_events = node_events

    async def fetch_sockets(
        self, room: object = None, *, namespace: str = "/", timeout_s: float = 5.0, limit: int = 10_000
    ) -> Sockets:
        """Return the connected clients of all nodes, in no particular order.

        Args:
            room: A room, a client's id, or a list of them, whose members are returned. Default: all clients of the namespace.
            namespace: The clients' namespace.
            timeout_s: Seconds that each node has; see the class.
            limit: Maximum number of clients in the result. Each node sends at most 1,000,000 bytes of them; `Sockets.total` is
                their full number.

        """
        return await self._operations.fetch(room, namespace=namespace, timeout_s=timeout_s, limit=limit)

    async def presence(
        self, room: object, *, namespace: str = "/", timeout_s: float = 5.0, limit: int = 1_000
    ) -> Presence:
        """Return the members of a room on all nodes, connected or away, in no particular order.

        A client is a member from its join until it leaves or its session ends: by its disconnect, by a kick, or
        `LogConfig.session_ttl_s` after its last sign of life. The clients of a dead node, and clients that lost their connection,
        are therefore away for as long as they may recover, and then gone. A client whose loss is not yet detected counts as
        connected until its ping times out.

        The members of rooms with more than 100 members are read once for all that ask at the same time or within the next second, so
        that the result may be a second old. That of other rooms shows every join that ended before the call.

        Args:
            room: A room, or a list of rooms; each client is returned once.
            namespace: The clients' namespace.
            timeout_s: Seconds that each node has to report its connected clients; see the class.
            limit: Maximum number of clients in the result, up to 10,000; `Presence.total` is their full number. At most 1,000,000
                bytes of their `data` are read per room.

        Raises:
            ValueError: As the class says, or the room is a client's own, or None.
            Unavailable: The log cannot be read now.

        """
        return await self._operations.presence(room, namespace=namespace, timeout_s=timeout_s, limit=limit)

    async def emit_with_ack(
        self,
        event: str,
        data: object = None,
        *,
        to: object = None,
        namespace: str = "/",
        timeout_s: float = 5.0,
    ) -> Acks:
        """Emit to clients on all nodes and wait for their acks. The event bypasses the log, so clients that are away never get it.

        It follows what this node emitted to the clients before; it may overtake an earlier `emit` of another node. If a client leaves
        without an answer, the call waits until the timeout.

        Args:
            event: The event's name.
            data: The event's argument; a tuple for several.
            to: A room, a client's id, or a list of them. Default: all clients of the namespace.
            namespace: The clients' namespace.
            timeout_s: Seconds within which clients must answer. Each node sends at most 1,000,000 bytes of answers, see
                `Acks.dropped`.

        """
        return await self._operations.emit_with_ack(
            event, data, to=to, namespace=namespace, timeout_s=timeout_s
        )

    async def sockets_join(
        self, room: object, other: object, *, namespace: str = "/", timeout_s: float = 5.0
    ) -> Changed:
        """Add all members of a room (None means all clients) to another room, on all nodes."""
        return await self._operations.join(room, other, namespace=namespace, timeout_s=timeout_s)

    async def sockets_leave(
        self, room: object, other: object, *, namespace: str = "/", timeout_s: float = 5.0
    ) -> Changed:
        """Remove all members of a room (None means all clients) from another room, on all nodes."""
        return await self._operations.leave(room, other, namespace=namespace, timeout_s=timeout_s)

    async def disconnect_sockets(
        self, room: object, *, namespace: str = "/", timeout_s: float = 5.0
    ) -> Changed:
        """Disconnect all members of a room (None means all clients) from the namespace on all nodes, and end their sessions.

        With a room, this also ends the sessions of members that are away, among the first 10,000 members. They count as done, and
        they get a new session when they return. Finding them takes up to `timeout_s` and `questions.ANSWER_S` more.
        """
        return await self._operations.disconnect(room, namespace=namespace, timeout_s=timeout_s)

    def on_server_side(
        self, event: str, handler: Handler | None = None, *, namespace: str = "/"
    ) -> Callable[[Handler], Handler]:
        """Register a handler for an event of other nodes: as a decorator, or with the handler as an argument.

        Args:
            event: The event's name.
            handler: A function or coroutine function of the event's arguments. Its return value is the answer, if the caller waits
                for one. A second handler of an event replaces the first.
            namespace: The namespace of the event.

        """

        def register(handler: Handler) -> Handler:
            self._node_events.on(event, namespace, handler)
            return handler

        if handler is not None:
            register(handler)
        return register

    async def server_side_emit(
        self,
        event: str,
        *args: object,
        namespace: str = "/",
        timeout_s: float = 5.0,
        includes_self: bool = False,
    ) -> ServerResults:
        """Emit an event to all other nodes; return when their handlers have begun or have failed to begin.

        Args:
            event: The event's name.
            args: The handlers' arguments, which MessagePack must be able to encode.
            namespace: The handlers' namespace.
            timeout_s: Seconds that each node has to accept the event; see the class.
            includes_self: Whether the handler of this node runs as well. Default: no, as in Node.

        Raises:
            TypeError, OverflowError: MessagePack cannot encode the arguments. The class lists further errors.
            RateLimited: With `includes_self`, this node runs too many handlers at once; no other node got the event.

        """
        return await self._node_events.emit(
            event,
            args,
            namespace=namespace,
            timeout_s=timeout_s,
            is_answered=False,
            includes_self=includes_self,
        )

    async def server_side_emit_with_ack(
        self, event: str, *args: object, namespace: str = "/", timeout_s: float = 5.0
    ) -> ServerResults:
        """Emit an event to all other nodes as `server_side_emit` does, and wait for the return values of their handlers."""
        return await self._node_events.emit(
            event, args, namespace=namespace, timeout_s=timeout_s, is_answered=True
        )
