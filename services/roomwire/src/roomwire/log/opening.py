"""Opens the ordered log of a URL."""

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
    """Return the ordered log of a URL. It connects in its `start`.

    Args:
        url: `memory://` for a single gateway, else the URL of Redis or Valkey; see `roomwire.redis.url`.
        node: This gateway's unique name; this incarnation gets an id of its own.
        address: The address at which other gateways reach this one. Default: none.
        prefix: The prefix of every key in Redis.
        config: The times and limits. Default: those of `LogConfig`.
        metrics: Counts publishes and the log's state.

    Raises:
        ConfigurationError: The URL is invalid, or the times would lose messages.

    """
    config = config or LogConfig()
    if url.startswith("memory://"):
        return MemoryLog.alone(node=node, address=address, config=config, metrics=metrics)
    primaries = open_primaries(url, key=Keys(prefix).log, timeout_s=config.link_timeout_s)
    return RedisLog(
        primaries, node=new_node_id(node), address=address, prefix=prefix, config=config, metrics=metrics
    )
