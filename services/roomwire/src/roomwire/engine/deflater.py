"""Compresses the frames of one process: a frame that many clients receive in a turn of the event loop is compressed once.

A broadcast puts the same object into every receiver's outbox, by which it is recognised here.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from roomwire.protocol.deflate import PerMessageDeflate, deflated
from roomwire.protocol.frames import binary_frame

_MOST_KEPT_BYTES: Final = 4_000_000
"""The bytes of frames that are kept within a turn. A client to which a turn sends more is a slow consumer by default."""


class Deflater:
    """Compresses frames for the connections that have agreed on it.

    Args:
        options: Which messages are compressed.

    """

    __slots__ = ("_kept_bytes", "_least_bytes", "_made")

    def __init__(self, options: PerMessageDeflate) -> None:
        self._least_bytes = len(binary_frame(bytes(options.threshold_bytes)))
        # The frame is kept beside the result, because another frame could have the same id after its end.
        self._made: dict[int, tuple[bytes, bytes]] = {}
        self._kept_bytes = 0

    def frames(self, frames: Iterable[bytes]) -> Sequence[bytes]:
        """Return the frames, those of messages from the threshold on compressed: hot."""
        least_bytes = self._least_bytes
        return [frame if len(frame) < least_bytes else self._deflated(frame) for frame in frames]

    def _deflated(self, frame: bytes) -> bytes:
        made = self._made.get(id(frame))
        if made is not None:
            return made[1]
        compressed = deflated(frame)
        self._keep(frame, compressed)
        return compressed

    def _keep(self, frame: bytes, compressed: bytes) -> None:
        """Keep a result until the end of the turn."""
        if self._kept_bytes > _MOST_KEPT_BYTES:
            self._forget()
        if not self._made:
            # It runs after the flush of this turn, which is running now.
            asyncio.get_running_loop().call_soon(self._forget)
        self._made[id(frame)] = frame, compressed
        self._kept_bytes += len(frame) + len(compressed)

    def _forget(self) -> None:
        self._made.clear()
        self._kept_bytes = 0
