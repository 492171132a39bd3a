"""WebSocket frames of a server, encoded once and shared by every receiver. Pure. Source: RFC 6455, section 5.2."""

from typing import Final

_TEXT: Final = 0x81
_BINARY: Final = 0x82
_SMALL: Final = 125
_MEDIUM: Final = 0xFFFF


def text_frame(payload: bytes) -> bytes:
    """Return a whole text message as one unmasked frame."""
    return _header(_TEXT, len(payload)) + payload


def binary_frame(payload: bytes) -> bytes:
    """Return a whole binary message as one unmasked frame."""
    return _header(_BINARY, len(payload)) + payload


def _header(first: int, size: int) -> bytes:
    if size <= _SMALL:
        return bytes((first, size))
    if size <= _MEDIUM:
        return bytes((first, 126)) + size.to_bytes(2, "big")
    return bytes((first, 127)) + size.to_bytes(8, "big")


class Shared(str):
    """A text packet that goes to many: it carries its frame, made once.

    A transport that does not know it takes it for the text it is.
    """

    __slots__ = ("frame",)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.frame = text_frame(text.encode())
