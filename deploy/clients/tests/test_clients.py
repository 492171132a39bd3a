"""Clients of several languages, each over every transport that it supports, against the reference server and against Roomwire."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from clients import Client, Clients, clients_of
from flaky_proxy import Proxy
from talk_servers import Node, reference, two_nodes
from waiting import until

from kinds import HERE, NODE, WAYS, Kind, node_packages, table
from roomwire_local.system import HOST

pytestmark = [pytest.mark.clients, pytest.mark.timeout(420)]
COMES_BACK_S = 30
_NOTICES_S = 0.1
"""How long a client is left alone after a disconnection: one that is cut again at once can lose what it has just begun."""
NO_RECOVERY = "/?recovery=0"
# Longer than a line of base64, with every byte value.
ALL_BYTES = bytes(range(256))
BYTES = {"base64": base64.b64encode(ALL_BYTES).decode()}
# Bytes without the separator of packets over polling.
SOME_BYTES = {"base64": base64.b64encode(ALL_BYTES.replace(b"\x1e", b"")).decode()}
MIXED: list[Any] = ["é ✓ \u2028", {"n": [1, -2.5, None, True], "bytes": BYTES}, BYTES]
PLAIN: list[Any] = ["é ✓ \u2028", {"n": [1, -2.5, None, True]}, "last"]


@dataclass
class Seat:
    """A client, its way of connecting, and the proxy between it and the servers."""

    way: str
    client: Client
    proxy: Proxy

    @property
    def transport(self) -> str:
        """The transport that the client ends up with."""
        return WAYS[self.way][-1]

    def connects(self) -> int:
        return sum(happening == "connect" for happening, _ in self.client.happenings)

    async def is_settled(self) -> None:
        """Wait until the client is on that transport."""

        async def is_on_it() -> bool:
            return [self.transport] == await self.client.emit("transport")

        await until(is_on_it, within_s=COMES_BACK_S)


@pytest.fixture(params=["the reference server", "two nodes of ours"])
async def nodes(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Sequence[Node]]:
    async with reference() if request.param == "the reference server" else two_nodes(redis_url) as running:
        yield running


@contextlib.asynccontextmanager
async def seats(
    kind: Kind, clients: Clients, node: Node, *, query: str = ""
) -> AsyncIterator[Sequence[Seat]]:
    """Connect a client in each way that its kind supports."""
    async with contextlib.AsyncExitStack() as stack:
        seated = []
        for way in kind.ways:
            proxy = await stack.enter_async_context(Proxy(node.port))
            client = await clients.connect(f"http://{HOST}:{proxy.port}{query}", transports=list(WAYS[way]))
            seated.append(Seat(way, client, proxy))
        yield seated


async def test_a_client_gets_exactly_what_was_sent_over_a_restart_and_a_lost_connection(
    kind: Kind, command: Sequence[str], nodes: Sequence[Node]
) -> None:
    one, other = nodes[0], nodes[-1]
    async with (
        clients_of(NODE, str(node_packages() / "client.mjs"), "socket.io-client") as peers,
        clients_of(*command) as clients,
        seats(kind, clients, one, query=NO_RECOVERY if kind.is_offered_recovery else "") as seated,
    ):
        peer = await peers.connect(f"http://{HOST}:{other.port}{NO_RECOVERY}", transports=["websocket"])
        for seat in seated:
            await seat.is_settled()
            await all_works(kind, seat.client, peer, f"{seat.way}, at first")

        await one.kill()
        for seat in seated:
            seat.proxy._target_port = other.port
        if other is one:
            await one.start()
        await all_are_back(seated, 2)
        for seat in seated:
            await all_works(kind, seat.client, peer, f"{seat.way}, after a restart")

        if other is not one:
            await one.start()
        for seat in seated:
            seat.proxy._target_port = one.port
            await loses_its_connection(seat)
        await all_are_back(seated, 3)
        for seat in seated:
            await seat.is_settled()
            await all_works(kind, seat.client, peer, f"{seat.way}, after a lost connection")


async def test_the_table_says_which_clients_are_offered_recovery_unasked(
    kind: Kind, command: Sequence[str], redis_url: str
) -> None:
    async with (
        two_nodes(redis_url) as nodes,
        clients_of(*command) as clients,
        seats(kind, clients, nodes[0]) as all_,
    ):
        for seat in all_:
            assert ["joined"] == await seat.client.emit("join", seat.way)
            assert ["said"] == await seat.client.emit("say", seat.way, "hello")
            said = await seat.client.wait_for_event("said", seat.way)
            more = 1 if kind.is_offered_recovery else 0
            assert ([seat.way, "hello"], more) == (said[:2], len(said) - 2), seat.way


async def test_what_a_client_does_not_manage_by_the_table_it_does_not_on_the_reference_server(
    kind: Kind, command: Sequence[str]
) -> None:
    async def works(way: str) -> None:
        client = await clients.connect(f"http://{HOST}:{node.port}", transports=list(WAYS[way]))
        async with Proxy(node.port) as proxy, asyncio.timeout(5):
            await Seat(way, client, proxy).is_settled()
        await all_works(kind, client, client, way)

    async with reference() as [node], clients_of(*command) as clients:
        for way in WAYS.keys() - {*kind.ways}:
            with pytest.raises((AssertionError, RuntimeError, TimeoutError)):
                await works(way)


def test_the_documented_table_is_what_is_tested() -> None:
    document = (HERE.parents[1] / "docs" / "clients.md").read_text(encoding="utf-8")
    assert table() in document


async def all_works(kind: Kind, client: Client, peer: Client, room: str) -> None:
    """Check rooms across nodes, acks, and bytes in both directions, in events and in acks."""
    for member in (client, peer):
        assert ["joined"] == await member.emit("join", room)
    for speaker, text in ((peer, "from the peer"), (client, "from the client")):
        assert ["said"] == await speaker.emit("say", room, text)
        for hearer in (client, peer):
            assert [room, text] == await hearer.wait_for_event("said", room, text), room

    for value in MIXED if kind.has_bytes_anywhere else PLAIN:
        assert [value] == await client.emit("echo", value), room
        if kind.answers:
            assert [value] == await client.emit("ask", value), room
    sent = [room, *(MIXED if kind.has_bytes_anywhere else PLAIN)[1:]]
    before = len(client.events)
    assert ["reflected"] == await client.emit("reflect", *sent), room
    assert ["reflected", *sent] == await next_event(client, before), room
    alone = BYTES if kind.has_bytes_anywhere else SOME_BYTES
    await client.send("reflect", alone)
    assert ["reflected", alone] == await next_event(client, before + 1), room


async def next_event(client: Client, known: int) -> list[Any]:
    """Wait for an event after the known ones."""
    return (await client.until(lambda: client.events[known:] or None, f"event {known + 1}"))[0]


async def loses_its_connection(seat: Seat) -> None:
    """Cut the client's connections until it notices; between two polls it has none."""
    known = len(seat.client.happenings)

    def knows() -> bool:
        return len(seat.client.happenings) != known

    async def is_cut() -> bool:
        seat.proxy.cut()
        with contextlib.suppress(TimeoutError):
            await until(knows, within_s=_NOTICES_S)
        return knows()

    await until(is_cut, within_s=COMES_BACK_S)


async def all_are_back(seated: Sequence[Seat], times: int) -> None:
    """Wait until each client has connected this many times."""
    for seat in seated:
        try:
            await until(lambda seat=seat: seat.connects() >= times, within_s=COMES_BACK_S)
        except TimeoutError:
            raise AssertionError(f"{seat.way}: not back, it saw {seat.client.happenings[-5:]}") from None
