"""Holds back the messages that a client must not receive yet, up to a limit, until they may follow."""

from collections.abc import Callable

from roomwire.limits.accounts import FIRST_MARK


class HoldBuffer:
    """An `Outlet` that stores the frames that it gets.

    Args:
        on_overflow: Called when a limit is exceeded. Nothing is stored after that.
        max_frames: Maximum number of stored frames.
        max_bytes: Maximum total size of the stored frames, once the client is beyond its first mark.
        hold: Charges the client with stored bytes, or with a negative number of bytes that are not stored any more.
        is_beyond: Returns whether the client is beyond its first mark, given `max_bytes`; asked before it is charged. Default:
            what is stored decides.

    Attributes:
        outbox: The stored frames, in order.
        is_due: See `roomwire.engine.turn.Outlet`.

    """

    __slots__ = (
        "_held_bytes",
        "_hold",
        "_is_beyond",
        "_max_bytes",
        "_max_frames",
        "_on_overflow",
        "is_due",
        "outbox",
    )

    def __init__(
        self,
        on_overflow: Callable[[], None],
        *,
        max_frames: int,
        max_bytes: int,
        hold: Callable[[int], None] = lambda _: None,
        is_beyond: Callable[[int], bool] | None = None,
    ) -> None:
        self.outbox: list[bytes] = []
        self.is_due = False
        self._on_overflow = on_overflow
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._hold = hold
        self._held_bytes = 0
        self._is_beyond = is_beyond or self._holds_much

    @property
    def is_congested(self) -> bool:
        """Return True: what is put in waits."""
        return True

    def _holds_much(self, max_bytes: int) -> bool:
        return self._held_bytes > FIRST_MARK * max_bytes

    def flush(self) -> None:
        """Check the limits, and charge the client with what is stored."""
        stored = sum(map(len, self.outbox))
        is_over = len(self.outbox) > self._max_frames or (
            stored > self._max_bytes and self._is_beyond(self._max_bytes)
        )
        if is_over:
            self.outbox.clear()
            stored = 0
        if stored != self._held_bytes:
            self._hold(stored - self._held_bytes)
            self._held_bytes = stored
        if is_over:
            self._on_overflow()
