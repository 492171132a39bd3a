"""A backend on Node emits by Redis with Socket.IO's own packages, and the clients of two gateways hear it, also when one is killed.

What is heard is counted; how long it takes decides nothing.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
import websockets
from recovering import Browser
from service_process import ServiceProcess, running
from waiting import until

from kinds import HERE, NODE, node_packages

INSTALL_S = 420
"""Time limit of a test that first installs packages from npm."""
pytestmark = [pytest.mark.clients, pytest.mark.timeout(INSTALL_S), pytest.mark.usefixtures("starts_servers")]


class Backend:
    """A program on Node that emits."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def call(self, by: str, *call: object, **options: object) -> None:
        """Let it call a method of an emitter, and wait until Redis has what that sends."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"by": by, "call": call, **options}).encode() + b"\n")
        assert b"said\n" == await self._process.stdout.readline()


class Hall:
    """Two gateways that listen to emitters, a client of each in the room `all`, one in another namespace, and the backend."""

    def __init__(self, gateways: Sequence[ServiceProcess], backend: Backend, admin: Any) -> None:
        self.gateways = gateways
        self.backend = backend
        self._admin = admin
        self.clients = [Browser(), Browser()]
        self.news = Browser()

    async def open(self) -> None:
        """Wait until a gateway listens, and connect the clients."""
        await self.is_heard(*self.gateways)
        for client, gateway, room in zip(self.clients, self.gateways, ("one", "two"), strict=True):
            await client.connect(gateway)
            for each in ("all", room):
                await client.ask("join", each)
        await self.news.connect(self.gateways[0], namespace="/news")

    async def close(self) -> None:
        """Disconnect the clients."""
        for client in (*self.clients, self.news):
            client.cut()
            await _has_lost_its_transport(client)

    async def is_heard(self, *gateways: ServiceProcess) -> None:
        """Wait until one of these gateways listens by both ways."""

        async def listens() -> bool:
            owners = [await gateway.metric("roomwire_nodejs_listening") for gateway in gateways]
            position = await self._admin.hget("rw:{0}:nodejs:stream:socket.io", "position")
            return sum(owners) == 1 and position and await self._admin.pubsub_numpat() == 2

        await until(listens)

    async def owner(self) -> int:
        """Return the number of the gateway that listens."""
        return [await one.metric("roomwire_nodejs_listening") for one in self.gateways].index(1)

    async def heard(self, client: Browser, last: str = "end") -> list[list[Any]]:
        """Return what a client gets until an event."""
        heard: list[list[Any]] = []
        while (event := await client.event()) != [last]:
            heard.append(event)
        return heard


@pytest.fixture
async def hall(redis_url: str, tmp_path: Path) -> AsyncIterator[Hall]:
    """Two gateways as processes, and a backend on Node."""
    packages = await asyncio.to_thread(node_packages, "emitters")
    settings = {"redis_url": redis_url, "auth_mode": "off", "nodejs_emitters": "both", "log_format": "json"}
    async with contextlib.AsyncExitStack() as stack:
        admin = await stack.enter_async_context(redis.asyncio.from_url(redis_url))
        gateways = [
            await stack.enter_async_context(
                running(
                    "heard:app",
                    tmp_path / f"{name}.log",
                    served=HERE / "emitters",
                    node_name=name,
                    **settings,
                )
            )
            for name in ("n1", "n2")
        ]
        backend = await asyncio.create_subprocess_exec(
            *(NODE, str(packages / "emit.mjs"), redis_url),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )

        async def end() -> None:
            backend.kill()
            await backend.wait()

        stack.push_async_callback(end)
        hall = Hall(gateways, Backend(backend), admin)
        await hall.open()
        stack.push_async_callback(hall.close)
        yield hall


@pytest.mark.parametrize("by", ["pubsub", "streams"])
async def test_all_that_an_emitter_can_ask_for_is_done_once_and_in_order(hall: Hall, by: str) -> None:
    one, two = hall.clients

    async def say(*call: object, **options: object) -> None:
        await hall.backend.call(by, *call, **options)

    await say("emit", "all", 1, {"deep": [1.5, None]})
    await say("emit", "bytes", {"bytes": [0, 255]}, to=["one"])
    await say("emit", "both", to=["one", "two"])
    await say("emit", "client", to=[two.sid])
    await say("emit", "but", to=["all"], **{"except": ["one"]})
    await say("emit", "volatile", to=["two"], volatile=True)
    await say("emit", "elsewhere", of="/news")
    await say("emit", "nobody", of="/no")
    await say("socketsJoin", ["new"], to=["one"])
    await say("emit", "new", to=["new"])
    await say("socketsLeave", ["new"])
    await say("emit", "left", to=["new"])
    await say("serverSideEmit", "told", "each")
    await say("emit", "end")

    all_of_it = ["all", 1, {"deep": [1.5, None]}]
    # An event for servers has no place among those of the log, and a volatile one may be lost.
    heard = [await hall.heard(client) for client in hall.clients]
    for of_client, client in zip(heard, hall.clients, strict=True):
        while ["told", "each"] not in of_client:
            of_client.append(await client.event())
        of_client.remove(["told", "each"])
    heard[1] = [event for event in heard[1] if event != ["volatile"]]
    assert [all_of_it, ["bytes", b"\0\xff"], ["both"], ["new"]] == heard[0]
    assert [all_of_it, ["both"], ["client"], ["but"]] == heard[1]
    assert ["elsewhere"] == await hall.news.event()
    await say("disconnectSockets", True, to=["one"])
    assert "41" == await one.take()


async def test_what_is_appended_is_heard_once_and_in_order_though_the_owner_is_killed(hall: Hall) -> None:
    owner = await hall.owner()
    cut_off, stays = hall.clients[owner], hall.clients[1 - owner]
    sending = asyncio.ensure_future(_numbers(hall, "streams", 600))
    before = [await stays.event() for _ in range(150)]
    hall.gateways[owner].kill()
    await hall.gateways[owner].ended()
    await sending
    await hall.backend.call("streams", "emit", "end")
    heard = [*before, *await hall.heard(stays)]
    await _has_lost_its_transport(cut_off)
    cut = [*cut_off.got]
    await cut_off.connect(hall.gateways[1 - owner])
    assert cut_off.recovered
    rest = await hall.heard(cut_off)

    assert [["n", number] for number in range(600)] == heard
    assert [["n", number] for number in range(600)] == [*cut, *rest]
    await hall.is_heard(hall.gateways[1 - owner])


async def test_what_is_published_is_heard_at_most_once_though_the_owner_is_killed(hall: Hall) -> None:
    owner = await hall.owner()
    other, stays = hall.gateways[1 - owner], hall.clients[1 - owner]
    sending = asyncio.ensure_future(_numbers(hall, "pubsub", 600))
    before = [await stays.event() for _ in range(150)]
    hall.gateways[owner].kill()
    await hall.gateways[owner].ended()
    await sending
    await hall.is_heard(other)
    await hall.backend.call("pubsub", "emit", "n", 600, to=["all"])
    await hall.backend.call("pubsub", "emit", "end")
    heard = [number for _, number in [*before, *await hall.heard(stays)]]

    assert [*range(150)] == heard[:150]
    assert sorted({*heard}) == heard
    assert 600 == heard[-1]


async def _numbers(hall: Hall, by: str, count: int) -> None:
    for number in range(count):
        await hall.backend.call(by, "emit", "n", number, to=["all"])


async def _has_lost_its_transport(client: Browser) -> None:
    """Take what a client still gets before its transport is gone."""
    with contextlib.suppress(websockets.ConnectionClosed):
        while True:
            await client.event()
