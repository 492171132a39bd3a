"""What is said to a client that is not to hear it yet: kept back, boundedly, until it may follow."""

from collections.abc import Callable
from typing import Final

MAX_HELD_FRAMES: Final = 1_000
MAX_HELD_BYTES: Final = 1_000_000


class Held:
    """An `Outlet` that keeps what it gets.

    Args:
        on_overflow: Called when it is too much; nothing is kept after that.

    Attributes:
        outbox: What is kept, in order.
        is_due: See `roomwire.engine.turn.Outlet`.

    """

    __slots__ = ("_on_overflow", "is_due", "outbox")

    def __init__(self, on_overflow: Callable[[], None]) -> None:
        self.outbox: list[bytes] = []
        self.is_due = False
        self._on_overflow = on_overflow

    def flush(self) -> None:
        """Look whether it has become too much."""
        if len(self.outbox) > MAX_HELD_FRAMES or sum(map(len, self.outbox)) > MAX_HELD_BYTES:
            self.outbox.clear()
            self._on_overflow()
