"""The history of one gateway alone: everything is in this process, and nothing outlives it."""

from collections import defaultdict, deque

from roomwire.history.contract import HISTORY_ENTRIES, Recalled, Remembered


class MemoryHistory:
    """Implements `History` in one process."""

    def __init__(self) -> None:
        self._history: dict[str, deque[Remembered]] = defaultdict(lambda: deque(maxlen=HISTORY_ENTRIES))
        self._last = 0

    async def start(self) -> None:
        """See `History`; there is nothing to connect."""

    async def close(self) -> None:
        """See `History`; there is nothing to disconnect."""

    async def check(self) -> None:
        """See `History`; always works."""

    async def remember(self, room: str, entry: bytes) -> None:
        """See `History`."""
        self._last += 1
        self._history[room].append(Remembered(f"{self._last}-0", entry))

    async def recall(self, room: str, *, limit: int = 50, after: str = "") -> Recalled:
        """See `History`."""
        kept = list(self._history.get(room, ()))
        if not after:
            return Recalled(kept[-limit:])
        entries = [one for one in kept if _place(one.position) > _place(after)]
        is_joined = any(one.position == after for one in kept)
        return Recalled(entries[:limit], is_joined=is_joined, has_more=len(entries) > limit)


def _place(position: str) -> tuple[int, int]:
    first, _, second = position.partition("-")
    return int(first), int(second)
