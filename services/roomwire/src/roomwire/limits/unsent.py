"""A client that does not read: how long it is waited for.

Owns one timer of a connection. What is to be done about such a client is said by `roomwire.serving.http`.
"""

import asyncio
from collections.abc import Callable


class Unsent:
    """Watches what is to be written to a client.

    Args:
        loop: The event loop.
        timeout_s: How long the client may take nothing of it.
        give_up: Called when it has taken nothing for so long; the watch has ended then.

    Attributes:
        timer: Runs while a client is watched.
        left_bytes: How much there was to be written when the client was looked at last.

    """

    __slots__ = ("_give_up", "_loop", "_timeout_s", "_transport", "left_bytes", "timer")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, timeout_s: float, give_up: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._timeout_s = timeout_s
        self._give_up = give_up
        self._transport: asyncio.WriteTransport | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.left_bytes = 0

    def watch(self, transport: asyncio.WriteTransport) -> None:
        """Watch until there is nothing left to be written; nothing happens if there is nothing."""
        self._transport = transport
        self.left_bytes = transport.get_write_buffer_size()
        if self.left_bytes and self.timer is None:
            self.timer = self._loop.call_later(self._timeout_s, self.look)

    def look(self) -> None:
        """See whether the client has taken anything since the last look."""
        self.stop()
        if self._transport is not None and self._transport.get_write_buffer_size() < self.left_bytes:
            self.watch(self._transport)
        else:
            self._give_up()

    def stop(self) -> None:
        """End the watch; idempotent."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
