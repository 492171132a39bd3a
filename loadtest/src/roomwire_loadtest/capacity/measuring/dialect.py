"""The generator's packets for the chat itself; the benchmark has its own application. Pure."""

import re

from roomwire_loadtest.generator.dialects import SocketIO
from roomwire_loadtest.generator.masking import STAMP_DIGITS, StampedFrame, masked


class Chat(SocketIO):
    """The chat's events, with acks.

    Args:
        text_bytes: Length of a message's text, at least 16, because it begins with its time.

    """

    event = b'42["roomMessage","[u'
    stamp = re.compile(rb'42\["roomMessage","\[u in [^\]]+\] (\d{16})')

    def __init__(self, text_bytes: int = 64) -> None:
        self.text_bytes = text_bytes
        self._fill = b"x" * (text_bytes - STAMP_DIGITS)

    def join(self, room: str) -> bytes:
        """Return `joinRoom`, with an ack."""
        return masked(b'420["joinRoom",{"roomId":"%s","userName":"u"}]' % room.encode())

    def chat(self, room: str) -> StampedFrame:
        """Return `chatMessage`, with an ack."""
        before = b'421["chatMessage",{"roomId":"%s","userName":"u","message":"' % room.encode()
        return StampedFrame(before, self._fill + b'"}]')
