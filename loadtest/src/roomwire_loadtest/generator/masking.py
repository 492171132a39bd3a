"""A client's frames: masked, as the protocol requires, and prepared in advance wherever possible.

The mask is a real one, because some servers skip the work for a zero key. It is the same for all frames,
so everything but the time stamp is masked only once; a server cannot notice.
"""

from typing import Final

TEXT: Final = 0x81
BINARY: Final = 0x82
PONG: Final = 0x8A
STAMP_DIGITS: Final = 16
"""Digits of a monotonic clock in nanoseconds that began at boot: enough for 115 days."""
_KEY: Final = bytes.fromhex("a35c1f96")
_SHORT: Final = 126
_TWO_BYTES: Final = 1 << 16


def masked(payload: bytes, kind: int = TEXT) -> bytes:
    """Return a client's frame (RFC 6455, sections 5.2 and 5.3)."""
    size = len(payload)
    if size < _SHORT:
        header = bytes((kind, 0x80 | size))
    elif size < _TWO_BYTES:
        header = bytes((kind, 0x80 | _SHORT)) + size.to_bytes(2, "big")
    else:
        raise ValueError("this benchmark sends no message of 64 KiB or more")
    return header + _KEY + _xor(payload, 0)


class StampedFrame:
    """A frame whose payload contains a time stamp: all of it but the stamp's digits is masked in advance.

    Args:
        before: The payload before the stamp.
        after: The payload after the stamp.

    """

    __slots__ = ("_after", "_before", "_key")

    def __init__(self, before: bytes, after: bytes) -> None:
        frame = masked(before + bytes(STAMP_DIGITS) + after)
        cut = len(frame) - len(after) - STAMP_DIGITS
        self._before = frame[:cut]
        self._after = frame[cut + STAMP_DIGITS :]
        # Masked zeros are the key itself, in its phase at this position.
        self._key = int.from_bytes(frame[cut : cut + STAMP_DIGITS], "big")

    def at(self, time_ns: int) -> bytes:
        """Return the frame with this time: hot."""
        digits = int.from_bytes(b"%016d" % time_ns, "big") ^ self._key
        return self._before + digits.to_bytes(STAMP_DIGITS, "big") + self._after


def _xor(payload: bytes, phase: int) -> bytes:
    size = len(payload)
    key = (_KEY * (size // 4 + 2))[phase : phase + size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
