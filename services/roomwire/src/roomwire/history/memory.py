"""The history of one process, which its log stores and which ends with it."""

import time
from collections.abc import Sequence

from roomwire.history.contract import HISTORY_BYTES, Recalled, Remembered, check_one_position
from roomwire.log.kept import Kept, history_name
from roomwire.log.memory.kept import KeptEntries


class MemoryHistory:
    """Implements `History` in one process.

    Args:
        kept: The entries that the log of this process stores (`MemoryLog.kept`). Default: a store to which no log appends.

    """

    def __init__(self, kept: KeptEntries | None = None) -> None:
        self._kept = kept or KeptEntries(time.monotonic)

    async def start(self) -> None:
        """See `History`; there is nothing to connect."""

    async def close(self) -> None:
        """See `History`; there is nothing to disconnect."""

    async def check(self) -> None:
        """See `History`; always works."""

    async def remember(self, room: str, entry: bytes, *, namespace: str = "/") -> None:
        """See `History`."""
        self._kept.append(Kept(history_name(namespace, room), entry))

    async def recall(
        self,
        room: str,
        *,
        limit: int = 50,
        after: str = "",
        before: str = "",
        max_bytes: int = HISTORY_BYTES,
        namespace: str = "/",
    ) -> Recalled:
        """See `History`."""
        check_one_position(after, before)
        kept = [
            Remembered(f"{number}-0", entry)
            for number, entry in self._kept.read(history_name(namespace, room))
        ]
        if not after:
            earlier = [one for one in kept if not before or _place(one.position) < _place(before)]
            newest = [*reversed(_first(earlier[::-1], limit, max_bytes))]
            return Recalled(newest, has_more=bool(before), has_earlier=len(earlier) > len(newest))
        entries = [one for one in kept if _place(one.position) > _place(after)]
        is_joined = any(one.position == after for one in kept)
        first = _first(entries, limit, max_bytes)
        return Recalled(first, is_joined=is_joined, has_more=len(entries) > len(first))


def _first(entries: Sequence[Remembered], limit: int, max_bytes: int) -> list[Remembered]:
    """Return the first entries within the limits, and one whatever its size."""
    found: list[Remembered] = []
    for one in entries[:limit]:
        max_bytes -= len(one.entry)
        if found and max_bytes < 0:
            break
        found.append(one)
    return found


def _place(position: str) -> tuple[int, int]:
    first, _, second = position.partition("-")
    return int(first), int(second)
