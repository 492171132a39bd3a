"""Finds the primary that Sentinels name."""

from collections.abc import Sequence
from typing import Final

import msgspec

from roomwire.errors import RoomwireError
from roomwire.redis.address import RedisAddress
from roomwire.redis.link import ask_once
from roomwire.redis.url import Host

_NAME: Final = "roomwire-finds"


class SentinelPrimaries:
    """Asks Sentinels in turn, beginning with the one that found the primary last.

    The server itself must confirm that it is a primary, because during a failover some Sentinels still name the old one,
    which is down or already a replica.

    Args:
        sentinels: The addresses of the Sentinels, with their login.
        service: The name of the primary at the Sentinels.
        server: The login at the servers.
        timeout_s: Time limit for each answer of a Sentinel or a server.

    """

    def __init__(
        self, sentinels: Sequence[RedisAddress], *, service: str, server: RedisAddress, timeout_s: float
    ) -> None:
        self._sentinels = list(sentinels)
        self._service = service
        self._server = server
        self._timeout_s = timeout_s

    def __str__(self) -> str:
        return ",".join(map(str, self._sentinels))

    async def find(self) -> RedisAddress:
        """See `Primaries`. The search takes at most twice the timeout for each Sentinel."""
        problems: list[str] = []
        last: Exception | None = None
        for sentinel in list(self._sentinels):
            try:
                address = await self._named_by(sentinel)
            except (OSError, RoomwireError) as error:
                problems.append(f"{sentinel}: {str(error) or 'no answer in time'}")
                last = error
                continue
            self._sentinels.remove(sentinel)
            self._sentinels.insert(0, sentinel)
            return address
        raise OSError(f"no Sentinel names a primary {self._service!r} ({'; '.join(problems)})") from last

    async def _named_by(self, sentinel: RedisAddress) -> RedisAddress:
        command = (b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", self._service)
        named = await ask_once(sentinel, *command, name=_NAME, timeout_s=self._timeout_s)
        if not isinstance(named, list):
            raise OSError("it does not know this primary" if named is None else str(named))
        host, port = named
        address = self._server.at(Host(host.decode(), int(port)))
        role = await ask_once(address, b"ROLE", name=_NAME, timeout_s=self._timeout_s)
        if not isinstance(role, list):
            raise OSError(f"{address}: {role}")
        if role[0] != b"master":
            raise OSError(f"{address} is a {role[0].decode()}")
        return address


def sentinel_addresses(
    server: RedisAddress, hosts: Sequence[Host], *, user: str, password: str
) -> Sequence[RedisAddress]:
    """Return the addresses of Sentinels: they use the same TLS as the servers, but have credentials of their own."""
    login = msgspec.structs.replace(server, user=user, password=password, database=0)
    return [login.at(host) for host in hosts]
