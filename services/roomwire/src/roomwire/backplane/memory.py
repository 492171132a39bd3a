"""The backplane of one gateway alone: everything in this process, nothing outlives it."""

from collections import defaultdict, deque
from collections.abc import Sequence

from roomwire.backplane.contract import HISTORY_ENTRIES, Member, RoomSize
from roomwire.backplane.log import LogConfig
from roomwire.backplane.memory_log import MemoryHub, MemoryLog
from roomwire.backplane.sessions import new_node_id
from roomwire.metrics import Metrics


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
        self._node = node
        self._metrics = metrics
        self._rooms: dict[str, dict[str, Member]] = {}
        self._history: dict[str, deque[bytes]] = defaultdict(lambda: deque(maxlen=HISTORY_ENTRIES))

    async def start(self) -> None:
        """See `Backplane`; nothing to connect."""
        self._metrics.backplane_up.set(1)

    async def close(self) -> None:
        """See `Backplane`."""
        self._rooms.clear()
        self._metrics.backplane_up.set(0)

    async def check(self) -> None:
        """See `Backplane`; always works."""

    async def enter(self, room: str, member: Member) -> None:
        """See `Backplane`."""
        self._rooms.setdefault(room, {})[member.id] = member

    async def leave(self, room: str, sid: str) -> None:
        """See `Backplane`."""
        members = self._rooms.get(room, {})
        members.pop(sid, None)
        if not members:
            self._rooms.pop(room, None)

    async def members(self, room: str, *, limit: int = 100) -> tuple[int, Sequence[Member]]:
        """See `Backplane`."""
        members = self._rooms.get(room, {})
        return len(members), list(members.values())[:limit]

    async def rooms(self, *, limit: int = 100) -> Sequence[RoomSize]:
        """See `Backplane`."""
        sizes = [RoomSize(room=room, members=len(members)) for room, members in self._rooms.items()]
        return sorted(sizes, key=lambda size: -size.members)[:limit]

    async def remember(self, room: str, entry: bytes) -> None:
        """See `Backplane`."""
        self._history[room].append(entry)

    async def recall(self, room: str, *, limit: int = 50) -> Sequence[bytes]:
        """See `Backplane`."""
        return list(self._history.get(room, ()))[-limit:]
