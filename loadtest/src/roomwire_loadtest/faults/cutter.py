"""A TCP proxy whose network can fail: connections are reset, and new ones refused, until it is restored."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from roomwire_local.acceptor import Acceptor

HOST: Final = "127.0.0.1"
_CHUNK_BYTES: Final = 65_536


class Cutter:
    """Forwards bytes from a loopback port to a port of this or another address.

    Attributes:
        cuts: The number of connections that were cut.

    """

    def __init__(self, target: int, *, host: str = HOST, port: int = 0) -> None:
        self._target = target
        self._host = host
        self._acceptor = Acceptor(self._serve, port=port)
        self._open: set[asyncio.StreamWriter] = set()
        self.cuts = 0

    @property
    def port(self) -> int:
        """The port of the proxy."""
        return self._acceptor.port

    @property
    def url(self) -> str:
        """The URL for clients."""
        return f"http://{HOST}:{self.port}"

    def lead_to(self, target: int) -> None:
        """Forward new connections to another port."""
        self._target = target

    async def attach(self) -> None:
        """Accept connections, after `cut` on the same port again."""
        self._acceptor.listen()

    async def cut(self) -> None:
        """Reset all connections and refuse new ones."""
        self._acceptor.stop()
        # Each connection has two ends here: a client's and a server's.
        self.cuts += len(self._open) // 2
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()
        await asyncio.sleep(0)

    async def close(self) -> None:
        """Cut all connections and stop."""
        await self.cut()
        await self._acceptor.join()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection(self._host, self._target)
        except OSError:
            writer.transport.abort()
            return
        if not self._acceptor.is_listening:
            # The proxy was cut while it connected to the other end.
            writer.transport.abort()
            up_writer.transport.abort()
            return
        self._open |= {writer, up_writer}
        try:
            await asyncio.gather(_pump(reader, up_writer), _pump(up_reader, writer))
        finally:
            self._open -= {writer, up_writer}
            writer.transport.abort()
            up_writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def run_cutters(target: int, count: int) -> AsyncIterator[list[Cutter]]:
    """Run proxies to one port while the context lasts."""
    cutters = [Cutter(target) for _ in range(count)]
    try:
        for cutter in cutters:
            await cutter.attach()
        yield cutters
    finally:
        for cutter in cutters:
            await cutter.close()
