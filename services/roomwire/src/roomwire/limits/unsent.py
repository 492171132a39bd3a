"""Watches for clients that do not read, and gives them up after a time limit.

This module owns one timer of a connection. `roomwire.serving.http` decides what happens to such a client.
"""

import asyncio
from collections.abc import Callable


class Unsent:
    """Watches the unsent output to a client.

    Args:
        loop: The event loop.
        timeout_s: The time in which the client must read something.
        give_up: Called when the client has read nothing for that time; the watch has then ended.

    Attributes:
        timer: The timer while a client is watched.
        left_bytes: The size of the unsent output at the last check.

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
        """Watch until there is no unsent output; do nothing if there is none."""
        self._transport = transport
        self.left_bytes = transport.get_write_buffer_size()
        if self.left_bytes and self.timer is None:
            self.timer = self._loop.call_later(self._timeout_s, self.look)

    def look(self) -> None:
        """Check whether the client has read anything since the last check."""
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
