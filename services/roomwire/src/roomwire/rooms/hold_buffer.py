"""Holds back the messages that a client must not receive yet, up to a limit, until they may follow."""

from collections.abc import Callable


class HoldBuffer:
    """An `Outlet` that stores the frames that it gets.

    Args:
        on_overflow: Called when a limit is exceeded. Nothing is stored after that.
        max_frames: Maximum number of stored frames.
        max_bytes: Maximum total size of the stored frames.

    Attributes:
        outbox: The stored frames, in order.
        is_due: See `roomwire.engine.turn.Outlet`.

    """

    __slots__ = ("_max_bytes", "_max_frames", "_on_overflow", "is_due", "outbox")

    def __init__(self, on_overflow: Callable[[], None], *, max_frames: int, max_bytes: int) -> None:
        self.outbox: list[bytes] = []
        self.is_due = False
        self._on_overflow = on_overflow
        self._max_frames = max_frames
        self._max_bytes = max_bytes

    @property
    def is_congested(self) -> bool:
        """Return True: what is put in waits."""
        return True

    def flush(self) -> None:
        """Check the limits."""
        if len(self.outbox) > self._max_frames or sum(map(len, self.outbox)) > self._max_bytes:
            self.outbox.clear()
            self._on_overflow()
