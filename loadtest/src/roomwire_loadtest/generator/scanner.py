"""Finds the WebSocket frames in a server's bytes, exactly, and at the speed of C where they are alike.

Sans-I/O: it uses no socket. A server's frames are unmasked (RFC 6455, section 5.1), and under load most of
them are the same event with texts of one size. Each frame's boundary follows from the previous one: if a frame begins at
`start`, and the headers at `start`, `start + size`, `start + 2 * size`... all say `size`, then a frame begins at each of
these, and one slice with a stride checks them all. Other frames in between (a ping, an ack) are scanned one by one.
"""

from collections.abc import Iterator
from typing import Final

TEXT: Final = 0x81
BINARY: Final = 0x82
CLOSE: Final = 0x88
PING: Final = 0x89
PONG: Final = 0x8A
_KINDS: Final = frozenset({TEXT, BINARY, CLOSE, PING, PONG})
_SHORT: Final = 126
_LONG: Final = 127
_LARGEST_BYTES: Final = 1 << 24
_CHECKED_BYTES: Final = 4
"""Bytes compared at each boundary: the header and the first two bytes of the payload, which tell the packet's kind."""


class FrameError(Exception):
    """The bytes are not a frame that a server of this benchmark sends, so the count could not be trusted."""


def walk(data: bytes | bytearray, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield each whole frame as (first byte of its header, start of its payload, its end).

    Raises:
        FrameError: A frame is masked, fragmented, of an unknown kind or absurdly large.

    """
    while end - start >= 2:  # noqa: PLR2004 - the shortest header
        kind, size = data[start], data[start + 1]
        body = start + 2
        if size == _SHORT:
            body += 2
            size = int.from_bytes(data[start + 2 : body], "big")
        elif size == _LONG:
            body += 8
            size = int.from_bytes(data[start + 2 : body], "big")
        if kind not in _KINDS or data[start + 1] > _LONG:
            raise FrameError(f"no frame of a server: {bytes(data[start : start + 16])!r}")
        if body > end or body + size > end:
            if body <= end and size > _LARGEST_BYTES:
                raise FrameError(f"a frame of {size} bytes")
            return
        yield kind, body, body + size
        start = body + size


class Uniform:
    """Counts frames of the same form: same header, same size, same first bytes of the payload.

    Args:
        example: A complete frame, with a payload shorter than 126 bytes.

    """

    def __init__(self, example: bytes) -> None:
        self.size = len(example)
        self.header = example[:_CHECKED_BYTES]
        self._first = [(offset, example[offset : offset + 1]) for offset in range(_CHECKED_BYTES)]

    def count(self, data: bytearray, start: int, end: int) -> int:
        """Return the number of whole frames at `start` if all of them are alike; otherwise 0, and they have to be scanned."""
        size = self.size
        count = (end - start) // size
        until = start + count * size
        for offset, byte in self._first:
            if data[start + offset : until : size].count(byte) != count:
                return 0
        return count


def uniform_from(
    data: bytes | bytearray, frames: list[tuple[int, int, int]], marker: bytes
) -> Uniform | None:
    """Return a counter for frames like the first one in `frames` that begins with the marker."""
    for kind, body, end in frames:
        if kind == TEXT and data.startswith(marker, body, end):
            if end - body < _SHORT:
                return Uniform(bytes(data[body - 2 : end]))
            return None
    return None
