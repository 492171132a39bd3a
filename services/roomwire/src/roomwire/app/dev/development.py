"""Assembles `roomwire dev`: the ports, the console, and the supervisor of the application."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry

from roomwire.app.dev.console import KEYS_PATH, Target, check_installed, console
from roomwire.app.dev.environment import has_own_keys, of_process
from roomwire.app.dev.guests import Guests
from roomwire.app.dev.stage import Stage
from roomwire.app.dev.supervisor import Supervisor
from roomwire.app.settings import GatewaySettings
from roomwire.identity.capabilities import load_policy
from roomwire.metrics.http import HttpMetrics
from roomwire.serving.http import bounded_http
from roomwire.serving.listener import NO_WEBSOCKETS, Listener, Ports, http_limits, listen_at

CONSOLE_PORT: Final = 8800


async def develop(
    application: str,
    settings: GatewaySettings,
    environ: Mapping[str, str],
    changes: AsyncIterator[object],
    *,
    console_port: int,
) -> None:
    """Serve an application with a console until SIGTERM or SIGINT.

    Args:
        application: `module:attribute`.
        settings: The settings of the application's process. The console reads some of them.
        environ: The environment from which they were read.
        changes: Yields whenever the application must be started again.
        console_port: The console's port. 0 lets the system choose.

    Raises:
        ConfigurationError: A port cannot be bound, or the console's client library is not installed.

    """
    check_installed()
    with (
        Ports.open(settings) as ports,
        listen_at("localhost", console_port, chosen_by="--console-port") as listening,
    ):
        guests = None if has_own_keys(environ) else _guests(settings)
        scheme = "http" if settings.tls_cert_file is None else "https"
        target = Target(f"{scheme}://localhost:{ports.public.port}", settings.auth_mode, guests is not None)
        stage = Stage()

        def show_link() -> None:
            _say(f"console      {door.link}")

        door = console(stage, target, guests, port=listening.port, on_entry=show_link)
        _say(f"application  {target.address}", f"probes       http://localhost:{ports.ops.port}/readyz")
        show_link()
        limits = http_limits(settings)
        listener = Listener(
            door,
            listening,
            settings,
            http=bounded_http(limits, metrics=HttpMetrics(CollectorRegistry())),
            websocket=NO_WEBSOCKETS,
        )
        environment = of_process(
            environ,
            port=ports.public.port,
            console_port=listening.port,
            keys_url="" if guests is None else f"http://127.0.0.1:{listening.port}{KEYS_PATH}",
        )
        await listener.open()
        try:
            await _until_stopped(Supervisor(application, ports, environ=environment, stage=stage), changes)
        finally:
            stage.close()
            await listener.close()


async def _until_stopped(supervisor: Supervisor, changes: AsyncIterator[object]) -> None:
    running = asyncio.create_task(supervisor.run(changes))
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if stopping.is_set():
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    else:
        await running


def _guests(settings: GatewaySettings) -> Guests:
    return Guests(
        load_policy(settings.policy_file), issuer=settings.auth_issuer, audience=settings.auth_audience
    )


def _say(*lines: str) -> None:
    print(*lines, sep="\n", file=sys.stderr, flush=True)  # noqa: T201 - the developer reads this
