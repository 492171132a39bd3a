"""What the server asks of all nodes; see `roomwire.cluster.operations` and `roomwire.cluster.node_events`."""

from collections.abc import Callable

from roomwire.cluster.node_events import Handler, NodeEvents
from roomwire.cluster.operations import Operations
from roomwire.cluster.results import Acks, Changed, Presence, ServerResults, Sockets


class ClusterCalls:
    """Operations over the connected clients of all nodes, as methods of `Server`.

    For all of them: `timeout_s` is what each node has for its work, more than 0 and at most 300 seconds; a call ends at
    most `questions.ANSWER_S` (2 seconds) later, beside the time that the log takes to say which nodes there are. A node
    that did not answer is `missing` in the result, by its name, a dot and something random; it may have done its part.
    Clients that are away, and can still come back to their sessions, are nobody's: they are neither found nor changed, but
    for `presence`, which finds them, and `disconnect_sockets`, which ends their sessions.

    A room that is no text has to be a number; a list or tuple names several, as for `emit`.

    Raises, all of them:
        ValueError: A number is out of range, another node could not know the room by its name, or the room to be joined
            is a client's own.
        TooLarge: What is to be sent has more than 1,000,000 bytes.
        Unavailable: Nobody knows which nodes there are; nothing was done.
    """

    def __init__(self, operations: Operations, node_events: NodeEvents) -> None:
        self._operations = operations
        self._node_events = node_events

    async def fetch_sockets(
        self, room: object = None, *, namespace: str = "/", timeout_s: float = 5.0, limit: int = 10_000
    ) -> Sockets:
        """Return who is connected, on all nodes, in no particular order.

        Args:
            room: Whose members: a room, a client's id, or a list of them. Default: everybody in the namespace.
            namespace: Whose clients.
            timeout_s: Seconds that each node has; see the class.
            limit: Most clients in the result. Each node sends at most 1,000,000 bytes of them; `Sockets.total` says how
                many there are.

        """
        return await self._operations.fetch(room, namespace=namespace, timeout_s=timeout_s, limit=limit)

    async def presence(
        self, room: object, *, namespace: str = "/", timeout_s: float = 5.0, limit: int = 1_000
    ) -> Presence:
        """Return who is in a room, on all nodes, connected or away, in no particular order.

        Whoever joined is in it until it leaves or its session ends: by its goodbye, by a kick, or by `LogConfig.session_ttl_s`
        after its last sign of life. So those of a node that died, or that are cut off, are away for as long as they may
        come back, and then gone. One that is cut off unnoticed counts as connected until its ping is not answered.

        Args:
            room: A room, or a list of them, of which each client is found once.
            namespace: Whose clients.
            timeout_s: Seconds that each node has to say who is connected; see the class.
            limit: Most clients in the result, 10,000 at most; `Presence.total` says how many there are. Their `data` are
                read as far as 1,000,000 bytes of each room go.

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
        """Emit to clients on all nodes, and wait for their acks; past the log, so who is away does not get it later.

        Its place among what is emitted otherwise is not settled: it may overtake what `emit` was told before. A client that
        leaves without an answer is waited for until the time is up.

        Args:
            event: The event's name.
            data: Its argument; a tuple for several.
            to: A room, a client's id, or a list of them. Default: everybody in the namespace.
            namespace: Whose clients.
            timeout_s: Seconds that clients have. Each node sends at most 1,000,000 bytes of answers, see `Acks.dropped`.

        """
        return await self._operations.emit_with_ack(
            event, data, to=to, namespace=namespace, timeout_s=timeout_s
        )

    async def sockets_join(
        self, room: object, other: object, *, namespace: str = "/", timeout_s: float = 5.0
    ) -> Changed:
        """Make all members of a room (None: everybody) members of another, on all nodes."""
        return await self._operations.join(room, other, namespace=namespace, timeout_s=timeout_s)

    async def sockets_leave(
        self, room: object, other: object, *, namespace: str = "/", timeout_s: float = 5.0
    ) -> Changed:
        """End the membership of all members of a room (None: everybody) in another, on all nodes."""
        return await self._operations.leave(room, other, namespace=namespace, timeout_s=timeout_s)

    async def disconnect_sockets(
        self, room: object, *, namespace: str = "/", timeout_s: float = 5.0
    ) -> Changed:
        """Disconnect all members of a room (None: everybody) from the namespace, on all nodes; their sessions end.

        Of a room, so do the sessions of members that are away, of the first 10,000 members; they are counted as done, and get
        a fresh session when they come back. Finding them takes up to `timeout_s` and `questions.ANSWER_S` more.
        """
        return await self._operations.disconnect(room, namespace=namespace, timeout_s=timeout_s)

    def on_server_side(
        self, event: str, handler: Handler | None = None, *, namespace: str = "/"
    ) -> Callable[[Handler], Handler]:
        """Have an event of other nodes handled: a decorator, or with the handler given.

        Args:
            event: The event's name.
            handler: A function or coroutine function of the event's arguments; what it returns is the answer, if one is
                asked for. A second one for an event takes the place of the first.
            namespace: Where it is said.

        """

        def register(handler: Handler) -> Handler:
            self._node_events.on(event, namespace, handler)
            return handler

        if handler is not None:
            register(handler)
        return register

    async def server_side_emit(
        self, event: str, *args: object, namespace: str = "/", timeout_s: float = 5.0
    ) -> ServerResults:
        """Tell all other nodes something; returns when their handlers have begun, or cannot.

        Args:
            event: The event's name.
            args: What the handlers get; what MessagePack can hold.
            namespace: Whose handlers.
            timeout_s: Seconds that each node has to take it; see the class.

        Raises:
            TypeError, OverflowError: MessagePack cannot hold the arguments; beside those of the class.

        """
        return await self._node_events.emit(
            event, args, namespace=namespace, timeout_s=timeout_s, is_answered=False
        )

    async def server_side_emit_with_ack(
        self, event: str, *args: object, namespace: str = "/", timeout_s: float = 5.0
    ) -> ServerResults:
        """Ask all other nodes something; as `server_side_emit`, and it waits for what their handlers return."""
        return await self._node_events.emit(
            event, args, namespace=namespace, timeout_s=timeout_s, is_answered=True
        )
