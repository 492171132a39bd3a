"""Serves one gateway class alone: the application around it that measurements and tests of clients share."""

from collections.abc import Mapping
from typing import Any

import socketio
from prometheus_client import CollectorRegistry
from pydantic import Field

from roomwire import Gateway, Server
from roomwire.engine.fast import fast_websocket
from roomwire.log.opening import open_log
from roomwire.metrics.gateway import Metrics
from roomwire.serving import process
from roomwire.serving.settings import ServiceSettings


class Settings(ServiceSettings):
    """The settings of the port."""

    port: int = Field(8000, description="Public port.")
    ops_port: int = Field(9000, description="Operations port.")


class Alone:
    """A `roomwire.serving.application.Application` with one gateway on the namespace `/`, without authentication.

    Args:
        settings: The port and the Redis.
        gateway: Handles the events.

    """

    def __init__(self, settings: Settings, gateway: Gateway) -> None:
        metrics = Metrics()
        self.registry: CollectorRegistry = metrics.registry
        self.dependencies = metrics.dependencies
        log = open_log(
            settings.redis_url.get_secret_value(),
            node=settings.node_name,
            prefix=settings.redis_prefix,
            metrics=metrics,
        )
        self._server = Server(log=log, node_name=settings.node_name, metrics=metrics, async_mode="asgi")
        self._server.register_namespace(gateway)
        self.asgi: Any = socketio.ASGIApp(self._server)
        self.websocket: Any = fast_websocket(self._server.eio, "/socket.io/")

    async def start(self) -> None:
        """Connect to the log."""
        await self._server.start()

    async def check(self) -> Mapping[str, str]:
        """Return nothing: there is no state to report."""
        return {}

    async def drain(self) -> None:
        """Close all transports at once."""
        await self._server.drain(0)

    async def close(self) -> None:
        """Close the log."""
        await self._server.close()


def serve(gateway: type[Gateway]) -> int:
    """Serve a gateway class until a signal; returns the exit status."""
    return process.main(
        gateway.__name__.lower(),
        settings=Settings,
        build=lambda settings: Alone(settings, gateway("/")),
    )
