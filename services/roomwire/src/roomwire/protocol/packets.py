"""Engine.IO 4 packets and polling payloads: pure functions between wire and values.

A packet is a `str` whose first character is its type, or `bytes`, which is a binary message. Over polling, several
packets share a payload, separated by a record separator, and binary messages are base64 after a `b`.
Source: the Engine.IO protocol, version 4.
"""

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from roomwire.limits.bounds import Bound
from roomwire.limits.client import Limits
from roomwire.protocol.frames import binary_frame, message_of, text_frame

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
_MESSAGES: Final = (MESSAGE, _BINARY)
_LINE_BREAKS_AND_SPACES: Final = str.maketrans("", "", "\r\n\t ")
_OF_URLS: Final = str.maketrans("-_", "+/")

EnginePacket = str | bytes
"""A packet from a client, or to a client before it is framed."""


class BadEnginePacket(ValueError):
    """The input is not an Engine.IO packet or payload. The text is for the log, not for the client.

    Args:
        text: The defect.
        exceeded: The bound that the input exceeds, if it exceeds one.

    """

    def __init__(self, text: str, exceeded: Bound | None = None) -> None:
        super().__init__(text)
        self.exceeded = exceeded


def decode_payload(body: bytes, *, max_packets: int) -> Iterator[EnginePacket]:
    """Yield the packets of a polling payload one by one: many small packets take many times the memory of the payload.

    Args:
        body: The body of a POST.
        max_packets: Maximum number of packets other than messages. Messages are not counted: a client that was away sends
            all messages that it has kept in one payload, as many as fit.

    Raises:
        BadEnginePacket: The payload is not UTF-8, or has too many packets or an invalid one; packets before it were yielded.

    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise BadEnginePacket("the payload is not UTF-8") from None
    start, others = 0, 0
    while start <= len(text):
        end = text.find(_SEPARATOR, start)
        if end < 0:
            end = len(text)
        if not text.startswith(_MESSAGES, start):
            others += 1
            if others > max_packets:
                raise BadEnginePacket(
                    f"more than {max_packets} non-message packets in a payload", Bound.PAYLOAD_PACKETS
                )
        yield _decode_part(text[start:end])
        start = end + 1


def framed(packet: EnginePacket) -> bytes:
    """Return a packet as a WebSocket frame, the form of all outgoing packets."""
    return text_frame(packet.encode()) if isinstance(packet, str) else binary_frame(packet)


def encode_payload(frames: Sequence[bytes]) -> bytes:
    """Return framed packets as the body of a polling answer."""
    return _SEPARATOR.join(_encode_part(message_of(frame)) for frame in frames).encode()


def _decode_part(part: str) -> EnginePacket:
    if not part.startswith(_BINARY):
        return part
    try:
        return binascii.a2b_base64(part[1:], strict_mode=True)
    except ValueError:
        return _decode_base64_of_the_field(part[1:])


def _decode_base64_of_the_field(text: str) -> bytes:
    """Decode base64 as known clients write it and the reference server accepts it.

    The Java and Android client breaks lines as in MIME (RFC 2045, section 6.8). Others omit the padding
    or use the alphabet for URLs (RFC 4648, sections 3.2 and 5).
    """
    digits = text.translate(_LINE_BREAKS_AND_SPACES).rstrip("=").translate(_OF_URLS)
    try:
        return binascii.a2b_base64(digits + "=" * (-len(digits) % 4), strict_mode=True)
    except ValueError:
        raise BadEnginePacket("a binary packet is not base64") from None


def _encode_part(packet: EnginePacket) -> str:
    return packet if isinstance(packet, str) else _BINARY + base64.b64encode(packet).decode()


class _Handshake(msgspec.Struct, rename="camel"):
    """The body of the packet that opens a session."""

    sid: str
    upgrades: Sequence[str]
    ping_interval: int
    ping_timeout: int
    max_payload: int


def open_packet(sid: str, limits: Limits, *, upgrades: Sequence[str]) -> EnginePacket:
    """Return the packet that opens a session."""
    handshake = _Handshake(
        sid=sid,
        upgrades=upgrades,
        ping_interval=round((limits.ping_interval_s + limits.ping_grace_s) * 1_000),
        ping_timeout=round(limits.ping_timeout_s * 1_000),
        max_payload=limits.max_payload_bytes,
    )
    return OPEN + msgspec.json.encode(handshake).decode()
