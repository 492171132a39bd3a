"""The application that the benchmark measures: the tutorial's room and an echo, on one gateway alone."""

import sys
from collections.abc import Mapping
from typing import Any

import msgspec
import socketio
from prometheus_client import CollectorRegistry
from pydantic import Field

from roomwire import Gateway, Server, Socket, service, subscribe
from roomwire.backplane import open_backplane
from roomwire.engine.fast import fast_websocket
from roomwire.metrics import Metrics
from roomwire.settings import ServiceSettings


class Settings(ServiceSettings):
    """Where it listens."""

    port: int = Field(8000, description="Public port.")
    ops_port: int = Field(9000, description="Operations port.")


class JoinRoom(msgspec.Struct):
    """The body of `joinRoom`."""

    roomId: str  # noqa: N815 - as on the wire


class ChatMessage(msgspec.Struct):
    """The body of `chatMessage`."""

    roomId: str  # noqa: N815 - as on the wire
    message: str


class BenchGateway(Gateway):
    """Joins, says to a room, echoes."""

    @subscribe("joinRoom")
    async def join_room(self, socket: Socket, body: JoinRoom) -> str:
        """Join a room."""
        await socket.join(body.roomId)
        return "joined"

    @subscribe("chatMessage")
    async def chat_message(self, body: ChatMessage) -> None:
        """Say something in a room."""
        await self.emit("roomMessage", body.message, to=body.roomId)

    @subscribe("echo")
    async def echo(self, body: str) -> str:
        """Return what was said."""
        return body


class BenchApp:
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
        self._server.register_namespace(BenchGateway("/"))
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
    sys.exit(service.main("app", settings=Settings, build=BenchApp))
