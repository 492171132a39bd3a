"""Opens the store of standings that a URL stands for."""

from roomwire.log.redis.keys import Keys
from roomwire.redis.topology import connect
from roomwire.standings.contract import StandingStore
from roomwire.standings.memory import MemoryStandings
from roomwire.standings.redis import RedisStandings


def open_standings(url: str, *, prefix: str = "rw", timeout_s: float = 1.0) -> StandingStore:
    """Return the store a URL stands for; nothing is connected before its first call.

    Args:
        url: `memory://` for one gateway alone, else the URL of Redis or Valkey, see `roomwire.redis.url`.
        prefix: What every key in Redis begins with; the log's, so that a cluster keeps the keys of both together.
        timeout_s: How long one call may take.

    Raises:
        ConfigurationError: The URL is none.

    """
    if url.startswith("memory://"):
        return MemoryStandings()
    client = connect(url, key=Keys(prefix).log.decode(), timeout_s=timeout_s)
    return RedisStandings(client, prefix=prefix, timeout_s=timeout_s)
