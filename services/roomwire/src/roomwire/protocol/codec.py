"""Socket.IO v5 packets, strict and fast: translates between texts on the wire and python-socketio's `Packet`.

Pure. What does not keep to the protocol is refused with `BadPacket`, however little of it is wrong: a
lenient decoder lets a stranger choose what the rest of the server has to survive. JSON goes through msgspec.
Source: the Socket.IO protocol, version 5.
"""

import re
from collections.abc import Sequence
from typing import ClassVar, Final

import socketio.packet
from socketio.packet import ACK, BINARY_ACK, BINARY_EVENT, CONNECT, CONNECT_ERROR, DISCONNECT, EVENT

from roomwire.limits.bounds import Bound
from roomwire.protocol.frames import binary_frame, text_frame
from roomwire.protocol.values import PLAIN, decode, encode, has_binary, is_plain, parted

MESSAGE: Final = "4"
"""What Engine.IO puts before every text of Socket.IO."""

# type, attachments, namespace, ack id, payload
_FORMAT: Final = re.compile(
    r"([0-6])(?:(\d{1,3})-)?(?:(/[^,]{0,255})(?:,|\Z))?(\d{1,15})?(.*)", re.DOTALL | re.ASCII
)
_BINARY_KINDS: Final = {EVENT: BINARY_EVENT, ACK: BINARY_ACK}
_WITH_ATTACHMENTS: Final = frozenset(_BINARY_KINDS.values())
_MAX_NAMESPACE: Final = 256
_MAX_ID_DIGITS: Final = 15
_NUMBERS: Final = frozenset({int, float})
_EXACT: Final = 1e21
"""From here on JavaScript writes numbers with an exponent."""


class BadPacket(ValueError):
    """What came is no packet that a client may send. The text is for the log, not for the client.

    Args:
        text: What is wrong.
        exceeded: The bound that it exceeds, if that is what is wrong.

    """

    def __init__(self, text: str, exceeded: Bound | None = None) -> None:
        super().__init__(text)
        self.exceeded = exceeded


class Packet(socketio.packet.Packet):  # type: ignore[misc] # python-socketio has no types
    """A Socket.IO packet; give the class to `socketio.AsyncServer(serializer=...)`.

    Attributes:
        max_attachments: Most binary attachments of one; a class with other bounds is a subclass.
        max_attachments_bytes: Their size together; one alone may be as large as a message.

    Raises:
        BadPacket: `encoded_packet` is none that a client may send.

    """

    max_attachments: ClassVar[int] = 10
    max_attachments_bytes: ClassVar[int] = 4_000_000

    def encode(self) -> str | list[str | bytes]:
        """Return the packet's text, or a list of it and its attachments."""
        data, attachments = (self.data, []) if is_plain(self.data) else parted(self.data)
        text = str(self.packet_type)
        if self.packet_type in _WITH_ATTACHMENTS:
            text += f"{len(attachments)}-"
        if self.namespace not in {None, "/"}:
            text += f"{self.namespace},"
        if self.id is not None:
            text += str(self.id)
        if data is not None:
            text += encode(data).decode()
        return [text, *attachments] if self.packet_type in _WITH_ATTACHMENTS else text

    def decode(self, encoded_packet: str | bytes) -> int:
        """Read a packet's text; returns how many attachments follow."""
        found = _FORMAT.fullmatch(encoded_packet) if isinstance(encoded_packet, str) else None
        if found is None:
            raise BadPacket("not a packet")
        kind, attachments, namespace, ack_id, payload = found.groups()
        self.packet_type = int(kind)
        self.namespace = None if namespace is None else namespace.partition("?")[0]
        self.id = None if ack_id is None else int(ack_id)
        count = 0 if attachments is None else int(attachments)
        try:
            self.data = decode(payload) if payload else None
            _check(self, count, has_count=attachments is not None)
        except BadPacket:
            raise
        except ValueError:
            raise BadPacket("the payload is not JSON") from None
        except RecursionError:
            raise BadPacket("the payload is nested too deeply") from None
        return count

    def add_attachment(self, attachment: bytes | str) -> bool:
        """Take an attachment; True when it was the last one and `data` is complete."""
        if not isinstance(attachment, bytes):
            raise BadPacket("a text where an attachment belongs")
        others = sum(map(len, self.attachments))
        if others and others + len(attachment) > self.max_attachments_bytes:
            raise BadPacket("attachments that are too large", Bound.ATTACHMENTS_BYTES)
        try:
            return bool(super().add_attachment(attachment))
        except RecursionError:
            raise BadPacket("the payload is nested too deeply") from None

    @classmethod
    def data_is_binary(cls, data: object) -> bool:
        """Say whether there is binary anywhere in the data; see `values`."""
        return has_binary(data)

    @classmethod
    def reconstruct_binary(cls, data: object, attachments: Sequence[bytes]) -> object:
        """Put each attachment where its placeholder is: one each, or few bytes could name one many times."""
        unused = dict(enumerate(attachments))
        whole = _put(data, unused)
        if unused:
            raise BadPacket("an attachment without its placeholder")
        return whole


def _put(data: object, unused: dict[int, bytes]) -> object:
    if isinstance(data, list):
        return [_put(item, unused) for item in data]
    if not isinstance(data, dict):
        return data
    if data.get("_placeholder") is not True:
        return {key: _put(value, unused) for key, value in data.items()}
    number = data.get("num")
    if type(number) is not int or number not in unused:
        raise BadPacket("a placeholder without its attachment")
    return unused.pop(number)


def event_head(text: str) -> tuple[str, int | None, int] | None:
    """Read the head of a text event: its namespace, its ack id, and where its JSON begins: hot.

    The text begins with the packet's type, an event's.

    None says that it takes `Packet` to understand it, or to refuse it.
    """
    start = text.find("[")
    if start == 1:
        return "/", None, 1
    digits, namespace = text[1:start], "/"
    if digits[:1] == "/":
        namespace, comma, digits = digits.partition(",")
        if not comma or "?" in namespace or len(namespace) > _MAX_NAMESPACE:
            return None
        if not digits:
            return namespace, None, start
    if len(digits) <= _MAX_ID_DIGITS and digits.isascii() and digits.isdecimal() and start > 0:
        return namespace, int(digits), start
    return None


def any_event_head(text: str, *, max_attachments: int) -> tuple[str, int | None, int]:
    """Read the head of an event of either kind, as of one that is refused: its JSON is not looked at.

    Args:
        text: A packet of type EVENT or BINARY_EVENT.
        max_attachments: Most attachments of one packet.

    Returns:
        Its namespace, its ack id, and how many attachments follow it.

    Raises:
        BadPacket: It has no head that a client may send.

    """
    found = _FORMAT.fullmatch(text)
    if found is None:
        raise BadPacket("not a packet")
    kind, attachments, namespace, ack_id, _ = found.groups()
    if (attachments is not None) is not (int(kind) == BINARY_EVENT):
        raise BadPacket("a wrong number of attachments")
    count = int(attachments or 0)
    if count > max_attachments:
        raise BadPacket("a wrong number of attachments", Bound.ATTACHMENTS)
    return (namespace or "/").partition("?")[0], None if ack_id is None else int(ack_id), count


def name_of(number: float) -> str:
    """Return what JavaScript calls an event that is named by a number."""
    return str(int(number) if number % 1 == 0 and abs(number) < _EXACT else number)


def packet_frames(packet: socketio.packet.Packet) -> list[bytes]:
    """Return a packet as it goes out, attachments included."""
    encoded = packet.encode()
    return [_part_frame(part) for part in (encoded if isinstance(encoded, list) else (encoded,))]


def event_frames(namespace: str, data: list[object], ack_id: int | None = None) -> list[bytes]:
    """Return an event as it goes out: `data` is its name and its arguments: hot."""
    return _frames(EVENT, namespace, data, ack_id)


def ack_frames(namespace: str, data: list[object], ack_id: int) -> list[bytes]:
    """Return an ack as it goes out: hot."""
    return _frames(ACK, namespace, data, ack_id)


def _frames(kind: int, namespace: str, data: list[object], ack_id: int | None) -> list[bytes]:
    for value in data:
        if type(value) not in PLAIN and not is_plain(value):
            data, attachments = parted(data)
            if attachments:
                head = f"{MESSAGE}{_BINARY_KINDS[kind]}{len(attachments)}-".encode()
                if namespace != "/":
                    head += f"{namespace},".encode()
                if ack_id is not None:
                    head += b"%d" % ack_id
                return [text_frame(head + encode(data)), *map(binary_frame, attachments)]
            break
    payload = encode(data)
    if namespace != "/":
        return [
            text_frame(f"{MESSAGE}{kind}{namespace},{'' if ack_id is None else ack_id}".encode() + payload)
        ]
    return [
        text_frame(b"4%d%s" % (kind, payload) if ack_id is None else b"4%d%d%s" % (kind, ack_id, payload))
    ]


def _part_frame(part: str | bytes) -> bytes:
    return text_frame(f"{MESSAGE}{part}".encode()) if isinstance(part, str) else binary_frame(part)


def _check(packet: Packet, attachments: int, *, has_count: bool) -> None:
    """Refuse what a client may not send."""
    kind, data = packet.packet_type, packet.data
    if has_count is not (kind in _WITH_ATTACHMENTS):
        raise BadPacket("a wrong number of attachments")
    if attachments > packet.max_attachments:
        raise BadPacket("a wrong number of attachments", Bound.ATTACHMENTS)
    if kind == CONNECT_ERROR:
        raise BadPacket("a CONNECT_ERROR of a client")
    if kind == CONNECT:
        # The server answers what is wrong with `data`. A number instead of it reads as an id, of which there is no use.
        valid = True
    elif kind == DISCONNECT:
        valid = data is None
    elif kind in {EVENT, BINARY_EVENT}:
        # JavaScript calls events by numbers as well.
        valid = (
            isinstance(data, list) and bool(data) and (isinstance(data[0], str) or type(data[0]) in _NUMBERS)
        )
    else:
        valid = kind in {ACK, BINARY_ACK} and packet.id is not None and isinstance(data, list)
    if not valid:
        raise BadPacket("a payload that does not fit the packet's type")
    if kind == BINARY_EVENT and attachments == 0:
        # Nothing will follow that would complete it, so a placeholder in it can only be a lie.
        packet.packet_type = EVENT
        packet.data = packet.reconstruct_binary(data, [])
    elif kind == BINARY_ACK and attachments == 0:
        packet.packet_type = ACK
        packet.data = packet.reconstruct_binary(data, [])
