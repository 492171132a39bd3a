"""The application whose clients hear the emitters: rooms to join, and events for servers, which it passes on to its clients."""

import contextlib
from collections.abc import AsyncIterator

from roomwire import App, Gateway, Server, Socket, subscribe


class Hall(Gateway):
    """Lets clients join rooms."""

    @subscribe("join")
    async def join(self, socket: Socket, room: str) -> None:
        """Join a room."""
        await socket.join(room)


class News(Gateway, namespace="/news"):
    """Another namespace."""


@contextlib.asynccontextmanager
async def lifespan(app: App) -> AsyncIterator[None]:
    """Pass events for servers on to the clients of this gateway."""
    server = app.get(Server)

    @server.on_server_side("told")
    async def told(text: str) -> None:
        await server.emit("told", text, ignore_queue=True)

    yield


app = App(Hall, News, lifespan=lifespan)
