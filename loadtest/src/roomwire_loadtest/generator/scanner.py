"""Finds the WebSocket frames in what a server sent, exactly, at the speed of C wherever they are alike.

Sans-I/O: knows no socket. A server's frames are unmasked (RFC 6455, section 5.1), and under load most of
them are the same event with texts of one size. Frame boundaries follow from one another: if there is one at
`start`, and the headers at `start`, `start + size`, `start + 2 * size`... all say `size`, then each of these is
one, and one slice with a stride checks them all. Whatever else is between (a ping, an ack) is walked.
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
"""Compared at each boundary: the header and the first two bytes of the payload, which tell the packet's kind."""


class FrameError(Exception):
    """What arrived is no frame that a server of this benchmark sends: the count could not be trusted."""


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
    """Counts frames that are like one another: same header, same size, same first bytes of the payload.

    Args:
        example: A whole frame, with a payload shorter than 126 bytes.

    """

    def __init__(self, example: bytes) -> None:
        self.size = len(example)
        self.header = example[:_CHECKED_BYTES]
        self._first = [(offset, example[offset : offset + 1]) for offset in range(_CHECKED_BYTES)]

    def count(self, data: bytearray, start: int, end: int) -> int:
        """Return how many whole frames stand at `start` if all of them are alike; else 0: walk them."""
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
    """Return a counter of the frames of which one is the first in `frames` that begins with the marker."""
    for kind, body, end in frames:
        if kind == TEXT and data.startswith(marker, body, end):
            if end - body < _SHORT:
                return Uniform(bytes(data[body - 2 : end]))
            return None
    return None
