"""The histories of one process: the newest entries of each room. It knows no event loop; the time is passed in."""

from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from roomwire.log.guard import GuardConfig
from roomwire.log.kept import Kept

MAX_BYTES: Final = 67_108_864
"""Maximum size of the histories of one process, unless it is created with another."""


class _History(msgspec.Struct):
    entries: deque[tuple[int, bytes]]
    expires_at: float = 0.0
    size: int = 0


class KeptEntries:
    """Stores entries by the name of their history.

    Args:
        clock: The time in seconds, which never decreases.
        room_bytes: Maximum size of one history in bytes; its newest entry is stored in any case.
        max_bytes: Maximum size of all histories in bytes; beyond it, those that were used longest ago are deleted.

    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        room_bytes: int = GuardConfig().room_history_bytes,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._clock = clock
        self._room_bytes = room_bytes
        self._max_bytes = max_bytes
        self._size = 0
        # The one that was used longest ago comes first.
        self._histories: dict[bytes, _History] = {}
        self._last = 0

    def append(self, kept: Kept) -> None:
        """Append an entry to its history, and drop entries beyond the limit."""
        self._last += 1
        history = self._live(kept.name) or _History(deque())
        self._histories.pop(kept.name, None)
        self._histories[kept.name] = history
        history.entries.append((self._last, kept.entry))
        history.size += len(kept.entry)
        self._size += len(kept.entry)
        while len(history.entries) > kept.entries or (
            history.size > self._room_bytes and len(history.entries) > 1
        ):
            self._drop_oldest(history)
        history.expires_at = self._clock() + kept.ttl_s
        while self._size > self._max_bytes and len(self._histories) > 1:
            self._size -= self._histories.pop(next(iter(self._histories))).size

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
            self._size -= self._histories.pop(name).size
            return None
        return history

    def _drop_oldest(self, history: _History) -> None:
        _, entry = history.entries.popleft()
        history.size -= len(entry)
        self._size -= len(entry)
