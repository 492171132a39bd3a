"""Several nodes on one log, their clients, and the virtual time that they share."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Literal, Self

from roomwire.app.app import App
from roomwire.cluster.standings.memory import MemoryStandings
from roomwire.errors import Unauthenticated
from roomwire.gateways import Gateway
from roomwire.history.contract import History
from roomwire.history.memory import MemoryHistory
from roomwire.identity.capabilities import Policy, load_policy
from roomwire.identity.tokens import User
from roomwire.identity.verification import Verifier
from roomwire.limits.client import Limits
from roomwire.log.config import LogConfig
from roomwire.protocol.sources import Proxies
from roomwire.rooms.handshake import Handshake
from roomwire.testing.client import Client
from roomwire.testing.errors import Deadlock, WrongLoop
from roomwire.testing.failures import Failures
from roomwire.testing.loop import VirtualLoop
from roomwire.testing.nodes import Node, SharedHub
from roomwire.testing.tokens import Tokens

_BROWSER = "Mozilla/5.0 (roomwire.testing)"
_NO_BROWSER = "roomwire.testing"


class Cluster:
    """The nodes and clients of one test: an async context manager that stops them at the end.

    Args:
        app: The application of each node: an `App`, or gateways, as classes or instances.
        count: The number of nodes. Only one node can serve an app with a server or with instances of its own.
        auth_mode: `optional`: a client without a token is a guest; `required`: it is refused.
        limits: The limits of one client. Default: the library's.
        config: The times and limits of the log. Default: those that fit the pings of `limits`.
        provide: The objects that each process provides to the app, by type, in addition to the cluster's; settings, for example.
        options: Further arguments of each node's `Server`.

    Attributes:
        nodes: The nodes, including killed ones.

    Raises:
        ValueError: Several nodes cannot serve the app.
        WrongLoop: The running loop is not a `VirtualLoop`.

    """

    def __init__(
        self,
        *app: App | type[Gateway] | Gateway,
        count: int = 1,
        auth_mode: Literal["required", "optional"] = "optional",
        limits: Limits | None = None,
        config: LogConfig | None = None,
        provide: Mapping[Any, object] | None = None,
        **options: Any,
    ) -> None:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, VirtualLoop):
            raise WrongLoop(type(loop))
        self._app = _app_of(app)
        if count > 1 and (self._app.server or any(isinstance(one, Gateway) for one in self._app.gateways)):
            raise ValueError("a server or an instance of a gateway can serve one node only: pass classes")
        limits = limits or Limits()
        self._loop = loop
        self._hub = SharedHub(
            config or LogConfig.for_pings(limits.ping_interval_s, limits.ping_timeout_s), clock=loop.time
        )
        self._policy = self._app.policy or load_policy(None)
        self._auth_mode = auth_mode
        self._tokens = Tokens(self.now)
        self._arguments = {
            "limits": limits,
            "authenticate": self._authenticate,
            "standings": MemoryStandings(loop.time),
            **options,
        }
        self._provided = {
            History: MemoryHistory(self._hub.primary.kept),
            Policy: self._policy,
            Proxies: Proxies(()),
            Verifier: self._tokens,
            **(provide or {}),
        }
        self._failures = Failures()
        self._stack = AsyncExitStack()
        self._places: dict[Client, int] = {}
        self._dead: list[Node] = []
        self.nodes = [self._node(number) for number in range(count)]

    @property
    def clients(self) -> Sequence[Client]:
        """The clients, in the order of their first connections."""
        return tuple(self._places)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.enter_context(self._failures.noticed())
            handler = self._loop.get_exception_handler()
            stack.callback(self._loop.set_exception_handler, handler)
            self._loop.set_exception_handler(self._note_failure)
            self._loop.watched.append(self._is_busy)
            stack.callback(self._loop.watched.remove, self._is_busy)
            stack.push_async_callback(self._stop)
            for node in self.nodes:
                await node.start()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        async with self._stack:
            if kind is None:
                await self.settle()
        if kind is None:
            self._failures.check()

    # -- clients

    async def connect(
        self,
        user: str | User | None = None,
        *,
        node: int = 0,
        namespace: str = "/",
        auth: Mapping[str, Any] | None = None,
        transport: Literal["websocket", "polling"] = "websocket",
        headers: Mapping[str, str] | None = None,
        recovery: bool = True,
    ) -> Client:
        """Connect a client.

        Args:
            user: The id of an account, with the permissions of the policy's role `user`, or a complete `User`. It gets a token that
                only these nodes accept. Default: a guest, which has no token.
            node: The node's number.
            namespace: The namespace.
            auth: Its `auth` payload, beside the token.
            transport: Its transport, which is never upgraded.
            headers: The headers of its requests.
            recovery: Whether it supports recovery, as the official client in a browser does.

        Raises:
            Refused: The server refuses it; the exception has the error's `code`, `message` and `data`.
            Disconnected: The server closes the connection.
            HandlerFailed: A handler raised an exception that the test does not expect.

        """
        known = {} if user is None else {"token": self.token(user)}
        agent = {"user-agent": _BROWSER if recovery else _NO_BROWSER}
        name = (
            user if isinstance(user, str) else f"guest {len(self._places) + 1}" if user is None else user.id
        )
        client = Client(
            name,
            loop=self._loop,
            failures=self._failures,
            namespace=namespace,
            transport=transport,
            auth={**known, **(auth or {})},
            headers={**agent, **(headers or {})},
            again=self._connect,
        )
        await self._connect(client, node)
        return client

    async def _connect(self, client: Client, node: int | None) -> None:
        number = self._places[client] if node is None else node
        place = self.nodes[number]
        if not place.is_alive:
            raise ValueError(f"{place.name} is not alive: choose the node that {client.name} connects to")
        self._places[client] = number
        await client.connect_to(place)

    # -- nodes

    async def kill(self, node: int) -> None:
        """End a node as by SIGKILL: it does nothing more, the others are not told, and its clients lose their transports."""
        self.nodes[node].kill()
        for client, number in self._places.items():
            if number == node and client.disconnected is None:
                client.cut()
        await self.settle()

    async def stop(self, node: int) -> None:
        """End a node as by SIGTERM: its clients' transports are closed, and it leaves the log."""
        await self.nodes[node].stop()
        await self.settle()

    async def restart(self, node: int) -> None:
        """Start a new node in place of one that was killed or stopped."""
        if self.nodes[node].is_alive:
            raise ValueError(f"{self.nodes[node].name} is alive")
        self._dead.append(self.nodes[node])
        self.nodes[node] = self._node(node)
        await self.nodes[node].start()

    # -- time

    def now(self) -> float:
        """Return the nodes' time, in seconds since 1970."""
        return self._loop.wall_time()

    async def advance(self, seconds: float) -> None:
        """Let time pass, with everything that becomes due meanwhile: pings, timeouts, ends of sessions and of tokens.

        Raises:
            HandlerFailed: A handler raised an exception that the test does not expect.

        """
        await self._loop.advance(seconds)
        self._failures.check()

    async def settle(self) -> None:
        """Wait until nothing more can happen unless time passes.

        Raises:
            HandlerFailed: A handler raised an exception that the test does not expect.

        """
        await self._loop.when_idle()
        self._failures.check()

    # -- exceptions of handlers

    @asynccontextmanager
    async def expects(self, kind: type[BaseException]) -> AsyncIterator[list[BaseException]]:
        """Expect that handlers raise this exception, other than a `ClientError`; yield a list that contains them at the end.

        Raises:
            NothingFailed: No handler raised it.

        """
        with self._failures.expected(kind) as raised:
            yield raised
            await self._loop.when_idle()

    def _is_busy(self) -> bool:
        return any(node.is_busy for node in self.nodes)

    def _note_failure(self, loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Exception) and not isinstance(error, Deadlock):
            self._failures.note(context["message"], error)
        else:
            loop.default_exception_handler(dict(context))

    # -- internals

    def _node(self, number: int) -> Node:
        return Node(
            f"node-{number}",
            self._app,
            hub=self._hub,
            loop=self._loop,
            provided=self._provided,
            arguments=self._arguments,
        )

    async def _stop(self) -> None:
        for client in self._places:
            client.close()
        for node in self.nodes:
            await node.stop()
        with self._failures.ignored():
            for node in [*self._dead, *self.nodes]:
                await node.bury()

    def token(self, user: str | User) -> str:
        """Return a token of a user that these nodes accept.

        Args:
            user: The id of an account, with the permissions of the policy's role `user`, or a complete `User`.

        """
        if isinstance(user, str):
            user = User(user, user, "account", self._policy.of_role("user"), issued_at=self.now())
        return self._tokens.issue(user)

    async def _authenticate(self, handshake: Handshake) -> User:
        """Authenticate as a gateway process does, but with the cluster's own tokens: see `roomwire.app.authentication`."""
        token = handshake.token
        if token is None and self._auth_mode == "required":
            raise Unauthenticated
        user = None if token is None else await self._tokens.verify(token)
        known = None if self._app.authenticate is None else await self._app.authenticate(handshake)
        return user or known or User.anonymous(self._policy.of_role("guest"))


def _app_of(served: "Sequence[App | type[Gateway] | Gateway]") -> App:
    """Return the given app, or an app of the given gateways."""
    gateways = [one for one in served if not isinstance(one, App)]
    apps = [one for one in served if isinstance(one, App)]
    if len(apps) + bool(gateways) != 1:
        raise ValueError("a cluster serves one App, or gateways")
    return apps[0] if apps else App(*gateways)
