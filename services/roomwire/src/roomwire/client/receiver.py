"""What both clients have: they put together packets, note what those say of the sessions, and find the method that handles them."""

from collections.abc import Callable
from typing import Any, Final

from socketio import packet

from roomwire.client.recovery import Arrival, Sessions

_BINARY: Final = frozenset({packet.BINARY_EVENT, packet.BINARY_ACK})
_EVENTS: Final = frozenset({packet.EVENT, packet.BINARY_EVENT})
ACKS: Final = frozenset({packet.ACK, packet.BINARY_ACK})
"""The kinds of packets that answer an event."""


class Receiver:
    """The part of a client that receives; the other part is python-socketio's, whose names are declared here."""

    namespaces: dict[str, str]
    connection_namespaces: list[str]
    packet_class: Any
    _binary_packet: Any
    _handle_event: Callable[..., Any]
    _handle_ack: Callable[..., Any]
    _handle_connect: Callable[..., Any]
    _handle_disconnect: Callable[..., Any]
    _handle_error: Callable[..., Any]
    _sessions: Sessions

    @property
    def recovered(self) -> bool:
        """Whether the last connection continued the session, in all namespaces; false while the client is not connected."""
        return bool(self.namespaces) and all(map(self.get_recovered, self.connection_namespaces))

    def get_recovered(self, namespace: str | None = None) -> bool:
        """Return whether the last connection continued the session in a namespace.

        Args:
            namespace: The namespace. Default: `/`.

        """
        return self._sessions.of(namespace).has_recovered

    def _received(self, data: str | bytes) -> tuple[packet.Packet, Arrival | None] | None:
        """Return the packet that is complete with a message, and its arrival; None if attachments are still to come.

        Call it for each message, in the order of their arrival.
        """
        pkt = self._binary_packet
        if pkt is None:
            pkt = self.packet_class(encoded_packet=data)
            if pkt.packet_type in _BINARY:
                self._binary_packet = pkt
                return None
        elif pkt.add_attachment(data):
            self._binary_packet = None
        else:
            return None
        return pkt, self._sessions.take(pkt)

    def _handler_of(self, pkt: packet.Packet) -> Callable[[], Any]:
        """Return the call of the method that handles a packet.

        Raises:
            ValueError: There is no such packet.

        """
        kind, namespace = pkt.packet_type, pkt.namespace
        if kind in _EVENTS:
            return lambda: self._handle_event(namespace, pkt.id, pkt.data)
        if kind in ACKS:
            return lambda: self._handle_ack(namespace, pkt.id, pkt.data)
        if kind == packet.CONNECT:
            return lambda: self._handle_connect(namespace, pkt.data)
        if kind == packet.DISCONNECT:
            return lambda: self._handle_disconnect(namespace)
        if kind == packet.CONNECT_ERROR:
            return lambda: self._handle_error(namespace, pkt.data)
        raise ValueError("Unknown packet type.")
