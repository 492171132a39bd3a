"""The history of one process, which its log stores and which ends with it."""

import time

from roomwire.history.contract import Recalled, Remembered
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

    async def recall(self, room: str, *, limit: int = 50, after: str = "", namespace: str = "/") -> Recalled:
        """See `History`."""
        kept = [
            Remembered(f"{number}-0", entry)
            for number, entry in self._kept.read(history_name(namespace, room))
        ]
        if not after:
            return Recalled(kept[-limit:])
        entries = [one for one in kept if _place(one.position) > _place(after)]
        is_joined = any(one.position == after for one in kept)
        return Recalled(entries[:limit], is_joined=is_joined, has_more=len(entries) > limit)


def _place(position: str) -> tuple[int, int]:
    first, _, second = position.partition("-")
    return int(first), int(second)
