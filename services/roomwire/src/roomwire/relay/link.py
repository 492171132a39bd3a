"""One connection to another node's listener, from the proof on: the bytes of one request in both directions."""

import asyncio
from collections.abc import Callable
from typing import Final

from roomwire.relay.errors import NotConnected, NotWelcomed
from roomwire.relay.proof import WELCOME_BYTES, BadProof, Proof, RelayRequest

READ_BYTES: Final = 65_536
"""The maximum bytes of one read, and about the maximum that is buffered, in each direction of one relay."""


class RelayLink:
    """A connection to a node that has proved its identity.

    Args:
        reader: Reads from the node.
        writer: Writes to the node.
        count: Counts bytes, by direction.

    """

    __slots__ = ("_count", "_reader", "_writer")

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: Callable[[str, int], None]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._count = count

    @property
    def is_full(self) -> bool:
        """Whether the node reads more slowly than data arrives."""
        return self._writer.transport.get_write_buffer_size() > READ_BYTES

    async def read(self) -> bytes:
        """Return the next data; nothing at the end, however the connection ended."""
        try:
            data = await self._reader.read(READ_BYTES)
        except OSError:
            return b""
        self._count("to_client", len(data))
        return data

    def write(self, data: bytes) -> None:
        """Send; nothing happens if the node is gone, which `read` will report."""
        self._count("to_owner", len(data))
        self._writer.write(data)

    async def drain(self) -> None:
        """Wait until the node has read enough of the buffered data, or is gone."""
        try:
            await self._writer.drain()
        except OSError:
            return

    def close(self) -> None:
        """Close the connection once all buffered data has been sent."""
        self._writer.close()


async def reach(
    host: str, port: int, proof: Proof, request: RelayRequest, *, count: Callable[[str, int], None]
) -> RelayLink:
    """Connect to a node's listener, and send it a request. The caller sets a time limit.

    Raises:
        Unreached: The node cannot be reached, or is another node.

    """
    writer: asyncio.StreamWriter | None = None
    is_reached = False
    try:
        reader, writer = await asyncio.open_connection(host, port, limit=READ_BYTES)
        hello, nonce = proof.hello()
        writer.write(hello)
        writer.write(proof.request(nonce, await reader.readexactly(WELCOME_BYTES), request))
        is_reached = True
    except EOFError as error:
        # A listener closes the connection after a false proof, without an answer.
        raise NotWelcomed(host, port) from error
    except (OSError, BadProof) as error:
        raise NotConnected(host, port, problem=error) from error
    finally:
        if writer is not None and not is_reached:
            writer.transport.abort()
    return RelayLink(reader, writer, count)
