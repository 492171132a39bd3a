"""WebSocket compression, permessage-deflate: what is agreed on, and how a message is compressed and decompressed. Pure.

Neither side keeps a context between messages, so a connection costs no memory for it, and one compressed frame serves every
receiver. Source: RFC 7692, section 7.
"""

import zlib
from collections.abc import Iterable
from typing import Final

import msgspec

from roomwire.protocol.extensions import Extension
from roomwire.protocol.frames import deflated_frame, payload_of

NAME: Final = "permessage-deflate"
WINDOW_BITS: Final = 12
"""The window by which messages are compressed, the same for all receivers, so that one frame serves them all. A larger one saves
little, and its memory costs more time to prepare than a message of a kilobyte takes."""
MOST_BYTES: Final = 262_144
"""The payload up to which a message is compressed; a larger one would keep the other clients waiting for too long."""

_LEVEL: Final = 1
_MEMORY_LEVEL: Final = 8
_TAIL: Final = b"\x00\x00\xff\xff"
"""The end of each compressed message, which is not sent: RFC 7692, section 7.2.1."""
_AFTER_THE_LAST_BLOCK: Final = b"\x00" + _TAIL
"""What follows a block that is marked as the last one: RFC 7692, section 7.2.3.4."""
_FLAGS: Final = frozenset({"server_no_context_takeover", "client_no_context_takeover"})
_SERVER_BITS: Final = "server_max_window_bits"
_CLIENT_BITS: Final = "client_max_window_bits"
_BITS: Final = {str(bits): bits for bits in range(8, 16)}
_ANSWER: Final = f"{NAME}; server_no_context_takeover; client_no_context_takeover"


class PerMessageDeflate(msgspec.Struct, frozen=True, kw_only=True):
    """Compression of WebSocket messages.

    Attributes:
        threshold_bytes: Minimum size of the messages that are compressed. `0` compresses all messages.

    """

    threshold_bytes: int = 1_024


class BadDeflate(ValueError):
    """A message is not compressed as it should be. The text is for the log, not for the client."""


def agreement(offers: Iterable[Extension]) -> str:
    """Return the answer to the first offer that can be accepted, for the answer's header; an empty text if there is none.

    An offer with an unknown, repeated or invalid parameter is declined (RFC 7692, section 7.1), and so is one that demands a smaller
    window than `WINDOW_BITS`.
    """
    for name, parameters in offers:
        values = dict(parameters)
        if (
            name == NAME
            and len(values) == len(parameters)
            and all(map(_is_acceptable, values, values.values()))
        ):
            return f"{_ANSWER}; {_SERVER_BITS}={WINDOW_BITS}" if _SERVER_BITS in values else _ANSWER
    return ""


def _is_acceptable(name: str, value: str | None) -> bool:
    if name in _FLAGS:
        return value is None
    if name == _SERVER_BITS:
        return value is not None and _BITS.get(value, 0) >= WINDOW_BITS
    return name == _CLIENT_BITS and (value is None or value in _BITS)


def deflated(frame: bytes) -> bytes:
    """Return the frame of the same message, compressed; the same frame if that would be no shorter, or would take too long."""
    payload = payload_of(frame)
    if len(payload) > MOST_BYTES:
        return frame
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -WINDOW_BITS, _MEMORY_LEVEL)
    compressed = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    shorter = compressed[: -len(_TAIL)]
    return deflated_frame(frame, shorter) if len(shorter) < len(payload) else frame


def inflated(payload: bytes, *, max_bytes: int) -> bytes:
    """Return a message decompressed, but never more than one byte beyond the maximum; that byte says that the message is larger.

    Raises:
        BadDeflate: The payload is not compressed data.

    """
    decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        message = decompressor.decompress(payload + _TAIL, max_bytes + 1)
    except zlib.error as error:
        raise BadDeflate(str(error)) from None
    if decompressor.eof and decompressor.unused_data != _AFTER_THE_LAST_BLOCK:
        # Each further block could be marked as the last one: beginning anew for every two bytes of a message would take too long.
        raise BadDeflate("data after the last block")
    return message
