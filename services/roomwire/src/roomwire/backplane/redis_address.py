"""Where the primary is, and how to log in there.

`Primaries` is the seam for deployments in which that changes: it is asked before every link.
"""

import ssl
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from roomwire.errors import ConfigurationError

_DEFAULT_PORT = 6379
_TLS_OPTIONS = frozenset(
    {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"}
)


class RedisAddress(msgspec.Struct, frozen=True, kw_only=True):
    """One server of Redis or Valkey.

    Args:
        host: Name or address; empty when `path` is given.
        port: TCP port.
        path: A Unix socket. Default: none.
        user: The ACL user. Default: `default`, if there is a password.
        password: Its password. Default: none.
        database: The number of the database.
        tls: How to speak TLS. Default: not at all.

    """

    host: str = ""
    port: int = _DEFAULT_PORT
    path: str = ""
    user: str = ""
    password: str = ""
    database: int = 0
    tls: ssl.SSLContext | None = None

    def __repr__(self) -> str:
        return f"<RedisAddress {self}>"

    def __str__(self) -> str:
        """Return where it is, without secrets."""
        return self.path or f"{self.host}:{self.port}"


class Primaries(Protocol):
    """Knows where the primary is now."""

    async def find(self) -> RedisAddress:
        """Return its address.

        Raises:
            OSError: It cannot be found at the moment.

        """


class OnePrimary:
    """A primary that is always at one address, or behind a name that leads to it.

    Args:
        address: Where.

    """

    def __init__(self, address: RedisAddress) -> None:
        self._address = address

    async def find(self) -> RedisAddress:
        """See `Primaries`."""
        return self._address


def parse_url(url: str) -> RedisAddress:
    """Return the address of `redis://`, `rediss://` (TLS) or `unix://`, with `user:password@` and `/database`.

    TLS takes the options `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`, `ssl_cert_reqs` (`required` or `none`) and
    `ssl_check_hostname`, as redis-py does.

    Raises:
        ConfigurationError: It is no such URL, or a file of it cannot be read.

    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme == "unix":
        database = options.get("db", "0")
        return RedisAddress(
            path=unquote(parts.path), user=user, password=password, database=_number(database)
        )
    if parts.scheme not in {"redis", "rediss"} or not parts.hostname:
        raise ConfigurationError(
            "the URL of Redis begins with redis://, rediss:// or unix:// and names a host"
        )
    return RedisAddress(
        host=parts.hostname,
        port=parts.port or _DEFAULT_PORT,
        user=user,
        password=password,
        database=_number(parts.path.strip("/") or options.get("db", "0")),
        tls=_tls(options) if parts.scheme == "rediss" else None,
    )


def _number(text: str) -> int:
    if not text.isdecimal():
        raise ConfigurationError(f"the database of Redis is a number, not {text!r}")
    return int(text)


def _tls(options: dict[str, str]) -> ssl.SSLContext:
    unknown = {name for name in options if name.startswith("ssl_")} - _TLS_OPTIONS
    if unknown:
        raise ConfigurationError(f"unknown options in the URL of Redis: {', '.join(sorted(unknown))}")
    try:
        context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
        if "ssl_certfile" in options:
            context.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"))
    except OSError as error:
        raise ConfigurationError(f"TLS to Redis: {error}") from None
    if options.get("ssl_check_hostname", "true").lower() in {"false", "0", "no"}:
        context.check_hostname = False
    if options.get("ssl_cert_reqs") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
