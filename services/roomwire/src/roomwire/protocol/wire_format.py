"""The form of packets on the wire: Socket.IO's own, or that of another class of packets, which a program may choose.

Pure. Everything that encodes events or acks for clients gets a `WireFormat`. `NATIVE` is the codec's. `foreign` is for a class of
packets in python-socketio's manner, such as msgpack's, or one with a JSON module of the program's: it is slower, as each packet is an
object, and the log stores what the class wrote, which each node reads and writes again.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec
import socketio.packet
from socketio.packet import ACK, EVENT

from roomwire.limits.client import Limits
from roomwire.protocol.codec import (
    BadPacket,
    Packet,
    ack_frames,
    check_attachment,
    check_decoded,
    packet_frames,
)
from roomwire.protocol.payloads import event_payload, payload_frames
from roomwire.protocol.values import decode

_FOREIGN_PAYLOAD: Final = b"\x02"
_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(list[Any]).decode
_UNDEFINED: Final = (0, b"\x00")
"""What JavaScript's `undefined` is in the msgpack of the official client: an extension's type and data."""


class WireFormat(NamedTuple):
    """The functions that encode events and acks.

    Attributes:
        payload: Returns an event as the log stores it; see `payloads.event_payload`.
        frames: Returns the frames of a stored event; see `payloads.payload_frames`.
        acks: Returns the frames of an ack; see `codec.ack_frames`.
        packet_class: The class of packets.
        is_native: Whether text events are read without an object for each packet.

    """

    payload: Callable[[list[object]], bytes]
    frames: Callable[..., list[bytes]]
    acks: Callable[[str, list[object], int], list[bytes]]
    packet_class: type[socketio.packet.Packet]
    is_native: bool


NATIVE: Final = WireFormat(event_payload, payload_frames, ack_frames, Packet, is_native=True)


def wire_format(serializer: object, json: object, limits: Limits) -> WireFormat:
    """Return the form of packets that a program asks for.

    Args:
        serializer: `default`, `msgpack`, or a class of packets: python-socketio's option.
        json: A module or an object with `dumps` and `loads`, for a class of packets that writes JSON. None: the codec's own.
        limits: The limits of one client.

    Raises:
        ValueError: `serializer` is something else, or `json` lacks one of the two functions.

    """
    if json is not None and not (
        callable(getattr(json, "dumps", None)) and callable(getattr(json, "loads", None))
    ):
        raise ValueError("json: a module or an object with the functions `dumps` and `loads` is needed")
    bounds = {name: getattr(limits, name) for name in ("max_attachments", "max_attachments_bytes")}
    if serializer == "default" or serializer is Packet:
        if json is None:
            return NATIVE._replace(packet_class=type("Packet", (Packet,), bounds))
        serializer = socketio.packet.Packet
    if serializer == "msgpack":
        from socketio.msgpack_packet import MsgPackPacket  # noqa: PLC0415 - it needs an optional package

        serializer = MsgPackPacket
    if not isinstance(serializer, type):
        raise ValueError(  # noqa: TRY004 - it may be a wrong word as well
            f"serializer: 'default', 'msgpack' or a class of packets is needed, not {serializer!r}"
        )
    name = serializer.__name__
    trusted = serializer if json is None else type(name, (serializer,), {"json": json})
    strict = trusted
    if _is_msgpack(serializer):
        trusted, strict = _msgpack(trusted, is_strict=False), _msgpack(trusted, is_strict=True)
    return _foreign(trusted, type(name, (_Checked, strict), bounds))


def _foreign(trusted: type[socketio.packet.Packet], packet_class: type[socketio.packet.Packet]) -> WireFormat:
    """Return the form of a class of packets.

    Args:
        trusted: The class, which reads what this deployment stored.
        packet_class: The class with the limits of clients.

    """

    def payload(data: list[object]) -> bytes:
        encoded = packet_class(EVENT, data=data, namespace="/").encode()
        return _FOREIGN_PAYLOAD + _pack(encoded if isinstance(encoded, list) else [encoded])

    def frames(
        namespace: str, payload: bytes, offset: str | None = None, ack_id: int | None = None
    ) -> list[bytes]:
        data = _arguments(trusted, payload)
        if offset is not None:
            data = [*data, offset]
        return packet_frames(packet_class(EVENT, data=data, namespace=namespace, id=ack_id))

    def acks(namespace: str, data: list[object], ack_id: int) -> list[bytes]:
        return packet_frames(packet_class(ACK, data=data, namespace=namespace, id=ack_id))

    return WireFormat(payload, frames, acks, packet_class, is_native=False)


def _arguments(trusted: type[socketio.packet.Packet], payload: bytes) -> list[object]:
    """Return the name and the arguments of a stored event, whichever form it has."""
    if not payload.startswith(_FOREIGN_PAYLOAD):
        return _of_native(payload)
    first, *attachments = _unpack(memoryview(payload)[1:])
    packet = trusted(encoded_packet=first)
    for attachment in attachments:
        packet.add_attachment(attachment)
    return list(packet.data)


def _of_native(payload: bytes) -> list[object]:
    """Return the name and the arguments of an event that an emitter or a node with the codec's own form stored."""
    if payload.startswith(b"["):
        data: list[object] = decode(payload.decode())
        return data
    if not payload.startswith(b"\x01"):
        raise ValueError("not an event in the log's format")
    text, *attachments = msgspec.msgpack.decode(memoryview(payload)[1:], type=list[bytes])
    whole: Any = Packet.reconstruct_binary(decode(text.decode()), attachments)
    return list(whole)


class _Checked:
    """A class of packets that reads what strangers send: a packet that it cannot read, or that no client may send, is refused."""

    max_attachments = Packet.max_attachments
    max_attachments_bytes = Packet.max_attachments_bytes
    packet_type: int
    namespace: str | None
    id: int | None
    data: Any
    attachments: list[bytes]

    def decode(self, encoded_packet: str | bytes) -> int:
        """Read a packet; return the number of attachments that follow.

        Raises:
            BadPacket: It is not a packet that a client may send.

        """
        try:
            count = super().decode(encoded_packet) or 0  # type: ignore[misc]
            check_decoded(self, count)
        except BadPacket:
            raise
        except Exception as error:
            raise BadPacket(f"not a packet: {type(error).__name__}") from None
        return int(count)

    def add_attachment(self, attachment: bytes) -> bool:
        """Add an attachment; return True if it was the last one.

        Raises:
            BadPacket: It is too large, or the packet cannot be completed.

        """
        check_attachment(self, attachment)
        try:
            return bool(super().add_attachment(attachment))  # type: ignore[misc]
        except Exception as error:
            raise BadPacket(f"not a packet: {type(error).__name__}") from None


def _msgpack(base: Any, *, is_strict: bool) -> type[socketio.packet.Packet]:
    """Return a class of msgpack's packets that understands the official client, for which `undefined` is not `null`.

    Args:
        base: The class.
        is_strict: Whether the keys of objects must be text, as those of clients are.

    """
    import msgpack  # type: ignore[import-untyped] # noqa: PLC0415 - an optional package

    def ext_hook(code: int, data: bytes) -> object:
        return None if (code, data) == _UNDEFINED else base.ext_hook(code, data)

    class MsgPackPacket(base):  # type: ignore[misc] # python-socketio has no types
        def decode(self, encoded_packet: bytes) -> None:
            fields = msgpack.loads(encoded_packet, ext_hook=ext_hook, strict_map_key=is_strict)
            self.packet_type, self.namespace = fields["type"], fields["nsp"]
            self.data, self.id = fields.get("data"), fields.get("id")

        def _to_dict(self) -> dict[str, object]:
            fields: dict[str, object] = super()._to_dict()
            if fields["data"] is None:
                # The official client refuses a DISCONNECT with data.
                del fields["data"]
            return fields

    return MsgPackPacket


def _is_msgpack(serializer: type) -> bool:
    """Return whether a class reads packets as python-socketio's class for msgpack does."""
    decode = getattr(serializer, "decode", None)
    return getattr(decode, "__module__", "") == "socketio.msgpack_packet"
