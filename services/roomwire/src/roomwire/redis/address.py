"""The address of the primary, and the login for it.

`Primaries` is the interface for deployments in which the address changes: it is asked before every link.
"""

import ssl
from typing import Protocol

import msgspec

from roomwire.redis.url import Host, RedisUrl

_DEFAULT_PORT = 6379


class RedisAddress(msgspec.Struct, frozen=True, kw_only=True):
    """One server of Redis or Valkey.

    Args:
        host: Name or address; empty when `path` is given.
        port: TCP port.
        path: A Unix socket. Default: none.
        user: The ACL user. Default: `default`, if there is a password.
        password: The user's password. Default: none.
        database: The number of the database.
        tls: The TLS context. Default: no TLS.

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
        """Return the address without secrets."""
        return self.path or f"{self.host}:{self.port}"

    def at(self, host: Host) -> "RedisAddress":
        """Return the address of another server with the same login."""
        return msgspec.structs.replace(self, host=host.name, port=host.port)


class Primaries(Protocol):
    """Finds the present primary. `str` returns the servers that it asks, without secrets."""

    async def find(self) -> RedisAddress:
        """Return the primary's address, or give up within a time limit.

        Raises:
            OSError: The primary cannot be found at the moment.

        """


class OnePrimary:
    """A primary that is always at one address, or behind a name that points to it.

    Args:
        address: The address.

    """

    def __init__(self, address: RedisAddress) -> None:
        self._address = address

    def __str__(self) -> str:
        return str(self._address)

    async def find(self) -> RedisAddress:
        """See `Primaries`."""
        return self._address


def address_of(url: RedisUrl) -> RedisAddress:
    """Return the login for a URL's servers, with the first of its hosts.

    Raises:
        ConfigurationError: A file of its TLS options cannot be read.

    """
    address = RedisAddress(
        path=url.path, user=url.user, password=url.password, database=url.database, tls=url.context()
    )
    return address.at(url.hosts[0]) if url.hosts else address
