"""`App`: the object that declares what a gateway process serves.

Creating it binds its gateways and does nothing else: it starts no server and needs no event loop. A process runs it as a
`roomwire.app.running.Running`.
"""

import copy
import inspect
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, TypeVar

from roomwire.app.providers import needs_of
from roomwire.errors import ApplicationError, ConfigurationError
from roomwire.gateways import Gateway
from roomwire.gateways.chain import (
    AnyFilter,
    Around,
    Call,
    Guard,
    Interceptor,
    Kind,
    PerCall,
    Provided,
    value_of,
)
from roomwire.gateways.errors import type_name
from roomwire.identity.capabilities import Policy
from roomwire.protocol.asgi import App as Asgi
from roomwire.rooms.handshake import Authenticate, everyone
from roomwire.server import Server
from roomwire.server.drop_in import is_of_admin

if TYPE_CHECKING:
    # That module needs packages that only a serving process has.
    from roomwire.app.api.actions import Actions

_T = TypeVar("_T")


class App:
    """Declares what a gateway process serves: gateways, an HTTP application beside them, and what they need.

    ::

        app = App(Board)

    `roomwire serve board:app` serves it, with all settings of a gateway (`ROOMWIRE_...`).

    A gateway's class is bound immediately, and its instance is created in the lifespan: each parameter of its constructor gets
    the value that was provided for its type. The process itself provides its `Server`, its settings, and the objects that are
    built from them: see docs/application.md.

    Args:
        gateways: Classes of gateways, or instances.
        lifespan: An async context manager that gets the app. It opens and provides what the application needs, and closes it
            after the last client has gone. If it raises `Unavailable` on entry, it is entered again. Default: none.
        http: An ASGI application that gets all requests and WebSockets that are not Socket.IO. Default: they get 404.
        authenticate: Decides about handshakes after ROOMWIRE_AUTH_MODE. It returns the identity of a client without a token,
            where such clients are admitted, and may refuse any client. Default: a client without a token is anonymous.
        policy: The permissions of each role, unless ROOMWIRE_POLICY_FILE is set. Default: the package's policy.
        server: A server with handlers of its own, which is then served; the settings take precedence over its arguments.
            Default: the process creates one.
        api: Creates, in the lifespan and from the app, the `roomwire.app.api.actions.Actions` of the HTTP API for backends
            (ROOMWIRE_API_PORT). Default: the actions that any application supports.
        guards: They allow or refuse an event or a connection of any gateway, before the gateways' own guards. Default: none.
        interceptors: They run around the handlers and `on_connection` of all gateways. Default: none.
        filters: They answer exceptions of all gateways, after the gateways' own filters. Default: none.
        name: The name in log lines and messages.

    Raises:
        ApplicationError: A gateway cannot be bound, a namespace has two gateways, or the app has guards, interceptors or filters
            and its server has handlers outside of gateways, around which they cannot run.

    """

    def __init__(
        self,
        *gateways: type[Gateway] | Gateway,
        lifespan: "Callable[[App], AbstractAsyncContextManager[object]] | None" = None,
        http: Asgi | None = None,
        authenticate: Authenticate | None = None,
        policy: Policy | None = None,
        server: Server | None = None,
        api: "Callable[[App], Actions] | None" = None,
        guards: Sequence[Guard] = (),
        interceptors: Sequence[Interceptor] = (),
        filters: Sequence[AnyFilter] = (),
        name: str = "gateway",
    ) -> None:
        self.gateways = gateways
        self.lifespan = lifespan
        self.http = http
        self.authenticate = authenticate
        self.policy = policy
        self.server = server
        self.api = api
        self.around = Around(tuple(guards), tuple(interceptors), tuple(filters))
        self.name = name
        if server is not None and server.arguments["authenticate"] is not everyone:
            if authenticate is not None:
                raise ApplicationError("bind", "both the App and its server set authenticate: set it once")
            self.authenticate = server.arguments["authenticate"]
        self._provided: ChainMap[Kind, object] = ChainMap()
        self._is_running = False
        if lifespan is not None and inspect.isasyncgenfunction(lifespan):
            raise ApplicationError(
                "bind",
                f"the lifespan {type_name(lifespan)} is not an async context manager: decorate it with @contextlib.asynccontextmanager",
            )
        self.bind()

    def bind(self) -> Mapping[str, Sequence[str]]:
        """Bind the handlers, without running the lifespan.

        Returns:
            The subscribed events by namespace, without the functions' `connect` and `disconnect`.

        Raises:
            ApplicationError: A gateway cannot be bound, or a namespace has two gateways.

        """
        events: dict[str, list[str]] = {}
        owners: dict[str, str] = {}
        for namespace, owner, subscribed in self._bound():
            if namespace in owners:
                raise ApplicationError(
                    "bind", f"the namespace {namespace!r} is served by {owners[namespace]} and by {owner}"
                )
            owners[namespace] = owner
            events[namespace] = sorted(subscribed)
        return events

    def _bound(self) -> Iterator[tuple[str, str, Sequence[str]]]:
        """Yield each namespace with its owner's name and its events."""
        for gateway in self.gateways:
            kind: type = gateway if isinstance(gateway, type) else type(gateway)
            if not issubclass(kind, Gateway):
                raise ApplicationError(
                    "bind", f"an App takes gateways, as classes or instances: {gateway!r} is neither"
                )
            try:
                namespace = gateway.namespace if isinstance(gateway, Gateway) else None
                subscribed = sorted(kind.interface(self.around, namespace).events)
            except ConfigurationError as error:
                raise ApplicationError("bind", str(error)) from error
            if isinstance(gateway, type):
                needs_of(gateway)
                yield gateway.class_namespace, kind.__name__, subscribed
            else:
                yield gateway.namespace, kind.__name__, subscribed
        if self.server is not None:
            self.refuse_unguarded(self.server)
            functions_of = self.server.registered_functions()
            for namespace, functions in functions_of.items():
                known = [event for event in functions if event not in self.server.reserved_events]
                yield namespace, "functions of the server", known
            for namespace, handler in self.server.registered_handlers().items():
                if handler not in self.gateways and namespace not in functions_of:
                    events = handler.subscriptions(namespace) if isinstance(handler, Gateway) else []
                    yield namespace, type(handler).__name__, events

    def refuse_unguarded(self, server: Server) -> None:
        """Refuse a server that has handlers around which the app's guards would not run.

        Raises:
            ApplicationError: The server has such handlers, and the app has guards, interceptors or filters.

        """
        # The admin of `instrument` has an authentication of its own, and no gateway could be made of it.
        unguarded = [
            name for name, functions in server.registered_functions().items() if not _has_admin(functions)
        ]
        unguarded += [
            name for name, each in server.registered_handlers().items() if not isinstance(each, Gateway)
        ]
        if self.around and unguarded:
            raise ApplicationError(
                "bind",
                "guards, interceptors and filters of an App run around gateways alone, and its server handles the namespace "
                f"{unguarded[0]!r} by functions: make a Gateway of them",
            )

    def refuse_instrumented(self) -> None:
        """Refuse a server that was instrumented before it is served: it is assembled anew, without what `instrument` has attached.

        Raises:
            ApplicationError: The app brings such a server.

        """
        if self.server is not None and any(map(_has_admin, self.server.handlers.values())):
            raise ApplicationError(
                "bind",
                "sio.instrument was called before the server is served, which attaches it to parts that are replaced: call it in the lifespan",
            )

    def provide(self, kind: Callable[..., _T], value: _T) -> None:
        """Provide a value to the constructors of gateways, and to handlers and pipes with a parameter of its type.

        Args:
            kind: The type by which constructors and handlers request the value: a class, a protocol or a `NewType`.
            value: The value.

        Raises:
            ApplicationError: The type is one of Python's own, which is too general.

        """
        self._may_be_meant(kind)
        self._provided[kind] = value

    def provide_per_call(
        self, kind: Callable[..., _T], opened: Callable[[Call], AbstractAsyncContextManager[_T]]
    ) -> None:
        """Provide a separate value for each call whose handler or pipe has a parameter of a type.

        Args:
            kind: The type.
            opened: Returns, given the call, an async context manager of the value. The context is left when the handler has
                ended, with the exception that the handler raised.

        Raises:
            ApplicationError: As for `provide`.

        """
        self._may_be_meant(kind)
        self._provided[kind] = PerCall(opened)

    def _may_be_meant(self, kind: Callable[..., object]) -> None:
        """Refuse a type that is too general to identify a value.

        Raises:
            ApplicationError: The type is one of Python's own.

        """
        if getattr(kind, "__module__", "") == "builtins":
            raise ApplicationError(
                "lifespan",
                f"{type_name(kind)} is too general to identify what is provided: use a class or a NewType of your own",
            )

    def get(self, kind: Callable[..., _T]) -> _T:
        """Return the value that was provided for a type or, for the class of a gateway, its instance.

        Raises:
            LookupError: No value was provided.

        """
        return value_of(self._provided, kind)

    def add(self, gateway: Gateway) -> None:
        """Serve a gateway that the lifespan has created, in place of one that the process would create.

        Raises:
            ApplicationError: The app does not list the gateway's class, so that it could not be checked earlier; or the app is
                not the one that the lifespan got.

        """
        kind = type(gateway)
        if not self._is_running:
            raise ApplicationError(
                "lifespan",
                f"{kind.__name__} is added outside of a lifespan: add it to the app that the lifespan gets",
            )
        if kind not in self.gateways:
            raise ApplicationError("lifespan", f"{kind.__name__} is added, but App(...) does not list it")
        self._provided[kind] = gateway

    @property
    def provided(self) -> Provided:
        """The provided values by type."""
        return self._provided

    def running(self) -> "App":
        """Return the app for one process. Values and gateways of its lifespan belong to that process only."""
        running = copy.copy(self)
        running._provided = self._provided.new_child()  # noqa: SLF001 - it is one of ours
        running._is_running = True  # noqa: SLF001 - the same
        return running


def _has_admin(functions: Mapping[str, object]) -> bool:
    return any(map(is_of_admin, functions.values()))
