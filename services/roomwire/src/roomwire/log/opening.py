"""Opens the ordered log that a URL stands for."""

from roomwire.log.config import LogConfig
from roomwire.log.contract import Log
from roomwire.log.memory.log import MemoryLog
from roomwire.log.redis.keys import Keys
from roomwire.log.redis.log import RedisLog
from roomwire.log.sessions import new_node_id
from roomwire.metrics.gateway import Metrics
from roomwire.redis.topology import open_primaries


def open_log(
    url: str,
    *,
    node: str,
    address: str = "",
    prefix: str = "rw",
    config: LogConfig | None = None,
    metrics: Metrics,
) -> Log:
    """Return the ordered log a URL stands for; nothing is connected before its `start`.

    Args:
        url: `memory://` for one gateway alone, else the URL of Redis or Valkey, see `roomwire.redis.url`.
        node: This gateway's name among its like; this incarnation gets an id of its own.
        address: Where other gateways reach this one. Default: nowhere.
        prefix: What every key in Redis begins with.
        config: Times and bounds. Default: `LogConfig`'s own.
        metrics: Where publishes and the log's state are counted.

    Raises:
        ConfigurationError: The URL is none, or the times would lose messages.

    """
    config = config or LogConfig()
    if url.startswith("memory://"):
        return MemoryLog.alone(node=node, address=address, config=config, metrics=metrics)
    primaries = open_primaries(url, key=Keys(prefix).log, timeout_s=config.link_timeout_s)
    return RedisLog(
        primaries, node=new_node_id(node), address=address, prefix=prefix, config=config, metrics=metrics
    )
