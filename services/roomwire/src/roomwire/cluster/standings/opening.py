"""Opens the store of standings at a URL."""

from roomwire.cluster.standings.contract import StandingStore
from roomwire.cluster.standings.memory import MemoryStandings
from roomwire.cluster.standings.redis import RedisStandings
from roomwire.log.redis.keys import Keys
from roomwire.redis.topology import connect


def open_standings(url: str, *, prefix: str = "rw", timeout_s: float = 1.0) -> StandingStore:
    """Return the store at a URL. Nothing is connected before its first call.

    Args:
        url: `memory://` for a single gateway, else the URL of Redis or Valkey; see `roomwire.redis.url`.
        prefix: The prefix of every key in Redis. It must be the log's, so that a cluster keeps the keys of both together.
        timeout_s: Time limit for one call.

    Raises:
        ConfigurationError: The URL is invalid.

    """
    if url.startswith("memory://"):
        return MemoryStandings()
    client = connect(url, key=Keys(prefix).log.decode(), timeout_s=timeout_s)
    return RedisStandings(client, prefix=prefix, timeout_s=timeout_s)
