"""Watches for clients that do not read, and gives them up after a time limit.

This module owns one timer of a connection. `roomwire.serving.http` decides what happens to such a client. The WebSockets of the engine
are watched by `roomwire.engine.connection`, which asks this module how much has not reached the client.
"""

import asyncio
import struct
import sys
from collections.abc import Callable
from typing import cast

if sys.platform == "linux":
    import fcntl
    import termios

    def _unacknowledged_bytes(descriptor: int) -> int:
        """Return the bytes in the kernel that the other side has not acknowledged."""
        try:
            size = fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4))
        except OSError:
            return 0
        return cast("int", struct.unpack("i", size)[0])
else:

    def _unacknowledged_bytes(_: int) -> int:
        return 0


def queued_bytes(transport: asyncio.WriteTransport) -> int:
    """Return the bytes that were written to a transport and that its client has not received.

    Those in the kernel are included on Linux. Without them a client that reads slowly seems to pause: a socket with a large buffer
    tells the event loop only now and then that there is room.
    """
    socket = transport.get_extra_info("socket")
    descriptor = -1 if socket is None else socket.fileno()
    in_kernel = _unacknowledged_bytes(descriptor) if descriptor >= 0 else 0
    return transport.get_write_buffer_size() + in_kernel


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
        is_unsent = transport.get_write_buffer_size() > 0
        self.left_bytes = queued_bytes(transport) if is_unsent else 0
        if is_unsent and self.timer is None:
            self.timer = self._loop.call_later(self._timeout_s, self.look)

    def look(self) -> None:
        """Check whether the client has read anything since the last check."""
        self.stop()
        if self._transport is not None and queued_bytes(self._transport) < self.left_bytes:
            self.watch(self._transport)
        else:
            self._give_up()

    def stop(self) -> None:
        """End the watch; idempotent."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
