"""The base class of gateways."""

import asyncio
import copy
import inspect
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, ClassVar, Unpack

import socketio

from roomwire.cluster.results import Presence
from roomwire.errors import ConfigurationError, Forbidden
from roomwire.gateways.binder import Binder, Interface, Rebinder, declared_by, run_hook
from roomwire.gateways.binding import Binding, subscribed_event
from roomwire.gateways.chain import AnyFilter, Around, Guard, Interceptor, Provided
from roomwire.gateways.errors import TwoHandlers, UnknownEvent
from roomwire.gateways.lane import Handler, Lane
from roomwire.gateways.memberships import Memberships, PresenceChange
from roomwire.gateways.moderation import Moderation
from roomwire.gateways.renewals import Renewals
from roomwire.gateways.reply_streams import ReplyStreams
from roomwire.gateways.socket import Socket, to_wire
from roomwire.gateways.traced import traced
from roomwire.gateways.typists import typing_of
from roomwire.history.contract import HISTORY_BYTES, Recalled
from roomwire.logs import get_logger
from roomwire.rooms.emit import EmitOptions
from roomwire.rooms.member import RoomWatch
from roomwire.rooms.users import is_user_room, user_room
from roomwire.server import Server
from roomwire.server.patterns import NamespacePattern

_log = get_logger(__name__)


class Gateway(Moderation, Renewals, socketio.AsyncNamespace):  # type: ignore[misc] # python-socketio has no types
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
    - `on_disconnection(self, ...)` runs when a client has disconnected and the last of its events has been handled,
      but at most `parting_timeout_s` later: a body parameter gets the reason. If the server disconnected the client
      during an event, the client has already left its rooms;
    - `on_join(self, ...)` runs when a socket has joined a room, also if another gateway or the API made it join: a body
      parameter gets the room. It runs once, before the call that joins returns. That call raises what the hook raises, and the
      socket stays a member. A recovered socket is already in its rooms: `on_join` runs for each of them after
      `on_connection`, with `socket.recovered`;
    - `on_leave(self, ...)` runs once when a socket for which `on_join` ran is no longer in the room: it left, it was removed, or its
      transport closed, even if the session may be recovered. It does not run for the sockets of a gateway that died.

    `guards`, `interceptors` and `filters` of the class run around each of its events and around each connection, including recovered
    sessions, even if the class has no `on_connection`; `subscribe` adds those of one handler (see
    `roomwire.gateways.chain`). They do not run around the other hooks, which cannot be refused.

    A handler that is an async generator sends its caller each value that it yields (see `roomwire.gateways.reply_streams`).

    The events of one connection are handled in order. A handler that awaits delays only later events of its own connection, at
    most `Limits.max_waiting_events` of them. Connections do not wait for each other.

    The class may state the namespace, so that an `App` can read it before there is an instance::

        class Board(Gateway, namespace="/board"): ...

    A namespace with parameters is a pattern: the gateway serves all namespaces that it matches, and a parameter of a handler or a
    hook that is called like one of the pattern's gets its value, converted into its type. Each namespace has a copy of the gateway,
    from its first client here to its last, so that `self.emit` speaks to that namespace. The copies share what the attributes hold.
    `after_init` runs for the pattern alone. See docs/namespaces.md::

        class Tenant(Gateway, namespace="/tenant-{tenant}"):
            async def on_connection(self, tenant: int) -> None: ...

    A class can switch these features on, as in `class Board(Gateway, user_rooms=True, presence_event="presence")`:

    - `user_rooms`: each socket of a user joins that user's room before `on_connection`, so that `to=user_room("ann")` reaches
      all of them; `Socket.join` refuses such names;
    - `presence_event`: this event tells the members of a room which sockets join and leave (`PresenceChange`);
    - `typing_event`: a client emits this event with the name of one of its rooms, and the other members learn that its user is
      typing (`Typing`); if the gateway has its own handler for the event, that handler must call `tell_typing`;
    - `renewal_event`: a client emits this event with `{token}` to stay connected when its token expires (`renew_token`);
    - `max_connections_per_user`: a further socket of a user with this many on all nodes is refused (`rate_limited`);
    - `moderated`: the sockets of a banned user and the events of a muted user are refused (`forbidden`), except for handlers with
      `subscribe(..., requires_voice=False)`;
    - `requires_connect`: a socket whose user's capabilities do not allow `connect` for the name of the namespace is refused
      (`forbidden`).

    Args:
        namespace: The namespace that the gateway serves, or the pattern of several. Default: the class's, which is `/` unless the class states another.
        user_rooms: Overrides the class's `user_rooms`. Default: the class's.
        moderated: Overrides the class's `moderated`. Default: the class's.
        concurrent: Whether the events of one connection are handled at the same time, without an order.

    Attributes:
        bindings: The parameters and the ack of each event's handler.
        class_namespace: The namespace that the class states.
        pattern: The pattern whose namespaces it serves; None if it serves one.
        requires_connect: Whether a user's capabilities must allow `connect` for the name of the namespace.
        has_user_rooms: Whether each socket of a user is in that user's room.
        presence_event: The event that announces joining and leaving. Empty if there is none.
        typing_event: The event that announces typing. Empty if there is none.
        server: The server with which it is registered; set by `register_namespace`.
        parting_timeout_s: How long a running handler may delay the end of its client, which stays in its rooms meanwhile.
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
    requires_connect: bool = False
    presence_event: str = ""
    typing_event: str = ""

    def __init_subclass__(
        cls,
        *,
        namespace: str | None = None,
        user_rooms: bool | None = None,
        presence_event: str | None = None,
        typing_event: str | None = None,
        renewal_event: str | None = None,
        max_connections_per_user: int | None = None,
        moderated: bool | None = None,
        requires_connect: bool | None = None,
        **options: object,
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
        if renewal_event is not None:
            cls.renewal_event = renewal_event
        if max_connections_per_user is not None:
            cls.max_connections_per_user = max_connections_per_user
        if moderated is not None:
            cls.is_moderated = moderated
        if requires_connect is not None:
            cls.requires_connect = requires_connect

    def __init__(
        self,
        namespace: str | None = None,
        *,
        user_rooms: bool | None = None,
        moderated: bool | None = None,
        concurrent: bool = False,
    ) -> None:
        super().__init__(namespace or self.class_namespace)
        self.pattern = NamespacePattern.in_name(self.namespace)
        self._own_namespace = "" if self.pattern is not None else self.namespace
        if user_rooms is not None:
            self.has_user_rooms = user_rooms
        if moderated is not None:
            self.is_moderated = moderated
        self._is_concurrent = concurrent
        self._streams = ReplyStreams()
        self._bind(Around(), None)

    def surround(self, around: Around, provided: Provided) -> None:
        """Bind the handlers again with an application's guards, interceptors, filters and provided values.

        An `App` calls this method before it registers the gateway. Without an `App`, call it before `register_namespace` if there
        are values to provide.

        Args:
            around: The guards, interceptors and filters outside of the gateway's own.
            provided: The values for parameters of handlers and pipes, by type; a `PerCall` is opened for each call.
                A `Verifier` among them verifies the tokens of `renewal_event`.

        Raises:
            ConfigurationError: A handler or a pipe needs a value that is not provided.

        """
        self.verify_by(provided)
        self._bind(around, provided)

    @classmethod
    def subscriptions(cls, namespace: str | None = None) -> Sequence[str]:
        """Return the events that the class subscribes to, in alphabetical order, without calling its constructor.

        Args:
            namespace: The namespace that it serves. Default: the class's.

        Raises:
            ConfigurationError: As for the constructor.

        """
        return sorted(cls.interface(Around(), namespace).events)

    @classmethod
    def interface(cls, around: Around, namespace: str | None = None) -> Interface:
        """Return what the class has for clients, without calling its constructor.

        Args:
            around: The guards, interceptors and filters that run outside of the gateway's own.
            namespace: The namespace that it serves. Default: the class's.

        Raises:
            ConfigurationError: As for the constructor, or the class declares an event twice.

        """
        unmade = object.__new__(cls)
        unmade._streams = ReplyStreams()
        unmade.pattern = NamespacePattern.in_name(namespace or cls.class_namespace)
        binder = unmade._bind(around, None)
        return Interface(binder.events, binder.connections, declared_by(cls))

    def _bind(self, around: Around, provided: Provided | None) -> Binder:
        binder = Binder(
            type(self),
            Around(self.guards, self.interceptors, self.filters),
            provided,
            outer=around,
            is_moderated=self.is_moderated,
            streams=self._streams,
            parameters=() if self.pattern is None else self.pattern.parameters,
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
        if self.renewal_event and self.renewal_event not in handlers:
            handlers[self.renewal_event] = binder.handler(self.renewal_event, self._renewed)
        self._handlers: Mapping[str, Handler] = handlers
        self._traced: Mapping[str, Handler] | None = None
        self.bindings = {event: handled.binding for event, handled in binder.events.items()}
        self._on_connection = binder.connection(getattr(self, "on_connection", None))
        self._on_disconnection = binder.hook("disconnect", getattr(self, "on_disconnection", None))
        self._on_join = binder.hook("join", getattr(self, "on_join", None))
        self._on_leave = binder.hook("leave", getattr(self, "on_leave", None))
        self._watches_rooms = bool(self._on_join or self._on_leave or self.presence_event)
        return binder

    def made_for(self, name: str, parameters: Mapping[str, str]) -> "Gateway":
        """Return the copy of the gateway that serves one namespace of its pattern; the server calls it.

        Args:
            name: The name of the namespace.
            parameters: The parameters in the name.

        Raises:
            InvalidNamespace: A parameter does not have the type that a handler or a hook names.

        """
        gateway = copy.copy(self)
        gateway._serve(name, Rebinder(self, gateway, parameters))  # noqa: SLF001 - it is one of ours
        return gateway

    def _serve(self, name: str, binds: Rebinder) -> None:
        """Become the gateway of one namespace of the pattern."""
        self.namespace = self._own_namespace = name
        self._handlers = {event: binds.rebound(handler) for event, handler in self._handlers.items()}
        self._traced = None
        self._on_connection = binds.hook(self._on_connection)
        self._on_disconnection = binds.hook(self._on_disconnection)
        self._on_join = binds.hook(self._on_join)
        self._on_leave = binds.hook(self._on_leave)

    def _set_server(self, server: Server) -> None:
        """Set the server with which it is registered; python-socketio calls this method."""
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
                `keeps_history`, `except_rooms`, `volatile`, and `namespace`, whose default is the gateway's; the gateway of a
                pattern, outside of its handlers and hooks, has none.

        Raises:
            ConfigurationError: The gateway serves the namespaces of a pattern, and none of them is named.
            Unavailable: The event was not published; try again.
            OutcomeUnknown: The event may have been published; try again with the same `message_id`.
            TooLarge: The message id is too long.
            InvalidBody: A value has more than 500 lists and objects within each other.

        """
        options["namespace"] = options.get("namespace") or self._own_namespace or self._one_of_several()
        # The server's coroutine is returned directly: another one around it would cost each message a step.
        return self.server.emit(event, to_wire(data), **options)

    def _one_of_several(self) -> str:
        raise ConfigurationError(
            f"{type(self).__name__} serves all namespaces {self.namespace!r}: say which one with namespace=..."
        )

    async def history(
        self,
        room: str,
        *,
        limit: int = 50,
        after: str = "",
        before: str = "",
        max_bytes: int = HISTORY_BYTES,
    ) -> Recalled:
        """Return the history of a room, as emits with `keeps_history` stored it, oldest first.

        Args:
            room: The room.
            limit: Maximum number of entries. Default: 50.
            after: A position (`Remembered.position`); the first entries after it are returned. Default: the newest entries.
            before: A position; the last entries before it are returned. Default: as for `after`.
            max_bytes: Maximum size of the entries altogether; one entry is returned whatever its size. `Recalled.has_earlier` and
                `has_more` tell whether there are more, from the first or last position. Default: 1,000,000.

        Raises:
            Unavailable: The history cannot be read now.
            ValueError: Both `after` and `before` are given.
            ConfigurationError: The server has a log in Redis but no history.

        """
        if self.server.history is None:
            raise ConfigurationError("this server has no history: create it with history=open_history(...)")
        namespace = self._own_namespace or self._one_of_several()
        return await self.server.history.recall(
            room, limit=limit, after=after, before=before, max_bytes=max_bytes, namespace=namespace
        )

    async def presence(self, room: str, *, limit: int = 1_000, timeout_s: float = 5.0) -> Presence:
        """Return the sockets in a room on all nodes, connected or away, and how many each user has (`Presence.users`).

        Args:
            room: The room.
            limit: Maximum number of sockets in the result, at most 10,000. Default: 1,000.
            timeout_s: Time limit for each node to list its connected sockets, in seconds. Default: 5.

        Raises:
            Unavailable: Presence cannot be read now.

        """
        namespace = self._own_namespace or self._one_of_several()
        return await self.server.presence(room, namespace=namespace, limit=limit, timeout_s=timeout_s)

    async def tell_typing(self, socket: Socket, room: str, data: object = None) -> None:
        """Tell the other members of a room, on all gateways, that the user of a socket is typing; see `roomwire.gateways.typists`.

        The event is volatile: clients that are away or lag never receive it, and no history stores it.

        Args:
            socket: The socket.
            room: The room.
            data: The argument of `typing_event`. Default: a `Typing`.

        Raises:
            ConfigurationError: The class has no `typing_event`.

        """
        if not self.typing_event:
            raise ConfigurationError(
                f"{type(self).__name__} does not announce typing: give its class a typing_event"
            )
        said = typing_of(socket, room) if data is None else data
        await self.emit(self.typing_event, said, to=room, skip_sid=socket.id, volatile=True)

    async def _typing_told(self, socket: Socket, room: str) -> None:
        """Handle `typing_event` if the gateway has no handler of its own."""
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
        """Pass a connect or disconnect from python-socketio to its hook. Events go through the lane of their connection."""
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
        """Connect a client unless its user is banned or has too many sockets."""
        standings = self.standings()
        await standings.admit(socket.user.id, socket.id, most=self.max_connections_per_user)
        try:
            await self._let_in(socket, lane, auth)
        except BaseException:
            # The client was refused, so that no disconnect follows.
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
        """Run the connect hook, then `on_join` for the rooms in which the socket already is."""
        watch = Memberships(socket, self, is_own=is_user_room if self.has_user_rooms else _is_nobodys)
        socket.member.watch = watch
        try:
            if self._on_connection is not None:
                await run_hook(self._on_connection, socket, {} if auth is None else auth)
            for room in [*socket.member.rooms]:
                await watch.joined(room)
        except BaseException:
            # The client was refused, so that no disconnect follows.
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
