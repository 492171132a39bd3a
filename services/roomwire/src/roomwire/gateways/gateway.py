"""The base class of gateways."""

import asyncio
import inspect
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, ClassVar, Unpack

import socketio

from roomwire.cluster.results import Presence
from roomwire.errors import ConfigurationError, Forbidden
from roomwire.gateways.binder import Binder, run_hook
from roomwire.gateways.binding import Binding, subscribed_event
from roomwire.gateways.chain import AnyFilter, Around, Guard, Interceptor
from roomwire.gateways.errors import TwoHandlers, UnknownEvent
from roomwire.gateways.lane import Handler, Lane
from roomwire.gateways.memberships import Memberships, PresenceChange
from roomwire.gateways.moderation import Moderation
from roomwire.gateways.reply_streams import ReplyStreams
from roomwire.gateways.socket import Socket, to_wire
from roomwire.gateways.traced import traced
from roomwire.gateways.typists import typing_of
from roomwire.history.contract import Recalled
from roomwire.logs import get_logger
from roomwire.rooms.emit import EmitOptions
from roomwire.rooms.member import RoomWatch
from roomwire.rooms.users import is_user_room, user_room
from roomwire.server import Server

_log = get_logger(__name__)


class Gateway(Moderation, socketio.AsyncNamespace):  # type: ignore[misc] # python-socketio has no types
    """A namespace whose events are handled by methods.

    Write a class, mark methods with `subscribe`, and register an instance::

        server.register_namespace(ChatGateway("/"))

    Each method's parameters are bound by their types (see `roomwire.gateways.binding`) and its return value
    is the ack. A `ClientError` that it raises reaches the client as an error ack, or as the event
    `exception` if the client waits for no ack; any other exception is logged and becomes `internal`.

    Hooks are methods with these names. All are optional, and their parameters are bound like a handler's:

    - `after_init(self)` runs once, when the server has started;
    - `on_connection(self, ...)` runs when a client has been authenticated, before its connection is
      accepted: a body parameter gets its `auth` payload, and raising a `ClientError` refuses it;
    - `on_disconnection(self, ...)` runs when a client has gone and none of its events is being handled any
      more, or `parting_timeout_s` later: a body parameter gets the reason. A client that is sent away while an
      event of its is being handled has left its rooms by then;
    - `on_join(self, ...)` runs when a socket is in a room, also if another gateway or the API put it there: a body
      parameter gets the room. It runs once, before the call that joins returns. That call raises what the hook raises, and the
      socket stays a member. A socket that was recovered is in its rooms when it is back: `on_join` runs for each of them after
      `on_connection`, with `socket.recovered`;
    - `on_leave(self, ...)` runs once when a socket for which `on_join` ran is in the room no more: it left, it was taken out, or its
      transport is gone, even if it may be recovered. It does not run for the sockets of a gateway that died.

    `guards`, `interceptors` and `filters` of the class run around each of its events and around each connection, recovered
    sessions included, whether it has an `on_connection` or not; `subscribe` adds those of one handler (see
    `roomwire.gateways.chain`). They do not run around the other hooks, which cannot be refused.

    A handler that is an async generator sends its caller each value that it yields (see `roomwire.gateways.reply_streams`).

    The events of one connection are handled in order. A handler that awaits delays only later events of its own connection, at
    most `Limits.max_waiting_events` of them. Connections do not wait for each other.

    The class may state the namespace, so that an `App` can read it before there is an instance::

        class Board(Gateway, namespace="/board"): ...

    Parts that a class switches on, as `class Board(Gateway, user_rooms=True, presence_event="presence")`:

    - `user_rooms`: each socket of a user joins that user's room before `on_connection`, so that `to=user_room("ann")` speaks to
      all of them; `Socket.join` refuses such names;
    - `presence_event`: this event tells the members of a room which sockets join and leave (`PresenceChange`);
    - `typing_event`: a client that emits this event with the name of a room that it is in shows the other members that its user
      writes (`Typing`); a handler of the gateway's own for the event takes its place, and calls `tell_typing`;
    - `max_connections_per_user`: a socket is refused (`rate_limited`) whose user has as many, on all nodes;
    - `moderated`: a socket is refused (`forbidden`) whose user is banned, and so is each event of a user that is muted, unless
      its handler says `subscribe(..., requires_voice=False)`.

    Args:
        namespace: The namespace that the gateway serves. Default: the class's, which is `/` unless the class states another.
        user_rooms: As of the class. Default: what the class says.
        moderated: As of the class. Default: what the class says.
        concurrent: Whether the events of one connection are handled at the same time, without an order.

    Attributes:
        bindings: What the handler of each event takes and answers.
        class_namespace: What the class says of its namespace.
        has_user_rooms: Whether each socket of a user is in that user's room.
        presence_event: The event that tells of joining and leaving; empty: none does.
        typing_event: The event that tells of typing; empty: none does.
        server: The server it is registered with; injected by `register_namespace`.
        parting_timeout_s: How long a handler may hold up the end of its client, which stays in its rooms meanwhile.
            Default: 30.
        offers_recovery: Whether clients are offered recovery if `Server(recovery=None)` leaves it to the gateway. Default: yes.
        guards: They allow or refuse an event or a connection. Default: none.
        interceptors: They run around the handlers and `on_connection`. Default: none.
        filters: They answer exceptions. Default: none.

    Raises:
        ConfigurationError: A handler's parameters cannot be bound, or an event has two handlers.

    """

    bindings: Mapping[str, Binding]
    class_namespace: ClassVar[str] = "/"
    server: Server
    parting_timeout_s: ClassVar[float] = 30.0
    offers_recovery: ClassVar[bool] = True
    guards: ClassVar[Sequence[Guard]] = ()
    interceptors: ClassVar[Sequence[Interceptor]] = ()
    filters: ClassVar[Sequence[AnyFilter]] = ()
    has_user_rooms: bool = False
    presence_event: str = ""
    typing_event: str = ""

    def __init_subclass__(
        cls,
        *,
        namespace: str | None = None,
        user_rooms: bool | None = None,
        presence_event: str | None = None,
        typing_event: str | None = None,
        max_connections_per_user: int | None = None,
        moderated: bool | None = None,
        **options: Any,
    ) -> None:
        super().__init_subclass__(**options)
        if namespace is not None:
            cls.class_namespace = namespace
        if user_rooms is not None:
            cls.has_user_rooms = user_rooms
        if presence_event is not None:
            cls.presence_event = presence_event
        if typing_event is not None:
            cls.typing_event = typing_event
        if max_connections_per_user is not None:
            cls.max_connections_per_user = max_connections_per_user
        if moderated is not None:
            cls.is_moderated = moderated

    def __init__(
        self,
        namespace: str | None = None,
        *,
        user_rooms: bool | None = None,
        moderated: bool | None = None,
        concurrent: bool = False,
    ) -> None:
        super().__init__(namespace or self.class_namespace)
        if user_rooms is not None:
            self.has_user_rooms = user_rooms
        if moderated is not None:
            self.is_moderated = moderated
        self._is_concurrent = concurrent
        self._streams = ReplyStreams()
        self._bind(Around(), None)

    def surround(self, around: Around, provided: Mapping[Any, object]) -> None:
        """Bind the handlers again, with an application's guards, interceptors, filters and provided values.

        An `App` calls this method before it registers the gateway. Without an `App`, call it before `register_namespace` if there
        are values to provide.

        Args:
            around: The guards, interceptors and filters that run outside of the gateway's own.
            provided: The values of parameters of handlers and pipes, by type; a `PerCall` is opened for each call.

        Raises:
            ConfigurationError: A handler or a pipe needs a value that is not provided.

        """
        self._bind(around, provided)

    @classmethod
    def subscriptions(cls) -> Sequence[str]:
        """Return the events that the class subscribes to, in alphabetical order, without calling its constructor.

        Raises:
            ConfigurationError: As for the constructor.

        """
        unmade = object.__new__(cls)
        unmade._streams = ReplyStreams()
        unmade._bind(Around(), None)
        return sorted(unmade._handlers)

    def _bind(self, around: Around, provided: Mapping[Any, object] | None) -> None:
        binder = Binder(
            type(self),
            Around(self.guards, self.interceptors, self.filters).within(around),
            provided,
            is_moderated=self.is_moderated,
            streams=self._streams,
        )
        handlers: dict[str, Handler] = {}
        # Attributes of the class are read, because a property of an unfinished instance must not run.
        for name, member in inspect.getmembers_static(type(self)):
            if event := subscribed_event(member):
                if event in handlers:
                    raise TwoHandlers(type(self), event)
                handlers[event] = binder.handler(event, getattr(self, name))
        if self.typing_event and self.typing_event not in handlers:
            handlers[self.typing_event] = binder.handler(self.typing_event, self._typing_told)
        self._handlers: Mapping[str, Handler] = handlers
        self._traced: Mapping[str, Handler] | None = None
        self.bindings = dict(binder.bindings)
        self._on_connection = binder.connection(getattr(self, "on_connection", None))
        self._on_disconnection = binder.hook("disconnect", getattr(self, "on_disconnection", None))
        self._on_join = binder.hook("join", getattr(self, "on_join", None))
        self._on_leave = binder.hook("leave", getattr(self, "on_leave", None))
        self._watches_rooms = bool(self._on_join or self._on_leave or self.presence_event)

    def _set_server(self, server: Server) -> None:
        """Take the server that it is registered with; python-socketio calls it."""
        super()._set_server(server)
        if self.asks_standings:
            self.hear_of_standings()

    def emit(
        self, event: str, data: object = None, **options: Unpack[EmitOptions]
    ) -> Coroutine[object, object, None]:
        """Send an event to a room, a client or all clients, on all gateways.

        Args:
            event: The event's name.
            data: The event's argument; a tuple for several. Structs become objects.
            options: As for `Server.emit`, by name: `to` or `room`, `skip_sid`, `callback`, `ignore_queue`, `message_id`,
                `keeps_history`, `except_rooms`, `volatile`, and `namespace`, whose default is its own.

        Raises:
            Unavailable: The event was not published; try again.
            OutcomeUnknown: The event may have been published; try again with the same `message_id`.
            TooLarge: The message id is too long.
            InvalidBody: A value has more than 500 lists and objects within each other.

        """
        options["namespace"] = options.get("namespace") or self.namespace
        # The server's coroutine is returned directly: another one around it would cost each message a step.
        return self.server.emit(event, to_wire(data), **options)

    async def history(self, room: str, *, limit: int = 50, after: str = "") -> Recalled:
        """Return the history of a room, as emits with `keeps_history` stored it, oldest first.

        Args:
            room: The room.
            limit: Maximum number of entries. Default: 50.
            after: A position (`Remembered.position`); the first entries after it are returned. Default: the newest entries.

        Raises:
            Unavailable: The history cannot be read now.
            ConfigurationError: The server has a log in Redis and no history.

        """
        if self.server.history is None:
            raise ConfigurationError("this server reads no history: make it with history=open_history(...)")
        return await self.server.history.recall(room, limit=limit, after=after, namespace=self.namespace)

    async def presence(self, room: str, *, limit: int = 1_000, timeout_s: float = 5.0) -> Presence:
        """Return the sockets in a room, on all nodes, connected or away, and how many each user has (`Presence.users`).

        Args:
            room: The room.
            limit: Most sockets in the result, 10,000 at most. Default: 1,000.
            timeout_s: Seconds that each node has to list its connected sockets. Default: 5.

        Raises:
            Unavailable: It cannot be read now.

        """
        return await self.server.presence(room, namespace=self.namespace, limit=limit, timeout_s=timeout_s)

    async def tell_typing(self, socket: Socket, room: str, data: object = None) -> None:
        """Tell the other members of a room, on all gateways, that the user of a socket writes; see `roomwire.gateways.typists`.

        The event is volatile: clients that are away or lag do not receive it, now or later, and no history stores it.

        Args:
            socket: The socket.
            room: The room.
            data: The argument of `typing_event`. Default: a `Typing`.

        Raises:
            ConfigurationError: The class names no `typing_event`.

        """
        if not self.typing_event:
            raise ConfigurationError(
                f"{type(self).__name__} tells of no typing: give its class a typing_event"
            )
        said = typing_of(socket, room) if data is None else data
        await self.emit(self.typing_event, said, to=room, skip_sid=socket.id, volatile=True)

    async def _typing_told(self, socket: Socket, room: str) -> None:
        """Handle `typing_event` where the gateway has no handler of its own."""
        if not socket.in_room(room):
            raise Forbidden("Only a member of a room can type in it.")
        await self.tell_typing(socket, room)

    async def membership_began(self, socket: Socket, room: object) -> None:
        """See `MembershipHooks`."""
        if self._on_join is not None:
            await run_hook(self._on_join, socket, room)

    async def membership_ended(self, socket: Socket, room: object) -> None:
        """See `MembershipHooks`."""
        if self._on_leave is not None:
            await run_hook(self._on_leave, socket, room)

    def tell_membership(self, change: PresenceChange) -> Coroutine[object, object, None]:
        """See `MembershipHooks`."""
        return self.emit(self.presence_event, change, to=change.room)

    async def close_streams(self) -> None:
        """End the handlers that are async generators; the server calls it when the node stops."""
        await self._streams.close()

    async def trigger_event(self, event: str, *args: Any) -> Any:
        """Pass a connect or disconnect from python-socketio to its hook; events take the lane of their connection."""
        if event == "connect":
            return await self._connected(*args)
        if event == "disconnect":
            return await self._disconnected(*args)
        raise UnknownEvent(event)

    async def _connected(self, sid: str, _environ: object, auth: object) -> None:
        socket = Socket(self.server, self.server.member(sid, self.namespace))
        lane = Lane(socket, self._handlers_of(self.server), is_concurrent=self._is_concurrent)
        if self.asks_standings and socket.user.kind != "anonymous":
            await self._admit_user(socket, lane, auth)
        else:
            await self._let_in(socket, lane, auth)

    def _handlers_of(self, server: Server) -> Mapping[str, Handler]:
        """Return the handlers, which run in spans if the server has traces."""
        if server.tracing is None:
            return self._handlers
        if self._traced is None:
            self._traced = traced(self._handlers, server.tracing, self.namespace)
        return self._traced

    async def _admit_user(self, socket: Socket, lane: Lane, auth: object) -> None:
        """Connect a client whose user has a place left and is not banned."""
        standings = self.standings()
        await standings.admit(socket.user.id, socket.id, most=self.max_connections_per_user)
        try:
            await self._let_in(socket, lane, auth)
        except BaseException:
            # It is not let in, and so no disconnect follows.
            await standings.part(socket.id)
            raise

    async def _let_in(self, socket: Socket, lane: Lane, auth: object) -> None:
        """Put a client into its user's room, and run the connect hook."""
        if self.has_user_rooms and socket.user.kind != "anonymous":
            await self.server.enter_room(socket.id, user_room(socket.user.id), namespace=self.namespace)
        if self._watches_rooms:
            await self._welcomed(socket, auth)
        elif self._on_connection is not None:
            await run_hook(self._on_connection, socket, {} if auth is None else auth)
        socket.member.lane = lane

    async def _welcomed(self, socket: Socket, auth: object) -> None:
        """Run the connect hook, and tell of the rooms that the socket is in."""
        watch = Memberships(socket, self, is_own=is_user_room if self.has_user_rooms else _is_nobodys)
        socket.member.watch = watch
        try:
            if self._on_connection is not None:
                await run_hook(self._on_connection, socket, {} if auth is None else auth)
            for room in [*socket.member.rooms]:
                await watch.joined(room)
        except BaseException:
            # It is not let in, and so no disconnect follows.
            await watch.end()
            raise

    async def _disconnected(self, sid: str, reason: str) -> None:
        lane = self.server.member(sid, self.namespace).lane
        if not isinstance(lane, Lane):
            return
        lane.stop()
        watch = lane.socket.member.watch
        if lane.events and not self.server.eio.is_parting:
            # One of the client's own handlers may disconnect it; that handler must not wait for its own end.
            self.server.begin(self._part(lane, reason, watch))
        else:
            await self._part(lane, reason, watch)

    async def _part(self, lane: Lane, reason: str, watch: RoomWatch | None) -> None:
        try:
            async with asyncio.timeout(self.parting_timeout_s):
                await lane.idle()
        except TimeoutError:
            _log.warning("handler outlives its client", sid=lane.socket.id, namespace=self.namespace)
        if isinstance(watch, Memberships):
            await watch.end()
        if self.asks_standings:
            await self.standings().part(lane.socket.id)
        if self._on_disconnection is not None:
            await run_hook(self._on_disconnection, lane.socket, reason)


def _is_nobodys(_room: object) -> bool:
    return False
