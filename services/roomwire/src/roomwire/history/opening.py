"""Opens the history of a URL."""

from collections.abc import Callable

from roomwire.history.contract import History
from roomwire.history.memory import MemoryHistory
from roomwire.history.redis import RedisHistory
from roomwire.log.contract import Log
from roomwire.log.memory.log import MemoryLog
from roomwire.log.redis.keys import Keys
from roomwire.metrics.gateway import Metrics
from roomwire.redis.topology import connect
from roomwire.redis.url import shown_hosts


def open_history(
    url: str,
    *,
    prefix: str = "rw",
    timeout_s: float = 1.0,
    metrics: Metrics,
    log: Log | None = None,
    is_given_up: Callable[[], bool] = lambda: False,
) -> History:
    """Return the history of a URL. It connects in its `start`.

    Args:
        url: `memory://` for a single gateway, else the URL of Redis or Valkey; see `roomwire.redis.url`.
        prefix: The prefix of every key in Redis. It must be the log's, so that a cluster keeps the keys of both together.
        timeout_s: Time limit for one call.
        metrics: Counts entries that were not stored, by reason.
        log: The log that stores the entries of emits. With `memory://`, the history reads them from it. Default: none.
        is_given_up: Returns whether this Redis is known to be unavailable, such as `Log.is_given_up`; then calls fail at once.
            Default: every call is tried.

    Raises:
        ConfigurationError: The URL is invalid.

    """
    if url.startswith("memory://"):
        return MemoryHistory(log.kept if isinstance(log, MemoryLog) else None)
    client = connect(url, key=Keys(prefix).log.decode(), timeout_s=timeout_s)
    return RedisHistory(
        client,
        prefix=prefix,
        timeout_s=timeout_s,
        metrics=metrics,
        is_given_up=is_given_up,
        where=shown_hosts(url),
    )
