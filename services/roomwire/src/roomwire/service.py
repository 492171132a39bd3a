"""What every service needs around it: the command line, the process's life, health, the operations port.

A service is an `Application` in its own package; `main` runs one. The only module that talks to uvicorn
and to signals.

Life: STARTING → READY → DRAINING → STOPPED. The operations port is open from the first moment to the
last; the public port opens once the application has started, and closes after it has drained.
"""

import argparse
import asyncio
import contextlib
import enum
import gc
import inspect
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

import uvicorn
import uvloop
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from roomwire import logs
from roomwire.errors import ConfigurationError, RoomwireError, Unavailable
from roomwire.http import bounded_http
from roomwire.http_limits import HttpLimits
from roomwire.metrics import HttpMetrics
from roomwire.settings import ServiceSettings
from roomwire.tls import REREAD_S, Certificate

START_RETRY_S: Final = 1.0
CLOSE_TIMEOUT_S: Final = 5
GC_THRESHOLDS: Final = (50_000, 20, 50)
"""How seldom Python looks for cycles of garbage. With its default, which is made for programs that hold little,
half the time of a storm of new connections goes into looking at old ones; what we drop forms no cycles."""
_BACKLOG: Final = 2048

_log = logs.get_logger(__name__)
_S = TypeVar("_S", bound=ServiceSettings)


class State(enum.StrEnum):
    """Where a process is in its life."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPED = "stopped"


class Application(Protocol):
    """What a service package provides."""

    @property
    def asgi(self) -> Any:
        """The ASGI application of the public port."""

    @property
    def websocket(self) -> Any:
        """What takes the WebSockets of the public port, as `uvicorn.Config(ws=...)`; None: plain ASGI."""

    @property
    def registry(self) -> CollectorRegistry:
        """What `/metrics` shows."""

    async def start(self) -> None:
        """Connect to what it depends on; raises `Unavailable` to be started again."""

    async def check(self) -> Mapping[str, str]:
        """Return the state of what it depends on, by name: `ok` or `degraded`."""

    async def drain(self) -> None:
        """Part from its clients, over the drain window."""

    async def close(self) -> None:
        """Let go of everything; idempotent, and right after a failed `start` too."""


def main(
    name: str,
    *,
    settings: type[_S],
    build: Callable[[_S], Application],
    commands: Mapping[str, Callable[..., None]] | None = None,
    argv: Sequence[str] | None = None,
) -> int:
    """Run a service's command line; returns the exit status.

    Args:
        name: The package's name, as in `python -m <name>`.
        settings: Its settings class.
        build: Builds the application from its settings.
        commands: Further commands: name → function, whose docstring is its help. Its parameters are texts: those by position
            are arguments of the command, those by keyword alone are options and have a default.
        argv: The arguments. Default: those of the process.

    """
    commands = commands or {}
    arguments = _parser(name, settings, commands).parse_args(argv)
    try:
        command = arguments.command
        if command in commands:
            given = vars(arguments)
            given.pop("command")
            commands[command](**given)
            return 0
        effective = settings.load()
        if command == "check-config":
            build(effective)
            certificate(effective)
            for variable, value in effective.effective():
                print(f"{variable}={value}")  # noqa: T201 - this is the command's output
            return 0
        logs.configure(level=effective.log_level, log_format=effective.log_format, node=effective.node_name)
        application = build(effective)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_Process(name, effective, application).run())
    except ConfigurationError as error:
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201 - the logs may not be configured yet
        return 2
    return 0


def _parser(
    name: str, settings: type[ServiceSettings], commands: Mapping[str, Callable[..., None]]
) -> argparse.ArgumentParser:
    rows = list(settings.listing())
    lines = []
    for row in rows:
        default = f" [{row.default}]" if row.default else ""
        lines += [f"  {row.variable}{default}", f"      {row.description}"]
    parser = argparse.ArgumentParser(
        prog=f"python -m {name}",
        description=f"Run one {name} process. It is configured by the environment only.",
        epilog="environment, with defaults in brackets:\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sub = parser.add_subparsers(dest="command", metavar="command")
    sub.add_parser("run", help="run the service (the default)")
    sub.add_parser("check-config", help="check the settings and print those in force, secrets masked")
    for command, function in commands.items():
        documented = (function.__doc__ or "").strip()
        takes = sub.add_parser(command, help=documented, description=documented)
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is parameter.KEYWORD_ONLY:
                takes.add_argument(f"--{parameter.name}", default=parameter.default, help="[%(default)s]")
            else:
                takes.add_argument(parameter.name)
    return parser


class _Process:
    """One service process: its ports, its signals, its state."""

    def __init__(self, name: str, settings: ServiceSettings, application: Application) -> None:
        self._name = name
        self._settings = settings
        self._application = application
        self._certificate = certificate(settings)
        self._stop = asyncio.Event()
        self.state = State.STARTING

    async def run(self) -> None:
        """Live until SIGTERM or SIGINT.

        Raises:
            ConfigurationError: A port cannot be bound.

        """
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._stop.set)
        with _listen(self._settings, "port") as public, _listen(self._settings, "ops_port") as ops:
            operations = _Listener(operations_app(self, self._application), ops, self._settings)
            await operations.open()
            try:
                if await self._start():
                    await self._serve(public)
            finally:
                await self._application.close()
                self.state = State.STOPPED
                _log.info("stopped", service=self._name)
                await operations.close()

    async def _start(self) -> bool:
        """Start the application, again and again until it succeeds; False if told to stop meanwhile."""
        _log.info("starting", service=self._name, port=self._settings.port, ops_port=self._settings.ops_port)
        while not self._stop.is_set():
            try:
                await self._application.start()
            except Unavailable as error:
                _log.warning("waiting for what this service depends on", error=error.message)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), START_RETRY_S)
            else:
                return True
        return False

    async def _serve(self, public: socket.socket) -> None:
        listener = _Listener(
            self._application.asgi,
            public,
            self._settings,
            http=bounded_http(http_limits(self._settings), metrics=HttpMetrics(self._application.registry)),
            websocket=self._application.websocket,
            tls=self._certificate.context if self._certificate else None,
        )
        await listener.open()
        # What is there now stays: nobody has to look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        self.state = State.READY
        _log.info("ready", service=self._name)
        async with _rereading(self._certificate):
            stopping = asyncio.create_task(self._stop.wait())
            await asyncio.wait({stopping, listener.task}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
        self.state = State.DRAINING
        _log.info("draining", service=self._name, drain_s=self._settings.drain_s)
        try:
            async with asyncio.timeout(self._settings.drain_s + CLOSE_TIMEOUT_S):
                await self._application.drain()
        except TimeoutError:
            _log.warning("drain not finished", drain_s=self._settings.drain_s)
        await listener.close()


class _Listener:
    """A uvicorn server that leaves signals to the process."""

    def __init__(
        self,
        app: Any,
        listening: socket.socket,
        settings: ServiceSettings,
        *,
        http: Any = "httptools",
        websocket: Any = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            http=http,
            ws=websocket or "websockets-sansio",
            ws_max_size=settings.max_body_bytes,
            ws_per_message_deflate=False,
            ws_ping_interval=None,
            # The fast WebSockets bypass it: `roomwire.addresses` resolves proxies, in one way for all.
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=CLOSE_TIMEOUT_S,
        )
        self._server = _Uvicorn(config, tls, settings.header_timeout_s)
        self._socket = listening
        self.task: asyncio.Task[None]

    async def open(self) -> None:
        """Accept connections; returns when it does."""
        self.task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        await self._server.opened.wait()

    async def close(self) -> None:
        """Finish the requests at hand, then close; waits for at most `CLOSE_TIMEOUT_S`."""
        self._server.should_exit = True
        await self.task


class _Uvicorn(uvicorn.Server):
    """Uvicorn, less its signal handling (the process owns the signals), and it says when it is open.

    With TLS it opens the sockets itself: uvicorn leaves a stranger asyncio's minute for the handshake.
    """

    def __init__(
        self, config: uvicorn.Config, tls: ssl.SSLContext | None, handshake_timeout_s: float
    ) -> None:
        super().__init__(config)
        self.opened = asyncio.Event()
        self._tls = tls
        self._handshake_timeout_s = handshake_timeout_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets if self._tls is None else [])
        if self._tls is not None:
            self.servers = [await self._open(listening, self._tls) for listening in sockets or ()]
        self.opened.set()

    async def _open(self, listening: socket.socket, tls: ssl.SSLContext) -> asyncio.Server:
        def connection() -> asyncio.Protocol:
            protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg] # as uvicorn calls it
                config=self.config, server_state=self.server_state, app_state=self.lifespan.state
            )
            return protocol

        return await asyncio.get_running_loop().create_server(
            connection,
            sock=listening,
            ssl=tls,
            ssl_handshake_timeout=self._handshake_timeout_s,
            # Who says nothing on goodbye is not waited for.
            ssl_shutdown_timeout=CLOSE_TIMEOUT_S,
            backlog=_BACKLOG,
        )

    def capture_signals(self) -> Any:
        return contextlib.nullcontext()


def certificate(settings: ServiceSettings) -> Certificate | None:
    """Return the public port's certificate; None: it speaks plain HTTP.

    Raises:
        ConfigurationError: It cannot be used.

    """
    if settings.tls_cert_file is None or settings.tls_key_file is None:
        return None
    return Certificate(settings.tls_cert_file, settings.tls_key_file)


@contextlib.asynccontextmanager
async def _rereading(known: Certificate | None) -> AsyncIterator[None]:
    """Look after a certificate's files while the context lasts."""

    async def reread(known: Certificate) -> None:
        while True:
            await asyncio.sleep(REREAD_S)
            known.reread()

    if known is None:
        yield
        return
    async with asyncio.TaskGroup() as tasks:
        rereading = tasks.create_task(reread(known))
        try:
            yield
        finally:
            rereading.cancel()


def http_limits(settings: ServiceSettings) -> HttpLimits:
    """Return what a listener takes from strangers: the settings of these names."""
    return HttpLimits(**{name: getattr(settings, name) for name in HttpLimits.__struct_fields__})


def _listen(settings: ServiceSettings, field: str) -> socket.socket:
    """Bind a port, so that a taken one is a sentence and not a traceback."""
    port = getattr(settings, field)
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        variable = f"ROOMWIRE_{field.upper()}"
        # The standard library appends the address, which the sentence has already.
        problem = str(error.strerror).partition(" (while attempting")[0]
        raise ConfigurationError(
            f"cannot listen on {settings.host}:{port}: {problem}; choose another port with {variable}"
        ) from None


class Lifecycle(Protocol):
    """Has the state that the operations port reports."""

    state: State


def operations_app(lifecycle: Lifecycle, application: Application) -> Starlette:
    """Return the ASGI application of the operations port: `/livez`, `/readyz`, `/metrics`.

    `/livez` answers while the event loop turns. `/readyz` answers 200 from READY to DRAINING, whatever has
    become of what the service depends on: that is a field of the answer, because taking all pods out at
    once helps nobody. Nothing can be changed here: who may scrape must not be able to drain.
    """

    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        ready = lifecycle.state is State.READY
        answer: dict[str, str] = {"status": lifecycle.state.value}
        if ready:
            answer |= await application.check()
        return JSONResponse(answer, status_code=200 if ready else 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(application.registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)])


async def state_of(check: Callable[[], Any]) -> str:
    """Return `ok`, or `degraded` if a check raises one of our errors."""
    try:
        await check()
    except RoomwireError:
        return "degraded"
    return "ok"
