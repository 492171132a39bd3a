"""A TCP proxy that fails as tests want it to: silent, cut, or deaf to what the server answers."""

import asyncio
import contextlib

from roomwire_local.acceptor import Acceptor


class Proxy:
    """Stands before a server. Use as an async context manager.

    Attributes:
        drops_replies: What the server says from now on is thrown away: it does, and nobody learns of it.

    """

    def __init__(self, target_port, tls=None):
        self._target_port = target_port
        self._acceptor = Acceptor(self._serve, tls=tls)
        self.drops_replies = False
        self.dropped = 0
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers = set()

    async def __aenter__(self):
        self._acceptor.listen()
        return self

    async def __aexit__(self, *_):
        self._acceptor.stop()
        self._flows.set()
        self.cut()
        await self._acceptor.abandon()

    @property
    def port(self):
        """Where it listens."""
        return self._acceptor.port

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
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(contextlib.suppress(OSError, ExceptionGroup))
            await stack.enter_async_context(self._open(writer))
            there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
            await stack.enter_async_context(self._open(back))
            async with asyncio.TaskGroup() as group:
                group.create_task(self._copy(reader, back, is_reply=False))
                group.create_task(self._copy(there, writer, is_reply=True))

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
