"""A TCP proxy that fails as tests want it to: silent, cut, or deaf to what the server answers."""

import asyncio
import contextlib
import socket


class Proxy:
    """Stands before a server. Use as an async context manager.

    Attributes:
        port: Where it listens.
        drops_replies: What the server says from now on is thrown away: it does, and nobody learns of it.

    """

    def __init__(self, target_port, tls=None):
        self._target_port = target_port
        self._tls = tls
        self.port = 0
        self.drops_replies = False
        self.dropped = 0
        self._flows = asyncio.Event()
        self._flows.set()
        self._tasks = set()
        self._writers = set()

    async def __aenter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._listener, self._accept)
        return self

    async def __aexit__(self, *_):
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        self._flows.set()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def hold(self):
        """Pass nothing on, either way; connections stay open."""
        self._flows.clear()

    def flow(self):
        """Pass on again, what was held as well."""
        self._flows.set()

    def cut(self):
        """End all connections."""
        for writer in list(self._writers):
            writer.transport.abort()

    def _accept(self):
        # Not by `asyncio.start_server`: in Python 3.11 it forgets, open, what it accepts in the moment in which it is closed.
        with contextlib.suppress(OSError):
            accepted, _ = self._listener.accept()
            accepted.setblocking(False)
            task = asyncio.create_task(self._serve(accepted))
            self._tasks.add(task)
            task.add_done_callback(lambda task: (self._tasks.discard(task), accepted.close()))

    async def _serve(self, accepted):
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(contextlib.suppress(OSError, ExceptionGroup))
            reader, writer = await self._streams(accepted)
            await stack.enter_async_context(self._open(writer))
            there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
            await stack.enter_async_context(self._open(back))
            async with asyncio.TaskGroup() as group:
                group.create_task(self._copy(reader, back, is_reply=False))
                group.create_task(self._copy(there, writer, is_reply=True))

    async def _streams(self, accepted):
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted, ssl=self._tls)
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    @contextlib.asynccontextmanager
    async def _open(self, writer):
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _copy(self, reader, writer, *, is_reply):
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                await self._flows.wait()
                if is_reply and self.drops_replies:
                    self.dropped += 1
                else:
                    writer.write(data)
                    await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
