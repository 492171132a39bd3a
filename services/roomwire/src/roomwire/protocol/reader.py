"""Parses a client's WebSocket bytes into complete messages and control frames. Pure.

It implements the rules of RFC 6455, section 5, for the server side, and limits what may accumulate before a
message is complete: its bytes and the number of its fragments, including empty ones. A compressed message is decompressed
when it is complete, up to the limit of its bytes. The caller closes the WebSocket with the code of a `FrameError`, and feeds
nothing after that.
"""

import enum
from collections.abc import Iterator
from typing import Final, NamedTuple

import websockets.frames

from roomwire.health.packages import Foreign
from roomwire.limits.bounds import Bound
from roomwire.protocol.deflate import BadDeflate, inflated

WEBSOCKETS: Final = Foreign(
    "websockets", oldest="15.0", newest="17.4", names={"websockets.frames": ("apply_mask",)}
)
WEBSOCKETS.check()
# websockets' C implementation if it is installed.
apply_mask: Final = websockets.frames.apply_mask  # type: ignore[attr-defined]


class Opcode(enum.IntEnum):
    """What a frame or message is: the opcodes of RFC 6455, section 11.8."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class CloseCode(enum.IntEnum):
    """Why a WebSocket is closed: RFC 6455, section 7.4.1, and IANA's registry of close codes."""

    OK = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    INVALID_PAYLOAD = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    TRY_AGAIN_LATER = 1013


class FrameError(Exception):
    """The input violates the protocol or exceeds a bound.

    Args:
        code: The code to close the WebSocket with.
        exceeded: The bound that was exceeded, if one was.

    """

    def __init__(self, code: CloseCode, exceeded: Bound | None = None) -> None:
        super().__init__(code.name)
        self.code = code
        self.exceeded = exceeded


class WebSocketMessage(NamedTuple):
    """A complete message, or a control frame."""

    kind: Opcode
    payload: bytes


_FIN: Final = 0x80
_RESERVED: Final = 0x70
_DEFLATED: Final = 0x40
_OPCODE: Final = 0x0F
_MASKED: Final = 0x80
_CONTROL: Final = 0x08
_SMALL: Final = 125
_MEDIUM: Final = 0xFFFF
_LARGEST: Final = 2**63 - 1
_MASK_BYTES: Final = 4
_KINDS: Final = frozenset(Opcode)
_FIRST_KINDS: Final = frozenset({Opcode.TEXT, Opcode.BINARY})
"""The opcodes of the first frame of a message, which alone says whether the message is compressed."""
_WHOLE_TEXT: Final = _FIN | Opcode.TEXT
_SHORT_HEAD: Final = 2 + _MASK_BYTES


def short_texts(data: bytes) -> list[str] | None:
    """Return the texts if the bytes consist only of short, unfragmented text frames, as nearly always: hot.

    None means that a `FrameReader` must parse them.
    """
    texts = []
    start, end = 0, len(data)
    while start < end:
        payload = start + _SHORT_HEAD
        size = data[start + 1] - _MASKED if payload <= end else -1
        stop = payload + size
        if data[start] != _WHOLE_TEXT or not 0 <= size <= _SMALL or stop > end:
            return None
        try:
            texts.append(apply_mask(data[payload:stop], data[start + 2 : payload]).decode())
        except UnicodeDecodeError:
            return None
        start = stop
    return texts


def is_close(data: bytes) -> bool:
    """Return whether the bytes are exactly one CLOSE frame; hardly any bytes from the middle of a message look like one."""
    return (
        len(data) >= _SHORT_HEAD
        and data[0] == _FIN | Opcode.CLOSE
        and len(data) == data[1] - _MASKED + _SHORT_HEAD
    )


FRAGMENT_BYTES: Final = 1_024
"""The size from which a fragment is not counted as needlessly small; browsers send fragments of 128 KiB."""


_FRAGMENT_BYTES: Final = 64
"""What a fragment takes beside its payload."""


class _Head(NamedTuple):
    """The beginning of a frame, and where its payload begins."""

    kind: Opcode
    is_last: bool
    is_deflated: bool
    size: int
    mask: bytes
    start: int


class FrameReader:
    """Parses a client's bytes.

    Args:
        max_message_bytes: Maximum size of a message; a frame that announces more is refused before its payload has arrived.
        max_fragments: Maximum frames of a message, plus one for each `FRAGMENT_BYTES` of it: clients fragment large messages.
        inflates: Whether permessage-deflate is agreed on. Default: no, and a compressed message violates the protocol.

    """

    __slots__ = (
        "_allowed",
        "_buffer",
        "_fragments",
        "_fragments_bytes",
        "_is_deflated",
        "_kind",
        "_max_bytes",
        "_max_fragments",
    )

    def __init__(self, *, max_message_bytes: int, max_fragments: int, inflates: bool = False) -> None:
        self._max_bytes = max_message_bytes
        self._max_fragments = max_fragments
        self._buffer = bytearray()
        self._fragments: list[bytes] = []
        self._fragments_bytes = 0
        self._kind = Opcode.TEXT
        self._allowed = _DEFLATED if inflates else 0
        self._is_deflated = False

    @property
    def is_idle(self) -> bool:
        """Whether no partial input is left: the next byte begins a message."""
        return not self._buffer and not self._fragments

    @property
    def held_bytes(self) -> int:
        """The size of the partial input, with the objects of small fragments."""
        return len(self._buffer) + self._fragments_bytes + _FRAGMENT_BYTES * len(self._fragments)

    def feed(self, data: bytes) -> Iterator[WebSocketMessage]:
        """Parse bytes; yield the messages and control frames that are complete, in order.

        Raises:
            FrameError: Raised after the complete messages before the error; feed nothing more.

        """
        self._buffer += data
        position = 0
        try:
            while (head := self._head(position)) is not None:
                end = head.start + head.size
                if len(self._buffer) < end:
                    break
                payload = apply_mask(bytes(self._buffer[head.start : end]), head.mask)
                position = end
                message = self._take(head, payload)
                if message is not None:
                    yield message
        finally:
            del self._buffer[:position]

    def _head(self, position: int) -> _Head | None:
        """Read the head of the frame at a position; None if it is incomplete."""
        buffer = self._buffer
        if len(buffer) < position + 2:
            return None
        first, second = buffer[position], buffer[position + 1]
        opcode, is_last, size = first & _OPCODE, bool(first & _FIN), second & ~_MASKED
        reserved = first & _RESERVED
        if reserved & ~self._allowed or opcode not in _KINDS or not second & _MASKED:
            raise FrameError(CloseCode.PROTOCOL_ERROR)
        if reserved and opcode not in _FIRST_KINDS:
            raise FrameError(CloseCode.PROTOCOL_ERROR)
        if opcode & _CONTROL and (not is_last or size > _SMALL):
            raise FrameError(CloseCode.PROTOCOL_ERROR)
        start = position + 2
        if size > _SMALL:
            length = 2 if size == _SMALL + 1 else 8
            if len(buffer) < start + length:
                return None
            size = int.from_bytes(buffer[start : start + length], "big")
            if size <= (_SMALL if length == 2 else _MEDIUM) or size > _LARGEST:  # noqa: PLR2004 - as above
                raise FrameError(CloseCode.PROTOCOL_ERROR)
            start += length
        if size > self._max_bytes:
            raise FrameError(CloseCode.MESSAGE_TOO_BIG, Bound.MESSAGE_BYTES)
        if len(buffer) < start + _MASK_BYTES:
            return None
        mask = bytes(buffer[start : start + _MASK_BYTES])
        return _Head(Opcode(opcode), is_last, bool(reserved), size, mask, start + _MASK_BYTES)

    def _take(self, head: _Head, payload: bytes) -> WebSocketMessage | None:
        """Process a frame; return the message that it completes, if any."""
        if head.kind & _CONTROL:
            return WebSocketMessage(head.kind, payload)
        if (head.kind is Opcode.CONTINUATION) is not bool(self._fragments):
            raise FrameError(CloseCode.PROTOCOL_ERROR)
        if head.kind is not Opcode.CONTINUATION:
            self._kind, self._is_deflated = head.kind, head.is_deflated
            if head.is_last:
                return self._message(payload)
        self._fragments.append(payload)
        self._fragments_bytes += len(payload)
        if self._fragments_bytes > self._max_bytes:
            raise FrameError(CloseCode.MESSAGE_TOO_BIG, Bound.MESSAGE_BYTES)
        if len(self._fragments) > self._max_fragments + self._fragments_bytes // FRAGMENT_BYTES:
            raise FrameError(CloseCode.MESSAGE_TOO_BIG, Bound.FRAGMENTS)
        if not head.is_last:
            return None
        whole = b"".join(self._fragments)
        self._fragments, self._fragments_bytes = [], 0
        return self._message(whole)

    def _message(self, payload: bytes) -> WebSocketMessage:
        if self._is_deflated:
            try:
                payload = inflated(payload, max_bytes=self._max_bytes)
            except BadDeflate:
                raise FrameError(CloseCode.INVALID_PAYLOAD) from None
            if len(payload) > self._max_bytes:
                raise FrameError(CloseCode.MESSAGE_TOO_BIG, Bound.MESSAGE_BYTES)
        return WebSocketMessage(self._kind, payload)


_CLOSE_CODES: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3_000, 5_000)})
"""The codes that a CLOSE frame may contain: RFC 6455, section 7.4, and IANA's registry."""


def close_answer(payload: bytes) -> int:
    """Return the code that answers a CLOSE frame: the same code if the frame's payload is well-formed."""
    if not payload:
        return CloseCode.OK
    code = int.from_bytes(payload[:2], "big")
    if len(payload) < 2 or code not in _CLOSE_CODES:  # noqa: PLR2004 - a code has two bytes
        return CloseCode.PROTOCOL_ERROR
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        return CloseCode.INVALID_PAYLOAD
    return code
