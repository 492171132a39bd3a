"""A TCP proxy that fails as tests want it to: silent, cut, or deaf to what the server answers."""

import asyncio
import contextlib


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
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._flows.set()
        self._server.close()
        self.cut()
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

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

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
            self._writers.add(back)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._copy(reader, back, is_reply=False))
                group.create_task(self._copy(there, writer, is_reply=True))
            self._writers.discard(back)
        except (OSError, ExceptionGroup):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            self._tasks.discard(task)

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
