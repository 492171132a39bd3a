"""What the generator says to the chat itself, where the benchmark has an application of its own. Pure."""

import re

from roomwire_loadtest.generator.dialects import SocketIO
from roomwire_loadtest.generator.masking import STAMP_DIGITS, StampedFrame, masked


class Chat(SocketIO):
    """The chat's events, with acks.

    Args:
        text_bytes: Of a message's text, 16 or more, as it begins with its time.

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
