"""The histories of one process: the newest entries of each room. It knows no event loop; the time is passed in."""

from collections import deque
from collections.abc import Callable

import msgspec

from roomwire.log.kept import Kept


class _History(msgspec.Struct):
    entries: deque[tuple[int, bytes]]
    expires_at: float = 0.0


class KeptEntries:
    """Stores entries by the name of their history.

    Args:
        clock: The time in seconds, which never decreases.

    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._histories: dict[bytes, _History] = {}
        self._last = 0

    def append(self, kept: Kept) -> None:
        """Append an entry to its history, and drop entries beyond the limit."""
        self._last += 1
        history = self._live(kept.name)
        if history is None:
            history = self._histories[kept.name] = _History(deque())
        history.entries.append((self._last, kept.entry))
        while len(history.entries) > kept.entries:
            history.entries.popleft()
        history.expires_at = self._clock() + kept.ttl_s

    def read(self, name: bytes) -> list[tuple[int, bytes]]:
        """Return the number and the bytes of each entry of a history, oldest first."""
        history = self._live(name)
        return [] if history is None else [*history.entries]

    def sweep(self) -> None:
        """Remove the histories that have expired."""
        for name in [*self._histories]:
            self._live(name)

    def _live(self, name: bytes) -> _History | None:
        history = self._histories.get(name)
        if history is not None and history.expires_at <= self._clock():
            del self._histories[name]
            return None
        return history
