"""What python-socketio's option `client_manager` means to a server of ours: which log connects it with others. Pure.

A manager of Redis names a server and a channel. The ordered log is kept at the same server, and the channel is the prefix of its keys.
Other managers have no ordered log, and are refused with what to do instead.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import socketio

_CHANNEL: Final = "socketio"
_PREFIX: Final = "rw"
_TUNING: Final = frozenset(
    {
        "client_name",
        "decode_responses",
        "health_check_interval",
        "max_connections",
        "protocol",
        "retry",
        "retry_on_error",
        "retry_on_timeout",
        "socket_connect_timeout",
        "socket_keepalive",
        "socket_keepalive_options",
        "socket_timeout",
    }
)
"""Options of Redis' client that say how it connects, not to whom: the log has its own."""
_OF_TLS: Final = frozenset(
    {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"}
)
_INSTEAD: Final = (
    "run a Redis or Valkey, and pass `socketio.AsyncRedisManager(url)`, or `log=` of `roomwire.log.opening`"
)


class ManagedLog(NamedTuple):
    """The log that a manager stands for.

    Attributes:
        url: Its Redis or Valkey.
        prefix: The prefix of its keys.
        unused: The names of the manager's options that the log does not need.

    """

    url: str
    prefix: str
    unused: tuple[str, ...]


def managed_log(manager: object) -> ManagedLog | None:
    """Return the log that a manager stands for; None for a single node.

    Raises:
        ValueError: The manager has no ordered log, or an option that no URL can express.

    """
    if manager is None or type(manager) is socketio.AsyncManager:
        return None
    name = type(manager).__name__
    if type(manager) is not socketio.AsyncRedisManager:
        raise ValueError(f"client_manager: {name} keeps no ordered log: {_INSTEAD}")
    given: Any = manager
    options: Mapping[str, Any] = given.redis_options
    unused = tuple(sorted(options.keys() & _TUNING))
    of_url = {key: value for key, value in options.items() if key not in _TUNING}
    return ManagedLog(
        _url(given.redis_url, of_url), _PREFIX if given.channel == _CHANNEL else given.channel, unused
    )


def _url(url: str, options: Mapping[str, Any]) -> str:
    """Return a URL of python-socketio's in the form of `roomwire.redis.url`, with the options of Redis' client."""
    known = {"username", "password", "db", *_OF_TLS}
    if options.keys() - known:
        names = ", ".join(sorted(options.keys() - known))
        raise ValueError(f"client_manager: the log cannot use these redis_options: {names}")
    parts = urlsplit(url)
    scheme = parts.scheme.replace("valkeys", "rediss").replace("valkey", "redis")
    credentials, at, place = parts.netloc.rpartition("@")
    if {"username", "password"} & options.keys():
        user, _, password = credentials.partition(":")
        user = quote(options.get("username") or "", safe="") or user
        password = quote(options.get("password") or "", safe="") or password
        credentials, at = f"{user}:{password}", "@"
    path = parts.path
    if scheme.endswith("+sentinel"):
        # python-socketio writes the database before the service.
        database, _, service = path.strip("/").partition("/")
        path = f"/{service}/{options.get('db', database)}" if service else path
    elif "db" in options:
        path = f"/{options['db']}"
    tls = {key: _said(value) for key, value in options.items() if key in _OF_TLS}
    query = "&".join(one for one in (parts.query, urlencode(tls)) if one)
    return urlunsplit((scheme, f"{credentials}{at}{place or 'localhost'}", path, query, ""))


def _said(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
