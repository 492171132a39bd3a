"""Accepts connections on a loopback port, and can stop at any moment without leaving one open.

Proxies that fail on purpose are built on it. `asyncio.start_server` is not enough for them: Python 3.11 forgets a
connection, and leaves it open, if it accepts it in the turn of the loop in which the server is closed.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from roomwire_local.free_ports import HOST

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


class Acceptor:
    """Listens on a port, and serves each connection in its own task.

    Args:
        serve: Serves a connection, and closes its writer.
        port: The port. Default: a port that the system chooses.
        tls: The TLS context. Default: plain TCP.

    Attributes:
        port: The port; known once `listen` has been called.

    """

    def __init__(self, serve: Serve, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._serve = serve
        self._tls = tls
        self._listener: socket.socket | None = None
        self._accepted: set[socket.socket] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = port

    @property
    def is_listening(self) -> bool:
        """Whether connections are accepted."""
        return self._listener is not None

    def listen(self) -> None:
        """Accept connections; after `stop`, on the same port again."""
        self._listener = socket.create_server((HOST, self.port))
        self._listener.settimeout(0)
        self.port = self._listener.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    def stop(self) -> None:
        """Refuse new connections from now on; existing ones continue."""
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    async def join(self) -> None:
        """Wait until no connection is being served."""
        await asyncio.gather(*self._tasks)

    async def abandon(self) -> None:
        """Stop, cancel the tasks that serve connections, and wait until they have ended."""
        self.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = listener.accept()
                accepted.settimeout(0)
                self._accepted.add(accepted)
                task = asyncio.create_task(self._begin(accepted))
                self._tasks.add(task)
                task.add_done_callback(partial(self._end, accepted))

    async def _begin(self, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        with contextlib.suppress(OSError):
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted, ssl=self._tls)
            # From here on the transport closes it.
            self._accepted.discard(accepted)
            await self._serve(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    def _end(self, accepted: socket.socket, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if accepted in self._accepted:
            self._accepted.discard(accepted)
            accepted.close()
