"""The messages of one WebSocket that arrive before its session is open."""

import sys
from collections import deque

from roomwire.limits.client import Limits
from roomwire.protocol.packets import EnginePacket


class Inbox:
    """Messages in the order of their arrival, and their total size.

    Attributes:
        packets: The messages.
        held_bytes: The memory that they take.

    """

    __slots__ = ("_bytes", "held_bytes", "packets")

    def __init__(self) -> None:
        self.packets: deque[EnginePacket] = deque()
        self._bytes = 0
        self.held_bytes = 0

    def add(self, packet: EnginePacket) -> None:
        """Add a message behind the others."""
        self.packets.append(packet)
        self._bytes += len(packet)
        self.held_bytes += sys.getsizeof(packet)

    def pop(self) -> EnginePacket:
        """Return the first message, which waits no more."""
        packet = self.packets.popleft()
        self._bytes -= len(packet)
        self.held_bytes -= sys.getsizeof(packet)
        return packet

    def is_full(self, limits: Limits, part: float) -> bool:
        """Return whether more than this part of what may wait is waiting."""
        return (
            self._bytes > limits.max_payload_bytes * part
            or len(self.packets) > limits.max_waiting_messages * part
        )
