"""What connects the nodes: messages to every gateway, who is in which room, what was said there.

`contract` states what a backplane promises; `memory` keeps it in one process, `redis` across many. One
contract suite runs against both. This package is the only one that talks to Redis for the gateways.
"""

from roomwire.backplane.contract import Backplane, Member, RoomSize
from roomwire.backplane.memory import MemoryBackplane
from roomwire.backplane.redis import RedisBackplane, connect
from roomwire.metrics import Metrics

__all__ = [
    "Backplane",
    "Member",
    "MemoryBackplane",
    "RedisBackplane",
    "RoomSize",
    "connect",
    "open_backplane",
]


def open_backplane(
    url: str, *, node: str, prefix: str = "rw", timeout_s: float = 1.0, metrics: Metrics
) -> Backplane:
    """Return the backplane a URL stands for; nothing is connected before its `start`.

    Args:
        url: `memory://` for one gateway alone, else the URL of Redis or Valkey.
        node: This gateway's name among its like.
        prefix: What every key in Redis begins with.
        timeout_s: How long one answer may take.
        metrics: Where publishes and the backplane's state are counted.

    """
    if url.startswith("memory://"):
        return MemoryBackplane(node=node, metrics=metrics)
    return RedisBackplane(
        connect(url, timeout_s=timeout_s), node=node, prefix=prefix, timeout_s=timeout_s, metrics=metrics
    )
