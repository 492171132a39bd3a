"""Engine.IO 4 packets and polling payloads: pure functions between wire and values.

A packet is a `str` whose first character is its type, or `bytes`: a binary message. Over polling several
packets share a payload, separated by a record separator, and binary messages are base64 behind a `b`.
Source: the Engine.IO protocol, version 4.
"""

import base64
from collections.abc import Sequence
from typing import Final

from roomwire.bounds import Bound
from roomwire.frames import binary_frame, message_of, text_frame

OPEN: Final = "0"
CLOSE: Final = "1"
PING: Final = "2"
PONG: Final = "3"
MESSAGE: Final = "4"
UPGRADE: Final = "5"
NOOP: Final = "6"
PROBE: Final = "probe"

_SEPARATOR: Final = "\x1e"
_BINARY: Final = "b"

Packet = str | bytes
"""What comes from a client, or goes out before it is framed."""


class BadPacket(ValueError):
    """What came is no Engine.IO packet or payload. The text is for the log, not for the client.

    Args:
        text: What is wrong.
        exceeded: The bound that it exceeds, if that is what is wrong.

    """

    def __init__(self, text: str, exceeded: Bound | None = None) -> None:
        super().__init__(text)
        self.exceeded = exceeded


def decode_payload(body: bytes, *, max_packets: int) -> list[Packet]:
    """Return the packets of a polling payload.

    Args:
        body: The body of a POST.
        max_packets: Most packets accepted.

    Raises:
        BadPacket: It is no UTF-8, holds too many packets or one that is none.

    """
    try:
        parts = body.decode().split(_SEPARATOR, max_packets)
    except UnicodeDecodeError:
        raise BadPacket("the payload is no UTF-8") from None
    if len(parts) > max_packets:
        raise BadPacket(f"more than {max_packets} packets in a payload", Bound.PAYLOAD_PACKETS)
    return [_decode_part(part) for part in parts]


def framed(packet: Packet) -> bytes:
    """Return a packet as it goes out: as a WebSocket frame."""
    return text_frame(packet.encode()) if isinstance(packet, str) else binary_frame(packet)


def encode_payload(frames: Sequence[bytes]) -> bytes:
    """Return framed packets as the body of a polling answer."""
    return _SEPARATOR.join(_encode_part(message_of(frame)) for frame in frames).encode()


def _decode_part(part: str) -> Packet:
    if not part.startswith(_BINARY):
        return part
    try:
        return base64.b64decode(part[1:], validate=True)
    except ValueError:
        raise BadPacket("a binary packet is no base64") from None


def _encode_part(packet: Packet) -> str:
    return packet if isinstance(packet, str) else _BINARY + base64.b64encode(packet).decode()
