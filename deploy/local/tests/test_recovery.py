"""Official clients of two gateways, one of which is killed: nothing is lost, doubled or reordered."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest
import redis.asyncio
from clients import Client, Clients
from flaky_proxy import Proxy
from python_clients import KINDS, PythonClient
from waiting import time_passes, until

from roomwire import AsyncEmitter
from roomwire_local.free_ports import free_port

ROOM = {"roomId": "den", "userName": "Ann"}
START_TIMEOUT_S = 60


class Gateway:
    """A gateway process, and where it is."""

    def __init__(self, redis_url: str, name: str) -> None:
        self.name = name
        self.port, self._ops_port = free_port(), free_port()
        self._redis_url = redis_url
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        settings = {
            "PORT": self.port,
            "OPS_PORT": self._ops_port,
            "REDIS_URL": self._redis_url,
            "AUTH_MODE": "off",
            "PAGE": "false",
            "DRAIN_S": 0,
            "NODE_NAME": self.name,
            "LOG_LEVEL": "error",
            # The speaker here goes on as soon as it is answered.
            "MAX_EVENTS_PER_S": 0,
            "MAX_EVENTS_PER_USER_PER_S": 0,
            "MAX_EVENTS_OF_GUESTS_PER_S": 0,
        }
        environ = {key: value for key, value in os.environ.items() if not key.startswith("ROOMWIRE_")}
        environ |= {f"ROOMWIRE_{key}": str(value) for key, value in settings.items()}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "roomwire_gateway", env=environ
        )
        url = f"http://127.0.0.1:{self._ops_port}"
        async with httpx.AsyncClient(trust_env=False, base_url=url) as http:
            await until(lambda: self._is_ready(http), within_s=START_TIMEOUT_S)

    @staticmethod
    async def _is_ready(http: httpx.AsyncClient) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return (await http.get("/readyz")).status_code == 200
        return False

    async def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()


@contextlib.asynccontextmanager
async def two_gateways(redis_url: str) -> AsyncIterator[tuple[Gateway, Gateway]]:
    one, two = Gateway(redis_url, "one"), Gateway(redis_url, "two")
    try:
        await asyncio.gather(one.start(), two.start())
        yield one, two
    finally:
        await asyncio.gather(one.kill(), two.kill())


@pytest.fixture
async def gateways(redis_url: str) -> AsyncIterator[tuple[Gateway, Gateway]]:
    async with two_gateways(redis_url) as running:
        yield running


class Speaker:
    """Says numbers in the room until it is told to stop."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stop = asyncio.Event()
        self.said: list[str] = []

    async def speak(self) -> None:
        while not self._stop.is_set():
            text = str(len(self.said))
            answer = await self._client.emit(
                "chatMessage", {"roomId": "den", "userName": "Bob", "message": text}
            )
            assert answer == "Message sent to room"
            self.said.append(f"[Bob in den] {text}")
            await time_passes(0.005)

    def stop(self) -> None:
        self._stop.set()


def heard(client: Client) -> list[str]:
    return [event[1] for event in client.events if event[0] == "roomMessage" and event[1].startswith("[Bob")]


def connects(client: Client) -> list[str]:
    return [args[0] for happening, args in client.happenings if happening == "connect"]


async def again(client: Client, count: int) -> None:
    """Wait until a client has connected for the nth time."""
    await until(lambda: len(connects(client)) >= count, within_s=20)


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]], ids="-".join)
async def test_a_gateway_is_killed_and_its_client_misses_nothing(
    gateways: tuple[Gateway, Gateway], clients: Clients, transports: list[str]
) -> None:
    one, two = gateways
    async with Proxy(one.port) as proxy:
        ann = await clients.connect(f"http://127.0.0.1:{proxy.port}", transports=transports)
        bob = await clients.connect(f"http://127.0.0.1:{two.port}", transports=["websocket"])
        await ann.emit("joinRoom", ROOM)
        speaker = Speaker(bob)
        speaking = asyncio.create_task(speaker.speak())
        await ann.wait_for_event("roomMessage", "[Bob in den] 20")

        await one.kill()
        proxy._target_port = two.port
        await again(ann, 2)
        assert (await ann.state())["recovered"]
        await one.start()
        proxy._target_port = one.port
        proxy.cut()
        await again(ann, 3)
        assert (await ann.state())["recovered"]

        known = len(speaker.said)
        await until(lambda: len(speaker.said) > known + 20)
        speaker.stop()
        await speaking
        await ann.wait_for_event("roomMessage", speaker.said[-1])
        present = (await bob.emit("presence", {"roomId": "den"}))["members"]
        assert [("Ann", "one")] == [(member["user"], member["gateway"]) for member in present]
    assert speaker.said == heard(ann)
    assert len(set(connects(ann))) == 1
    assert len([event for event in ann.events if event[0] == "welcome"]) == 1


async def test_a_gateway_is_killed_and_its_python_clients_miss_nothing(
    gateways: tuple[Gateway, Gateway], clients: Clients
) -> None:
    one, two = gateways
    ways = (["websocket"], ["polling"], None)
    people = [PythonClient(kind) for kind in KINDS for _ in ways]
    async with Proxy(one.port) as proxy:
        bob = await clients.connect(f"http://127.0.0.1:{two.port}", transports=["websocket"])
        for person, transports in zip(people, (*ways, *ways), strict=True):
            await person.connect(proxy.port, transports=transports)
            await person.do("call", "joinRoom", ROOM)
        speaker = Speaker(bob)
        speaking = asyncio.create_task(speaker.speak())
        await until(lambda: all(len(said_to(person)) > 20 for person in people))

        await one.kill()
        proxy._target_port = two.port
        for person in people:
            await person.again(2)
        known = len(speaker.said)
        await until(lambda: len(speaker.said) > known + 20)
        speaker.stop()
        await speaking
        for person in people:
            await until(lambda person=person: said_to(person)[-1:] == speaker.said[-1:])
            (_, first, was_recovered), (_, second, is_recovered) = person.connects
            assert (first, False, True) == (second, was_recovered, is_recovered)
            assert speaker.said == said_to(person)
            await person.close()


def said_to(person: PythonClient) -> list[str]:
    return [event[1] for event in person.got if event[0] == "roomMessage" and event[1].startswith("[Bob")]


TOKENS = 2_000
KILLED_AT = 500
"""All that are still to come are sent while the clients are away, as fast as the worker can."""


async def test_a_workers_stream_survives_the_gateway_that_holds_its_clients(
    gateways: tuple[Gateway, Gateway], clients: Clients, redis_url: str
) -> None:
    one, two = gateways
    people = [PythonClient(kind) for kind in KINDS]
    async with Proxy(one.port) as proxy, AsyncEmitter(redis_url) as worker:
        ann = await clients.connect(f"http://127.0.0.1:{proxy.port}", transports=["websocket"])
        for person in people:
            await person.connect(proxy.port)

        goes_on = asyncio.Event()

        async def stream(sid: str) -> None:
            for number in range(TOKENS):
                if number == KILLED_AT:
                    await goes_on.wait()
                await worker.emit("token", number, to=sid)

        sids = [connects(ann)[0], *(str(person.client.get_sid()) for person in people)]
        streams = [asyncio.create_task(stream(sid)) for sid in sids]
        await until(
            lambda: all(len(tokens_of(got)) == KILLED_AT for got in (ann.events, *(p.got for p in people)))
        )
        goes_on.set()
        await one.kill()
        proxy._target_port = two.port
        await asyncio.gather(*streams)

        await until(lambda: tokens_of(ann.events)[-1:] == [TOKENS - 1])
        assert [*range(TOKENS)] == tokens_of(ann.events)
        assert (await ann.state())["recovered"]
        for person in people:
            await until(lambda person=person: tokens_of(person.got)[-1:] == [TOKENS - 1])
            assert [*range(TOKENS)] == tokens_of(person.got)
            assert person.client.recovered
            await person.close()


def tokens_of(events: Sequence[Sequence[Any]]) -> list[int]:
    return [event[1] for event in events if event[0] == "token"]


async def test_a_client_that_cannot_be_recovered_is_told(
    gateways: tuple[Gateway, Gateway], clients: Clients, redis_url: str
) -> None:
    one, _ = gateways
    async with Proxy(one.port) as proxy, redis.asyncio.from_url(redis_url) as admin:
        # A client that polls has no connection to cut between two requests.
        ann = await clients.connect(f"http://127.0.0.1:{proxy.port}", transports=["websocket"])
        # Its session expires while it is away.
        first = connects(ann)[0]
        await admin.delete(f"rw:{{0}}:session:{first}")
        proxy.cut()
        await again(ann, 2)
        state = await ann.state()
    assert not state["recovered"]
    assert first != connects(ann)[1]


async def test_when_redis_lost_everything_every_client_is_told(own_redis: Any, clients: Clients) -> None:
    async with two_gateways(own_redis.url) as gateways:
        talking = [
            await clients.connect(f"http://127.0.0.1:{gateway.port}", transports=[transport])
            for gateway in gateways
            for transport in ("websocket", "polling")
        ]
        for client in talking:
            await client.emit("joinRoom", ROOM)
        await talking[0].emit("chatMessage", ROOM | {"message": "lost"})
        own_redis.kill()
        own_redis.empty()
        own_redis.start()
        for client in talking:
            await again(client, 2)
            assert not (await client.state())["recovered"]

        # The gateway that knew more may have everybody told once more; nobody ever continues.
        async def all_hear() -> bool:
            return all([await hears(client, talking) for client in talking])

        await until(all_hear, within_s=30)
        for client in talking:
            assert len(set(connects(client))) == len(connects(client))


async def hears(speaker: Client, listeners: list[Client]) -> bool:
    """Have all join and one say something; returns whether all heard it."""
    text = f"anew {sum(len(one.events) for one in listeners)}"
    try:
        for client in listeners:
            await client.emit("joinRoom", ROOM)
        await speaker.emit("chatMessage", ROOM | {"message": text})
        for client in listeners:
            await client.wait_for_event("roomMessage", f"[Ann in den] {text}")
    except (RuntimeError, TimeoutError, AssertionError):
        return False
    return True
