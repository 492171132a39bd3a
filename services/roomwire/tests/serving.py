"""How tests serve an application: a real server on a loopback port, in this process.

`served` is the services' own listener, so what is tested is configured as what runs; `hypercorn_served` is
another ASGI server. Neither looks at the clock to find that it is to stop: hundreds of tests start one each.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import hypercorn.asyncio
import uvicorn
from waiting import until

from roomwire.serving.listener import Listener, listen
from roomwire.serving.settings import ServiceSettings

HOST = "127.0.0.1"
GRACE_S = 1.0
"""How long requests that are under way may take when a server stops; then they are cancelled."""


class Place:
    """Where an application is served, and what uvicorn (if it is) knows of its connections."""

    def __init__(self, listening: socket.socket, state: Any = None) -> None:
        self.port: int = listening.getsockname()[1]
        self.address = f"{HOST}:{self.port}"
        self.url = f"http://{self.address}"
        self.state = state


@contextlib.asynccontextmanager
async def served(
    app: Any, *, port: int = 0, http: Any = "httptools", ws: Any = None, max_body_bytes: int = 1_000_000
) -> AsyncIterator[Place]:
    """Serve an ASGI application as the services do.

    Args:
        app: The application.
        port: 0: one that is free.
        http: As for `uvicorn.Config`.
        ws: The same; None: plain ASGI.
        max_body_bytes: Largest message that the server puts together.

    """
    settings = ServiceSettings(host=HOST, port=port, ops_port=0, max_body_bytes=max_body_bytes)
    with listen(settings, "port") as listening:
        # As uvloop does; asyncio does not for a listening socket that it is given.
        for each in listening:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener = Listener(app, listening, settings, http=http, websocket=ws)
        told_to_stop = asyncio.Event()
        _stop_at_once(listener._server, told_to_stop)
        await listener.open()
        try:
            yield Place(listening[0], listener._server.server_state)
        finally:
            told_to_stop.set()
            await listener.task


@contextlib.asynccontextmanager
async def hypercorn_served(app: Any, *, port: int = 0) -> AsyncIterator[Place]:
    """Serve an ASGI application by hypercorn."""
    listening = socket.create_server((HOST, port))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    place = Place(listening)
    config = hypercorn.Config()
    # It is listening already: who comes before hypercorn does waits for it.
    config.bind = [f"fd://{listening.detach()}"]
    config.errorlog = config.accesslog = None
    config.graceful_timeout = GRACE_S
    stop = asyncio.Event()
    serving = asyncio.create_task(hypercorn.asyncio.serve(app, config, shutdown_trigger=stop.wait))
    try:
        yield place
    finally:
        stop.set()
        await serving


def _stop_at_once(server: uvicorn.Server, told_to_stop: asyncio.Event) -> None:
    """Have a uvicorn wait for an event where it would look ten times a second whether to go on."""
    state = server.server_state

    async def main_loop() -> None:
        while not told_to_stop.is_set():
            # Which is what renews the `Date` of answers.
            await server.on_tick(0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await told_to_stop.wait()

    async def shutdown(sockets: list[socket.socket] | None = None) -> None:
        for each in [*server.servers, *(sockets or [])]:
            each.close()
        for connection in list(state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            await until(lambda: not (state.connections or state.tasks), within_s=GRACE_S)
        for task in state.tasks:
            task.cancel()

    server.main_loop, server.shutdown = main_loop, shutdown  # type: ignore[method-assign]
