"""The application that foreign clients talk to: rooms, acks, bytes, and what a client says of itself.

`js/reference.mjs` is the same on the reference server. Run as a process: `python -m served`.
"""

import sys
from collections.abc import Mapping
from typing import Any, Final

import socketio
from prometheus_client import CollectorRegistry
from pydantic import Field

from roomwire import Gateway, Server, Socket, service, subscribe
from roomwire.backplane import open_backplane
from roomwire.engine.fast import fast_websocket
from roomwire.metrics import Metrics
from roomwire.settings import ServiceSettings

_MISSING: Final[Any] = object()


class Settings(ServiceSettings):
    """Where it listens."""

    port: int = Field(8000, description="Public port.")
    ops_port: int = Field(9000, description="Operations port.")


class Talk(Gateway):
    """Every event is acknowledged."""

    @subscribe("join")
    async def join(self, socket: Socket, room: str) -> str:
        """Join a room."""
        await socket.join(room)
        return "joined"

    @subscribe("say")
    async def say(self, room: str, text: str) -> str:
        """Send a text to a room."""
        await self.emit("said", (room, text), to=room)
        return "said"

    @subscribe("echo")
    async def echo(self, value: Any) -> Any:
        """Return what was sent as the argument of the ack."""
        return value

    @subscribe("reflect")
    async def reflect(self, socket: Socket, one: Any, two: Any = _MISSING, three: Any = _MISSING) -> str:
        """Send what was sent back in an event."""
        await socket.emit("reflected", *(value for value in (one, two, three) if value is not _MISSING))
        return "reflected"

    @subscribe("ask")
    async def ask(self, socket: Socket, value: Any) -> Any:
        """Ask the client, and return its answer."""
        return await self.server.call("question", value, to=socket.id, namespace=self.namespace)

    @subscribe("transport")
    async def transport(self, socket: Socket) -> str:
        """Return the transport that the client uses now."""
        return str(self.server.transport(socket.id, self.namespace))


class TalkApp:
    """A `roomwire.service.Application`."""

    def __init__(self, settings: Settings) -> None:
        metrics = Metrics()
        self.registry: CollectorRegistry = metrics.registry
        self.dependencies = metrics.dependencies
        backplane = open_backplane(
            settings.redis_url.get_secret_value(),
            node=settings.node_name,
            prefix=settings.redis_prefix,
            metrics=metrics,
        )
        self._server = Server(
            backplane=backplane, node_name=settings.node_name, metrics=metrics, async_mode="asgi"
        )
        self._server.register_namespace(Talk("/"))
        self.asgi: Any = socketio.ASGIApp(self._server)
        self.websocket: Any = fast_websocket(self._server.eio, "/socket.io/")

    async def start(self) -> None:
        """Connect to the backplane."""
        await self._server.start()

    async def check(self) -> Mapping[str, str]:
        """Nothing to say."""
        return {}

    async def drain(self) -> None:
        """Close all transports at once."""
        await self._server.drain(0)

    async def close(self) -> None:
        """Let go of the backplane."""
        await self._server.close()


if __name__ == "__main__":
    sys.exit(service.main("served", settings=Settings, build=TalkApp))
