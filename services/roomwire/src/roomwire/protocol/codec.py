"""Socket.IO v5 packets, strict and fast: translates between text on the wire and python-socketio's `Packet`.

Pure. Every deviation from the protocol, however small, is refused with `BadPacket`: a lenient decoder would let
a stranger choose which input the rest of the server must survive. msgspec encodes and decodes the JSON.
Source: the Socket.IO protocol, version 5.
"""

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Final, Protocol

import socketio.packet
from socketio.packet import ACK, BINARY_ACK, BINARY_EVENT, CONNECT, CONNECT_ERROR, DISCONNECT, EVENT

from roomwire.errors import NestedTooDeeply
from roomwire.limits.bounds import Bound
from roomwire.protocol.frames import binary_frame, text_frame
from roomwire.protocol.values import (
    MAX_LEVELS_OF_A_PACKET,
    PLAIN,
    decode,
    encode,
    has_binary,
    is_plain,
    parted,
)

MESSAGE: Final = "4"
"""Engine.IO's prefix of every Socket.IO text."""

# type, attachments, namespace, ack id, payload
_FORMAT: Final = re.compile(
    r"([0-6])(?:(\d{1,3})-)?(?:(/[^,]{0,255})(?:,|\Z))?(\d{1,15})?(.*)", re.DOTALL | re.ASCII
)
_BINARY_KINDS: Final = {EVENT: BINARY_EVENT, ACK: BINARY_ACK}
_WITH_ATTACHMENTS: Final = frozenset(_BINARY_KINDS.values())
_MAX_NAMESPACE: Final = 256
_MAX_ID_DIGITS: Final = 15
_MAX_ID: Final = 10**_MAX_ID_DIGITS
_NAMESPACE: Final = re.compile(r"/[^,?]{0,255}", re.DOTALL)
_LARGE: Final = 4_096
"""The size from which a payload is decoded only once its attachments are there."""
_NUMBERS: Final = frozenset({int, float})
_OF_NUMBERS: Final = (".", "e", "E")
"""What may follow the first digits of a number in JSON."""
_EXACT: Final = 1e21
"""From this value on, JavaScript writes numbers with an exponent."""


class BadPacket(ValueError):
    """The input is not a packet that a client may send. The text is for the log, not for the client.

    Args:
        text: The defect.
        exceeded: The bound that the packet exceeds, if it exceeds one.

    """

    def __init__(self, text: str, exceeded: Bound | None = None) -> None:
        super().__init__(text)
        self.exceeded = exceeded


class Packet(socketio.packet.Packet):  # type: ignore[misc] # python-socketio has no types
    """A Socket.IO packet; pass the class to `socketio.AsyncServer(serializer=...)`.

    Attributes:
        max_attachments: Maximum number of binary attachments of a packet; a subclass sets other limits.
        max_attachments_bytes: Maximum total size of the attachments; a single one may be as large as a message.

    Raises:
        BadPacket: `encoded_packet` is not a packet that a client may send.

    """

    max_attachments: ClassVar[int] = 10
    max_attachments_bytes: ClassVar[int] = 4_000_000
    _undecoded: str | None = None

    def encode(self) -> str | list[str | bytes]:
        """Return the packet's text, or a list of the text and the attachments."""
        is_text = is_plain(self.data, MAX_LEVELS_OF_A_PACKET)
        data, attachments = (self.data, []) if is_text else parted(self.data)
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
        """Read a packet's text; return the number of attachments that follow."""
        found = _FORMAT.fullmatch(encoded_packet) if isinstance(encoded_packet, str) else None
        if found is None:
            raise BadPacket("not a packet")
        kind, attachments, namespace, ack_id, payload = found.groups()
        self.packet_type = int(kind)
        if self.packet_type == CONNECT and ack_id is not None and payload.startswith(_OF_NUMBERS):
            # A number that is no integer, as the payload of a CONNECT: its digits are no ack id.
            payload = f"{ack_id}{payload}"
            ack_id = None
        self.namespace = None if namespace is None else namespace.partition("?")[0]
        self.id = None if ack_id is None else int(ack_id)
        count = 0 if attachments is None else int(attachments)
        if count and len(payload) > _LARGE and self.packet_type in _WITH_ATTACHMENTS:
            _check_number(self, count)
            # Its values take many times its size, and its attachments may never come.
            self._undecoded = payload
            return count
        self._read(payload, count, has_count=attachments is not None)
        return count

    def _read(self, payload: str, count: int, *, has_count: bool) -> None:
        """Decode the payload."""
        try:
            self.data = decode(payload) if payload else None
            if payload.count("[") + payload.count("{") > MAX_LEVELS_OF_A_PACKET:
                is_plain(self.data, MAX_LEVELS_OF_A_PACKET)
            _check(self, count, has_count=has_count)
        except BadPacket:
            raise
        except ValueError:
            raise BadPacket("the payload is not JSON") from None
        except (RecursionError, NestedTooDeeply):
            raise BadPacket("the payload is nested too deeply") from None

    def add_attachment(self, attachment: bytes | str) -> bool:
        """Add an attachment; return True if it was the last one and `data` is complete."""
        check_attachment(self, attachment)
        if self._undecoded is not None and len(self.attachments) + 1 == self.attachment_count:
            payload, self._undecoded = self._undecoded, None
            self._read(payload, self.attachment_count, has_count=True)
        try:
            return bool(super().add_attachment(attachment))
        except RecursionError:
            raise BadPacket("the payload is nested too deeply") from None

    @classmethod
    def data_is_binary(cls, data: object) -> bool:
        """Return whether the data contains binary; see `values`."""
        return has_binary(data)

    @classmethod
    def reconstruct_binary(cls, data: object, attachments: Sequence[bytes]) -> object:
        """Replace each placeholder by its attachment, and use each attachment once, or few bytes could repeat one many times."""
        unused = dict(enumerate(attachments))
        whole = _put(data, unused)
        if unused:
            raise BadPacket("an attachment without its placeholder")
        return whole


def _put(data: object, unused: dict[int, bytes]) -> object:
    # Loops instead of comprehensions, which cost Python 3.11 a further call for each level.
    if isinstance(data, list):
        items = []
        for item in data:
            items.append(_put(item, unused))  # noqa: PERF401 - see above
        return items
    if not isinstance(data, dict):
        return data
    if data.get("_placeholder") is not True:
        values = {}
        for key, value in data.items():
            values[key] = _put(value, unused)
        return values
    number = data.get("num")
    if type(number) is not int or number not in unused:
        raise BadPacket("a placeholder without its attachment")
    return unused.pop(number)


def event_head(text: str) -> tuple[str, int | None, int] | None:
    """Read the head of a text event: its namespace, its ack id, and where its JSON begins: hot.

    The text begins with the packet's type, which is an event.

    None means that only `Packet` can decode or refuse the text.
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
    """Read the head of an event of either kind, for an event that is refused: its JSON is not read.

    Args:
        text: A packet of type EVENT or BINARY_EVENT.
        max_attachments: Maximum number of attachments of a packet.

    Returns:
        The namespace, the ack id, and the number of attachments that follow.

    Raises:
        BadPacket: The head is not one that a client may send.

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


def connect_namespace(text: str) -> str:
    """Return the namespace of a CONNECT whose payload is not read.

    Raises:
        BadPacket: The head is not one that a client may send.

    """
    found = _FORMAT.fullmatch(text)
    if found is None or found[2] is not None:
        raise BadPacket("not a packet")
    return (found[3] or "/").partition("?")[0]


def name_of(number: float) -> str:
    """Return JavaScript's name of an event that is named by a number."""
    return str(int(number) if number % 1 == 0 and abs(number) < _EXACT else number)


def packet_frames(packet: socketio.packet.Packet) -> list[bytes]:
    """Return the frames of a packet, including its attachments."""
    encoded = packet.encode()
    return [_part_frame(part) for part in (encoded if isinstance(encoded, list) else (encoded,))]


def event_frames(namespace: str, data: list[object], ack_id: int | None = None) -> list[bytes]:
    """Return the frames of an event; `data` is its name and its arguments: hot."""
    return _frames(EVENT, namespace, data, ack_id)


def ack_frames(namespace: str, data: list[object], ack_id: int) -> list[bytes]:
    """Return the frames of an ack: hot."""
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


class Limited(Protocol):
    """The attributes of a packet with limits; see `Packet`."""

    packet_type: int
    namespace: str | None
    id: int | None
    data: Any
    attachments: list[bytes]
    max_attachments: int
    max_attachments_bytes: int


def check_attachment(packet: Limited, attachment: object) -> None:
    """Refuse what is no attachment, or too large beside the earlier ones of its packet."""
    if not isinstance(attachment, bytes):
        raise BadPacket("a text where an attachment belongs")
    others = sum(map(len, packet.attachments))
    if others and others + len(attachment) > packet.max_attachments_bytes:
        raise BadPacket("attachments that are too large", Bound.ATTACHMENTS_BYTES)


def check_decoded(packet: Limited, attachments: int) -> None:
    """Refuse a packet that another class has decoded, unless a client may send it.

    Raises:
        BadPacket: A client may not send it.
        TypeError: A field has a type that no field can have.

    """
    if type(packet.packet_type) is not int:
        raise BadPacket("not a packet")
    if packet.namespace is not None and not _NAMESPACE.fullmatch(packet.namespace):
        raise BadPacket("not a namespace")
    if packet.id is not None and not (type(packet.id) is int and 0 <= packet.id < _MAX_ID):
        raise BadPacket("not an ack id")
    try:
        is_plain(packet.data, MAX_LEVELS_OF_A_PACKET)
    except NestedTooDeeply:
        raise BadPacket("the payload is nested too deeply") from None
    if (packet.packet_type in _WITH_ATTACHMENTS) is not (attachments > 0):
        raise BadPacket("a wrong number of attachments")
    _check_number(packet, attachments)
    _check_fields(packet)


def _check_number(packet: Limited, attachments: int) -> None:
    if attachments > packet.max_attachments:
        raise BadPacket("a wrong number of attachments", Bound.ATTACHMENTS)


def _check(packet: Packet, attachments: int, *, has_count: bool) -> None:
    """Refuse a packet that a client may not send."""
    kind, data = packet.packet_type, packet.data
    if has_count is not (kind in _WITH_ATTACHMENTS):
        raise BadPacket("a wrong number of attachments")
    _check_number(packet, attachments)
    _check_fields(packet)
    if kind == BINARY_EVENT and attachments == 0:
        # No attachment will follow, so a placeholder in the packet can only be forged.
        packet.packet_type = EVENT
        packet.data = packet.reconstruct_binary(data, [])
    elif kind == BINARY_ACK and attachments == 0:
        packet.packet_type = ACK
        packet.data = packet.reconstruct_binary(data, [])


def _check_fields(packet: Limited) -> None:
    """Refuse a packet with a payload that does not fit its type."""
    kind, data = packet.packet_type, packet.data
    if kind == CONNECT_ERROR:
        raise BadPacket("a CONNECT_ERROR of a client")
    if kind == CONNECT:
        # The server answers errors in `data`. A number in its place reads as an ack id, which a CONNECT does not use.
        valid = True
    elif kind == DISCONNECT:
        valid = data is None
    elif kind in {EVENT, BINARY_EVENT}:
        # JavaScript also allows numbers as event names.
        valid = (
            isinstance(data, list) and bool(data) and (isinstance(data[0], str) or type(data[0]) in _NUMBERS)
        )
    else:
        valid = kind in {ACK, BINARY_ACK} and packet.id is not None and isinstance(data, list)
    if not valid:
        raise BadPacket("a payload that does not fit the packet's type")
