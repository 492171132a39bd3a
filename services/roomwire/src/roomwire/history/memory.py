"""The backplane of one gateway alone: everything in this process, nothing outlives it."""

from collections import defaultdict, deque

from roomwire.history.contract import HISTORY_ENTRIES, Recalled, Remembered
from roomwire.log.contract import LogConfig
from roomwire.log.memory.log import MemoryHub, MemoryLog
from roomwire.log.sessions import new_node_id
from roomwire.metrics.gateway import Metrics


class MemoryBackplane:
    """Implements `Backplane` in one process.

    Args:
        node: This gateway's name.
        metrics: Where its state is counted.
        config: The log's times and bounds.

    Attributes:
        log: The ordered log; what is said has been delivered when the call that says it returns.

    """

    def __init__(self, *, node: str, metrics: Metrics, config: LogConfig | None = None) -> None:
        hub = MemoryHub(config or LogConfig(), is_eager=True)
        self.log = MemoryLog(node=new_node_id(node), hub=hub, metrics=metrics)
        self._metrics = metrics
        self._history: dict[str, deque[Remembered]] = defaultdict(lambda: deque(maxlen=HISTORY_ENTRIES))
        self._last = 0

    async def start(self) -> None:
        """See `Backplane`; nothing to connect."""
        self._metrics.backplane_up.set(1)

    async def close(self) -> None:
        """See `Backplane`."""
        self._metrics.backplane_up.set(0)

    async def check(self) -> None:
        """See `Backplane`; always works."""

    async def remember(self, room: str, entry: bytes) -> None:
        """See `Backplane`."""
        self._last += 1
        self._history[room].append(Remembered(f"{self._last}-0", entry))

    async def recall(self, room: str, *, limit: int = 50, after: str = "") -> Recalled:
        """See `Backplane`."""
        kept = list(self._history.get(room, ()))
        if not after:
            return Recalled(kept[-limit:])
        entries = [one for one in kept if _place(one.position) > _place(after)]
        is_joined = any(one.position == after for one in kept)
        return Recalled(entries[:limit], is_joined=is_joined, has_more=len(entries) > limit)


def _place(position: str) -> tuple[int, int]:
    first, _, second = position.partition("-")
    return int(first), int(second)
