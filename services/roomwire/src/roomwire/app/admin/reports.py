"""What one gateway reports of itself and its clients, in the words of the admin UI.

A report has nothing that opens a connection: neither tokens, cookies and queries, nor the ids of transports, nor what an application
stores for its clients.
"""

import asyncio
import hashlib
import heapq
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
from prometheus_client import Counter

from roomwire.metrics.gateway import Metrics
from roomwire.rooms.member import Member, Phase
from roomwire.server import Server

FRESH_S: Final = 1.0
"""A report that is younger is given again: many gateways may ask."""
MAX_ROOMS: Final = 100
MAX_DYNAMIC: Final = 100
"""The namespaces of patterns that are listed by name: there may be thousands."""
MAX_FACT_CHARACTERS: Final = 512
_SHOWN_HEADERS: Final = ("user-agent", "origin")
_AT_ONCE: Final = 100
_encode: Final = msgspec.msgpack.Encoder().encode


class Initial(msgspec.Struct, frozen=True):
    """The handshake of a socket. Its query is empty, as it may have a token."""

    address: str
    headers: dict[str, str]
    query: dict[str, str]
    issued: int
    secure: bool
    time: str
    url: str
    xdomain: bool


class ShownSocket(msgspec.Struct, frozen=True, rename="camel"):
    """A socket: a client in one namespace. `client_id` is the same for all sockets of a connection, and no session id."""

    id: str
    client_id: str
    transport: str
    nsp: str
    data: dict[str, object]
    handshake: Initial
    rooms: tuple[str, ...]


class NamespaceSize(msgspec.Struct, frozen=True, rename="camel"):
    """A namespace, and the number of its sockets on one gateway."""

    name: str
    sockets_count: int


class Report(msgspec.Struct, frozen=True, rename="camel"):
    """One gateway.

    Attributes:
        server_id: Its name.
        hostname: The name of its machine or pod.
        pid: The id of its process.
        uptime: Seconds since it started.
        clients_count: The number of its connections.
        polling_clients_count: The number of those that use long-polling.
        namespaces: Its namespaces.
        connects: The number of sockets that have connected since it started.
        disconnects: The number of sockets that have disconnected since it started.
        sockets: Its sockets, those that connected first before the others, as many as were asked for.

    """

    server_id: str
    hostname: str
    pid: int
    uptime: float
    clients_count: int
    polling_clients_count: int
    namespaces: Sequence[NamespaceSize]
    connects: int
    disconnects: int
    sockets: Sequence[ShownSocket]


class Quota(msgspec.Struct, frozen=True):
    """The maximum number of sockets in a report, and of their bytes."""

    sockets: int = 0
    size_bytes: int = 0


class Reporter:
    """Reports on this gateway.

    Args:
        server: The server.
        metrics: The server's metrics.
        clock: Monotonic seconds.
        wall_clock: Seconds since 1970.

    """

    def __init__(
        self, server: Server, metrics: Metrics, *, clock: Callable[[], float], wall_clock: Callable[[], float]
    ) -> None:
        self._server = server
        self._metrics = metrics
        self._clock = clock
        self._wall_clock = wall_clock
        self._started_at = clock()
        self._one = asyncio.Lock()
        self._made_at = 0.0
        self._made: tuple[Quota, Report] | None = None

    async def report(self, quota: Quota) -> Report:
        """Return a report that is at most `FRESH_S` old."""
        async with self._one:
            if self._made is None or self._made[0] != quota or self._clock() - self._made_at >= FRESH_S:
                self._made = (quota, await self._report(quota))
                self._made_at = self._clock()
            return self._made[1]

    async def _report(self, quota: Quota) -> Report:
        connections = self._server.count_connections()
        return Report(
            server_id=self._server.node_name,
            hostname=socket.gethostname(),
            pid=os.getpid(),
            uptime=round(self._clock() - self._started_at, 3),
            clients_count=sum(connections.values()),
            polling_clients_count=connections.get("polling", 0),
            namespaces=self._sizes(),
            connects=_count(self._metrics.connects, outcome="ok"),
            disconnects=_count(self._metrics.disconnects),
            sockets=await self._sockets(quota),
        )

    def _sizes(self) -> Sequence[NamespaceSize]:
        """Return the namespaces and their sizes; of those that patterns serve the largest, and one line for the others of a pattern."""
        sizes = {name: len([*self._members(name)]) for name in self._namespaces()}
        dynamic = self._server.dynamic_namespaces()
        for name in heapq.nsmallest(max(len(dynamic) - MAX_DYNAMIC, 0), dynamic, key=sizes.__getitem__):
            sizes[dynamic[name]] = sizes.get(dynamic[name], 0) + sizes.pop(name)
        return [NamespaceSize(name, sizes[name]) for name in sorted(sizes)]

    def _namespaces(self) -> Sequence[str]:
        return sorted({*self._server.handlers, *self._server.namespace_handlers})

    def _members(self, namespace: str) -> Iterator[Member]:
        members: Sequence[Member] = [*self._server.manager.members(namespace, None)]
        return (member for member in members if member.phase is Phase.CONNECTED)

    async def _sockets(self, quota: Quota) -> Sequence[ShownSocket]:
        shown: list[ShownSocket] = []
        size = 0
        for namespace in self._namespaces() if quota.sockets else ():
            for member in self._members(namespace):
                described = self._described(member)
                size += len(_encode(described))
                if len(shown) == quota.sockets or size > quota.size_bytes:
                    return shown
                shown.append(described)
                if len(shown) % _AT_ONCE == 0:
                    await asyncio.sleep(0)
        return shown

    def _described(self, member: Member) -> ShownSocket:
        handshake, user = member.handshake, member.user
        headers = handshake.headers
        opened_at = self._wall_clock() - (self._clock() - member.opened_at)
        return ShownSocket(
            id=member.sid,
            # The id of the session would let an admin take it over.
            client_id=hashlib.sha256(member.connection.sid.encode()).hexdigest()[:12],
            transport="websocket" if member.connection.upgraded else "polling",
            nsp=member.namespace,
            data={
                "gateway": self._server.node_name,
                "user": {"id": _text(user.id), "name": _text(user.name), "kind": user.kind},
                "recovered": member.recovered,
            },
            handshake=Initial(
                address=handshake.address,
                headers={name: _text(headers[name]) for name in _SHOWN_HEADERS if name in headers},
                query={},
                issued=int(opened_at * 1_000),
                secure=handshake.source.scheme == "https",
                time=datetime.fromtimestamp(opened_at, UTC).isoformat(timespec="milliseconds"),
                url="/socket.io/",
                xdomain="origin" in headers,
            ),
            rooms=(member.sid, *map(_text, [*member.rooms][:MAX_ROOMS])),
        )


def _count(counter: Counter, **labels: str) -> int:
    """Return the sum of a counter's series that have these labels."""
    return sum(
        int(sample.value)
        for metric in counter.collect()
        for sample in metric.samples
        if sample.name.endswith("_total") and labels.items() <= sample.labels.items()
    )


def _text(value: object) -> str:
    """Return a value as a text of bounded length that every encoding can write."""
    text = value if isinstance(value, str) else ascii(value)
    return text[:MAX_FACT_CHARACTERS].encode("utf-8", "replace").decode()
