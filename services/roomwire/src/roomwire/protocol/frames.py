"""WebSocket frames of a server: a message is framed once, and all receivers get the same bytes. Pure.

Every outgoing packet is such a frame, whatever the transport; a transport that does not use frames removes
the frame with `message_of`. Source: RFC 6455, section 5.2.
"""

from typing import Final

_TEXT: Final = 0x81
_BINARY: Final = 0x82
_CLOSE: Final = 0x88
_PING: Final = 0x89
_PONG: Final = 0x8A
_DEFLATED: Final = 0x40
_SMALL: Final = 125
_CODE_BYTES: Final = 2
_MEDIUM: Final = 0xFFFF
_HEADER_BYTES: Final = {126: 4, 127: 10}
_SMALL_TEXT: Final = [bytes((_TEXT, size)) for size in range(_SMALL + 1)]


def text_frame(payload: bytes) -> bytes:
    """Return a complete text message as one unmasked frame: hot."""
    size = len(payload)
    return (_SMALL_TEXT[size] if size <= _SMALL else _header(_TEXT, size)) + payload


def binary_frame(payload: bytes) -> bytes:
    """Return a complete binary message as one unmasked frame."""
    return _header(_BINARY, len(payload)) + payload


def ping_frame(payload: bytes) -> bytes:
    """Return a ping with a payload of at most 125 bytes."""
    return bytes((_PING, len(payload))) + payload


def pong_frame(payload: bytes) -> bytes:
    """Return the answer to a ping with a payload of at most 125 bytes."""
    return bytes((_PONG, len(payload))) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """Return a frame that closes the WebSocket.

    Args:
        code: A code of RFC 6455, section 7.4.
        reason: The reason for the client; a longer one than fits is truncated.

    """
    said = reason.encode()[: _SMALL - _CODE_BYTES].decode(errors="ignore").encode()
    return bytes((_CLOSE, _CODE_BYTES + len(said))) + code.to_bytes(_CODE_BYTES, "big") + said


def deflated_frame(frame: bytes, payload: bytes) -> bytes:
    """Return a text or binary frame with its payload replaced by the compressed one: RFC 7692, section 6."""
    return _header(frame[0] | _DEFLATED, len(payload)) + payload


def payload_of(frame: bytes) -> bytes:
    """Return the payload of a text or binary frame."""
    return frame[_HEADER_BYTES.get(frame[1], 2) :]


def message_of(frame: bytes) -> str | bytes:
    """Return the message that a text or binary frame carries."""
    payload = payload_of(frame)
    return payload.decode() if frame[0] == _TEXT else payload


def is_text_frame(frame: bytes) -> bool:
    """Return whether a frame carries text."""
    return frame[0] == _TEXT


def _header(first: int, size: int) -> bytes:
    if size <= _SMALL:
        return bytes((first, size))
    if size <= _MEDIUM:
        return bytes((first, 126)) + size.to_bytes(2, "big")
    return bytes((first, 127)) + size.to_bytes(8, "big")
