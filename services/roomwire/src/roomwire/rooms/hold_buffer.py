"""What is said to a client that is not to hear it yet: kept back, boundedly, until it may follow."""

from collections.abc import Callable


class HoldBuffer:
    """An `Outlet` that keeps what it gets.

    Args:
        on_overflow: Called when it is too much; nothing is kept after that.
        max_frames: How many frames it keeps.
        max_bytes: How large they may be together.

    Attributes:
        outbox: What is kept, in order.
        is_due: See `roomwire.engine.turn.Outlet`.

    """

    __slots__ = ("_max_bytes", "_max_frames", "_on_overflow", "is_due", "outbox")

    def __init__(self, on_overflow: Callable[[], None], *, max_frames: int, max_bytes: int) -> None:
        self.outbox: list[bytes] = []
        self.is_due = False
        self._on_overflow = on_overflow
        self._max_frames = max_frames
        self._max_bytes = max_bytes

    def flush(self) -> None:
        """Look whether it has become too much."""
        if len(self.outbox) > self._max_frames or sum(map(len, self.outbox)) > self._max_bytes:
            self.outbox.clear()
            self._on_overflow()
