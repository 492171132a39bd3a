"""The parts of WebSocket frames and Socket.IO packets that a client under load reads. Pure: bytes and texts in, facts out."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

_SHORT: Final = 126
_HEAD: Final = re.compile(r"4([0-6])(\d*)")
_SAID: Final = re.compile(r"\[[^\]]* in ([^\]]+)\] (\S+) (\d+) ([\d.]+)")


class FrameReader:
    """Splits a server's bytes into frames (RFC 6455, section 5.2); fragments are not expected, and refused."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the kind and the payload of each frame that is complete; raises `ValueError` for a fragment."""
        held = self._held
        held += data
        while len(held) >= 2:  # noqa: PLR2004 - the size of the smallest head
            size, start = held[1] & 0x7F, 2
            if size >= _SHORT:
                start = 4 if size == _SHORT else 10
                if len(held) < start:
                    return
                size = int.from_bytes(held[2:start], "big")
            if len(held) < start + size:
                return
            if not held[0] & 0x80:
                raise ValueError("a fragment")
            frame = held[0] & 0x0F, bytes(held[start : start + size])
            del held[: start + size]
            yield frame


def packet(text: str) -> tuple[int, int | None, Any] | None:
    """Return a Socket.IO packet's kind, id and data; None for anything but a packet of the namespace `/`."""
    head = _HEAD.match(text)
    if head is None:
        return None
    rest = text[head.end() :]
    return int(head[1]), int(head[2]) if head[2] else None, json.loads(rest) if rest else None


def said(text: str) -> tuple[str, str, int, float] | None:
    """Return room, message id, count and due time (ms) of a chat message; None if it does not belong to a run."""
    found = _SAID.fullmatch(text)
    return (found[1], found[2], int(found[3]), float(found[4])) if found else None
