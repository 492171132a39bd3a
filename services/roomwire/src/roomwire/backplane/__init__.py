"""What connects the nodes: messages to every gateway, sessions, what was said lately.

`contract` states what a backplane promises; `memory` keeps it in one process, `redis` across many. `log` states what
the ordered log promises, which carries the messages; `memory_log` and `redis_log` keep it. One contract suite each
runs against all implementations. This package is the only one that talks to Redis for the gateways.
"""

from roomwire.backplane.contract import Backplane
from roomwire.backplane.log import Log, LogConfig
from roomwire.backplane.memory import MemoryBackplane
from roomwire.backplane.memory_log import MemoryHub, MemoryLog
from roomwire.backplane.redis import RedisBackplane
from roomwire.backplane.redis_homes import connect, open_primaries
from roomwire.backplane.redis_keys import Keys
from roomwire.backplane.redis_log import RedisLog
from roomwire.backplane.sessions import new_node_id
from roomwire.metrics import Metrics
from roomwire.redis_url import shown_hosts

__all__ = [
    "Backplane",
    "Log",
    "LogConfig",
    "MemoryBackplane",
    "MemoryLog",
    "RedisBackplane",
    "connect",
    "open_backplane",
    "open_log",
]


def open_backplane(
    url: str,
    *,
    node: str,
    address: str = "",
    prefix: str = "rw",
    timeout_s: float = 1.0,
    config: LogConfig | None = None,
    metrics: Metrics,
) -> Backplane:
    """Return the backplane a URL stands for; nothing is connected before its `start`.

    Args:
        url: `memory://` for one gateway alone, else the URL of Redis or Valkey, see `roomwire.redis_url`.
        node: This gateway's name among its like.
        address: Where other gateways reach this one, `host:port`. Default: nowhere.
        prefix: What every key in Redis begins with.
        timeout_s: How long one answer may take.
        config: The log's times and bounds. Default: the usual ones, with `timeout_s` for its link.
        metrics: Where publishes and the backplane's state are counted.

    Raises:
        ConfigurationError: The URL is none, or the times would lose messages.

    """
    config = config or LogConfig(link_timeout_s=timeout_s)
    if url.startswith("memory://"):
        return MemoryBackplane(node=node, metrics=metrics, config=config)
    log = open_log(url, node=node, address=address, prefix=prefix, config=config, metrics=metrics)
    client = connect(url, key=Keys(prefix).log.decode(), timeout_s=timeout_s)
    return RedisBackplane(
        client, log=log, prefix=prefix, timeout_s=timeout_s, metrics=metrics, where=shown_hosts(url)
    )


def open_log(
    url: str, *, node: str, address: str = "", prefix: str = "rw", config: LogConfig, metrics: Metrics
) -> Log:
    """Return the ordered log a URL stands for; nothing is connected before its `start`.

    Args:
        url: `memory://` for one gateway alone, else the URL of Redis or Valkey, see `roomwire.redis_url`.
        node: This gateway's name among its like; this incarnation gets an id of its own.
        address: Where other gateways reach this one. Default: nowhere.
        prefix: What every key in Redis begins with.
        config: Times and bounds.
        metrics: Where publishes and the log's state are counted.

    Raises:
        ConfigurationError: The URL is none, or the times would lose messages.

    """
    node_id = new_node_id(node)
    if url.startswith("memory://"):
        return MemoryLog(node=node_id, hub=MemoryHub(config), address=address, metrics=metrics)
    primaries = open_primaries(url, key=Keys(prefix).log, timeout_s=config.link_timeout_s)
    return RedisLog(primaries, node=node_id, address=address, prefix=prefix, config=config, metrics=metrics)
