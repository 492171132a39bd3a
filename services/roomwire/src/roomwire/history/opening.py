"""Opens the history that a URL stands for."""

from roomwire.history.contract import Backplane
from roomwire.history.memory import MemoryBackplane
from roomwire.history.redis import RedisBackplane
from roomwire.log.contract import LogConfig
from roomwire.log.opening import open_log
from roomwire.log.redis.keys import Keys
from roomwire.metrics.gateway import Metrics
from roomwire.redis.topology import connect
from roomwire.redis.url import shown_hosts


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
        url: `memory://` for one gateway alone, else the URL of Redis or Valkey, see `roomwire.redis.url`.
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
