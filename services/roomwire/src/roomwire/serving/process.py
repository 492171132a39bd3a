"""The process of a service: the command line, the life cycle, health, and the operations port.

A service is an `Application` in its own package; `main` runs one. This is the only module that handles signals.

The states are STARTING → READY → DRAINING → STOPPED. The operations port is open all the time;
the public port opens once the application has started, and closes after it has drained.
"""

import argparse
import asyncio
import contextlib
import gc
import inspect
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Final, TypeVar

import uvloop

from roomwire import logs
from roomwire.errors import ApplicationError, ConfigurationError, NodeNameTaken, Unavailable
from roomwire.health.dependencies import Cause, cause_of, detail_of
from roomwire.health.lateness import Lateness
from roomwire.health.memory import MemoryUse
from roomwire.limits.accounts import Accounts
from roomwire.metrics.http import HttpMetrics
from roomwire.metrics.memory import MemoryMetrics
from roomwire.metrics.process import ProcessMetrics
from roomwire.serving.application import Application, EndsByItself, HoldsForClients, NotYet, State
from roomwire.serving.http import bounded_http
from roomwire.serving.listener import (
    CLOSE_TIMEOUT_S,
    NO_WEBSOCKETS,
    Listener,
    Ports,
    certificate,
    http_limits,
    rereading,
)
from roomwire.serving.memory import MemoryWatch
from roomwire.serving.operations import operations_app
from roomwire.serving.ports import ListeningSockets
from roomwire.serving.settings import ServiceSettings

START_RETRY_S: Final = 1.0
MAX_START_RETRY_S: Final = 30.0
"""The maximum pause before an application that waits for a condition of its own is started again."""
_CLEARS_S: Final = 60.0
"""The seconds for which an intermittent failure must be absent before it is reported as over: longer than two scrapes."""
PUBLIC_REFUSED: Final = "roomwire_http_refused_total"
OPS_REFUSED: Final = "roomwire_ops_http_refused_total"
GC_THRESHOLDS: Final = (50_000, 20, 50)
"""The thresholds of Python's cyclic garbage collector. With the defaults, which suit programs with few objects, a storm of new
connections spends half its time examining old ones. Dropped objects form no reference cycles, so the collector can run rarely."""

_log = logs.get_logger(__name__)
_S = TypeVar("_S", bound=ServiceSettings)


def main(
    name: str,
    *,
    settings: type[_S],
    build: Callable[[_S], Application],
    commands: Mapping[str, Callable[..., None]] | None = None,
    argv: Sequence[str] | None = None,
    module: str | None = None,
) -> int:
    """Run a service's command line; returns the exit status.

    Args:
        name: The service's name in its log lines and messages.
        settings: Its settings class.
        build: Builds the application from its settings.
        commands: Further commands: name → function, whose docstring is its help. All its parameters are strings: positional ones
            are arguments of the command, keyword-only ones are options and have a default.
        argv: The arguments. Default: the process's arguments.
        module: The package's name, as in `python -m <module>`. Default: `name`.

    """
    commands = commands or {}
    arguments = _parser(name, module or name, settings, commands).parse_args(argv)
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
            for line in effective.lines():
                print(line)  # noqa: T201 - this is the command's output
            return 0
        run(name, effective, build)
    except (ConfigurationError, NodeNameTaken) as error:
        return refused(name, error)
    return 0


def run(
    name: str,
    settings: _S,
    build: Callable[[_S], Application],
    *,
    ports: Ports | None = None,
    on_ready: Callable[[], object] = lambda: None,
) -> None:
    """Run a service until it is told to stop.

    Args:
        name: The service's name in its log lines.
        settings: Its settings.
        build: Builds the application from its settings.
        ports: Its ports, if they are already open. Default: the ports of the settings are opened.
        on_ready: Called once, when it is ready.

    Raises:
        ConfigurationError: The service cannot be built, or cannot serve.
        NodeNameTaken: Another running process has its name.

    """
    settings.configure_logs()
    application = build(settings)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_Process(name, settings, application, on_ready).run(ports))


def refused(name: str, error: ConfigurationError | NodeNameTaken) -> int:
    """Print why a service does not run; return the exit status: 2 for a wrong setting, 1 for anything else."""
    # The logs may not be configured yet.
    print(f"{name}: {error}", file=sys.stderr)  # noqa: T201 - this is for a person
    if isinstance(error, ApplicationError):
        print(error.traceback, end="", file=sys.stderr)  # noqa: T201 - the same
    return 2 if isinstance(error, ConfigurationError) and not isinstance(error, ApplicationError) else 1


def _parser(
    name: str, module: str, settings: type[ServiceSettings], commands: Mapping[str, Callable[..., None]]
) -> argparse.ArgumentParser:
    rows = list(settings.listing())
    lines = []
    for row in rows:
        default = f" [{row.default}]" if row.default else ""
        lines += [f"  {row.variable}{default}", f"      {row.description}"]
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}",
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

    def __init__(
        self,
        name: str,
        settings: ServiceSettings,
        application: Application,
        on_ready: Callable[[], object] = lambda: None,
    ) -> None:
        self._name = name
        self._on_ready = on_ready
        self._settings = settings
        self._application = application
        self._certificate = certificate(settings)
        self._stop = asyncio.Event()
        self._metrics = ProcessMetrics(application.registry)
        self._metrics.ready.set_function(lambda: float(self.state is State.READY))
        dependencies = application.dependencies
        self._connections = dependencies.add("connections", clears_after_s=_CLEARS_S)
        self._lateness = Lateness(
            dependencies.add("event_loop", clears_after_s=_CLEARS_S),
            count=self._metrics.loop_late_seconds.count,
            pulse=self._connections.works,
        )
        self._memory = MemoryMetrics(application.registry)
        self._little_memory = dependencies.add("memory", clears_after_s=_CLEARS_S)
        self.state = State.STARTING

    async def run(self, ports: Ports | None = None) -> None:
        """Run until SIGTERM or SIGINT.

        Args:
            ports: Its ports, if they are already open.

        Raises:
            ConfigurationError: A port cannot be bound.

        """
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._stop.set)
        with ports or Ports.open(self._settings) as (public, ops):
            operations = Listener(
                operations_app(self, self._application),
                ops,
                self._settings,
                http=self._bounded(OPS_REFUSED),
                websocket=NO_WEBSOCKETS,
            )
            await operations.open()
            measuring = asyncio.create_task(self._lateness.measure())
            try:
                if await self._start():
                    await self._serve(public)
            finally:
                await self._application.close()
                self.state = State.STOPPED
                measuring.cancel()
                _log.info("stopped", service=self._name)
                await operations.close()

    async def _start(self) -> bool:
        """Start the application, repeatedly until it succeeds; False if told to stop meanwhile."""
        _log.info("starting", service=self._name, port=self._settings.port, ops_port=self._settings.ops_port)
        told: set[Cause] = set()
        pause_s = START_RETRY_S
        while not self._stop.is_set():
            try:
                return await self._start_once()
            except NotYet as error:
                _log.warning("application waits for what it depends on", error=error.message, pause_s=pause_s)
                await self._pause(pause_s)
                pause_s = min(2 * pause_s, MAX_START_RETRY_S)
            except Unavailable as error:
                # Each cause is logged once; the attempts continue.
                if (cause := cause_of(error)) not in told:
                    told.add(cause)
                    _log.warning(
                        "waiting for what this service depends on",
                        error=error.message,
                        cause=cause.value,
                        detail=detail_of(error),
                    )
                await self._pause(START_RETRY_S)
        return False

    async def _start_once(self) -> bool:
        """Start the application; False if told to stop meanwhile: the condition that it waits for may never come."""
        starting = asyncio.create_task(self._application.start())
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not starting.done():
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
        if starting.cancelled():
            return False
        await starting
        return True

    async def _pause(self, pause_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), pause_s)

    def _watch_memory(self, accounts: Accounts) -> Coroutine[object, object, None]:
        """Return the watch of the memory; it does nothing if there is no limit."""
        application, limit = self._application, self._settings.memory_limit()
        share = application.guests_share if isinstance(application, HoldsForClients) else 1.0
        if not limit:
            return _nothing()
        watch = MemoryWatch(
            accounts,
            limit_bytes=limit,
            guests_share=share,
            metrics=self._memory,
            dependency=self._little_memory,
            give_up=self._stop.set,
            use=MemoryUse(),
        )
        return watch.measure()

    def _bounded(self, name: str, accounts: Accounts | None = None) -> type[asyncio.Protocol]:
        """Return HTTP within the limits of the settings; its refusals are counted under this name."""
        metrics = HttpMetrics(self._application.registry, name=name, full=self._connections)
        return bounded_http(http_limits(self._settings), metrics=metrics, accounts=accounts)

    async def _serve(self, public: ListeningSockets) -> None:
        application = self._application
        accounts = application.accounts if isinstance(application, HoldsForClients) else Accounts()
        self._memory.watch_held(accounts.held)
        listener = Listener(
            self._application.asgi,
            public,
            self._settings,
            http=self._bounded(PUBLIC_REFUSED, accounts),
            websocket=self._application.websocket,
            tls=self._certificate.context if self._certificate else None,
        )
        await listener.open()
        # Existing objects stay: the collector need not examine them again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        self.state = State.READY
        _log.info("ready", service=self._name)
        self._on_ready()
        async with rereading(self._certificate):
            stopping = asyncio.create_task(self._stop.wait())
            ending = asyncio.create_task(self._application_ended())
            watching = asyncio.create_task(self._watch_memory(accounts))
            await asyncio.wait({stopping, ending, listener.task}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            has_ended = ending.done()
            ending.cancel()
            watching.cancel()
        self.state = State.DRAINING
        _log.info("draining", service=self._name, drain_s=self._settings.drain_s)
        try:
            async with (
                asyncio.timeout(self._settings.drain_s + CLOSE_TIMEOUT_S),
                asyncio.TaskGroup() as parting,
            ):
                parting.create_task(listener.drain(self._settings.drain_s))
                parting.create_task(self._application.drain())
        except TimeoutError:
            _log.warning("drain not finished", drain_s=self._settings.drain_s)
        await listener.close()
        if has_ended:
            await ending

    async def _application_ended(self) -> None:
        if isinstance(self._application, EndsByItself):
            await self._application.ended()
        else:
            await asyncio.Event().wait()


async def _nothing() -> None:
    """Do nothing."""
