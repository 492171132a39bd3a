"""Official clients behind an ingress without affinity: each of their requests reaches another gateway."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from clients import Client, Clients
from waiting import until

from roomwire_local.free_ports import free_port
from roomwire_local.ingress import Entry, write_round_robin_config
from roomwire_local.system import HOST, LocalSystem, local_system

WAYS = [
    pytest.param({}, "websocket", id="polling, then upgrade"),
    pytest.param({"transports": ["polling"]}, "polling", id="polling only"),
    pytest.param({"protocols": ["x", "y"]}, "websocket", id="polling, then upgrade by a sub-protocol"),
]
START_TIMEOUT_S = 20


@pytest.fixture(scope="module")
def three_gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    """A system as `make up` starts it, with a gateway more."""
    with local_system(tmp_path_factory.mktemp("three"), free_port(), GATEWAYS="3") as running:
        yield running


@pytest.fixture
async def url(three_gateways: LocalSystem, tmp_path: Path) -> AsyncIterator[str]:
    """An ingress of its own that deals requests out in turn."""
    port, ping_port = free_port(), free_port()
    gateways = [port for name, port in three_gateways.ports.items() if name != "auth"]
    config = write_round_robin_config(tmp_path, Entry(port, ping_port, HOST), gateways=gateways)
    traefik = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "traefik"), f"--configFile={config}"
    )
    try:
        await _until_served(f"http://{HOST}:{port}")
        yield f"http://{HOST}:{port}"
    finally:
        traefik.kill()
        await traefik.wait()


async def _until_served(url: str) -> None:
    """Wait until an ingress has read its routes: it listens before."""
    async with httpx.AsyncClient(trust_env=False) as http:

        async def is_served() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return (await http.get(url)).status_code == httpx.codes.OK
            return False

        await until(is_served, within_s=START_TIMEOUT_S)


async def relayed(system: LocalSystem, kind: str) -> float:
    """Return how many relays of a kind all gateways count as served."""
    row = f'roomwire_relays_total{{kind="{kind}",outcome="served"}}'
    async with httpx.AsyncClient(trust_env=False) as http:
        texts = [
            (await http.get(f"{operations}/metrics")).text
            for name, operations in system.operations.items()
            if name != "auth"
        ]
    return sum(float(line.rpartition(" ")[2]) for text in texts for line in text.splitlines() if row in line)


async def talk(clients: list[Client], room: str) -> None:
    """Have each say something in a room, with acks, and all hear all of it."""
    for number, client in enumerate(clients):
        joined = await client.emit("joinRoom", {"roomId": room, "userName": f"user {number}"})
        assert f"Joined room {room}" == joined
    for number, client in enumerate(clients):
        said = {"roomId": room, "userName": f"user {number}", "message": "good day"}
        assert "Message sent to room" == await client.emit("chatMessage", said)
    for client in clients:
        for number in range(len(clients)):
            await client.wait_for_event("roomMessage", f"[user {number} in {room}] good day")


@pytest.mark.parametrize(("options", "transport"), WAYS)
async def test_clients_chat_and_stay_though_no_request_reaches_the_gateway_of_the_one_before(
    clients: Clients, three_gateways: LocalSystem, url: str, options: dict[str, object], transport: str
):
    before = await relayed(three_gateways, "polling")
    crowd = [await clients.connect(url, **options) for _ in range(6)]
    if transport == "websocket":
        await asyncio.gather(*(client.wait_for("upgrade", "websocket") for client in crowd))

    await talk(crowd, f"den {transport}")
    await talk(crowd, f"attic {transport}")

    assert {transport} == {(await client.state())["transport"] for client in crowd}
    trouble = {"disconnect", "connect_error"}
    assert [] == [happening for client in crowd for happening in client.happenings if happening[0] in trouble]
    assert await relayed(three_gateways, "polling") > before
    for client in crowd:
        await client.close()
    if transport == "websocket":
        await until(lambda: relayed(three_gateways, "websocket"), within_s=START_TIMEOUT_S)


@pytest.mark.parametrize(("options", "transport"), WAYS)
async def test_when_the_owner_is_killed_its_clients_begin_anew_and_are_recovered(
    clients: Clients, three_gateways: LocalSystem, url: str, options: dict[str, object], transport: str
):
    room = {"roomId": f"killed {transport}", "userName": "Ann"}
    ann = await clients.connect(url, **options)
    # One connection for all: what the killed gateway would have served is nothing to him.
    bob = await clients.connect(url, transports=["websocket"])
    while await bob.gateway() == await ann.gateway():
        bob = await clients.connect(url, transports=["websocket"])
    if transport == "websocket":
        await ann.wait_for("upgrade")
    for client in (ann, bob):
        await client.emit("joinRoom", room)
    owner, engine = await ann.gateway(), (await ann.state())["engine"]
    os.kill(three_gateways.pid_of(owner), signal.SIGKILL)
    await ann.wait_for("disconnect")
    await bob.emit("chatMessage", {**room, "userName": "Bob", "message": "are you there?"})

    await ann.wait_for_event("roomMessage", f"[Bob in {room['roomId']}] are you there?")
    state = await ann.state()
    assert state["recovered"]
    assert engine != state["engine"]
    async with httpx.AsyncClient(trust_env=False) as http:
        for _ in range(3):
            answer = await http.get(f"{url}/socket.io/?EIO=4&transport=polling&sid={engine}")
            if answer.status_code != httpx.codes.BAD_GATEWAY:  # the killed one may not be back yet
                assert (400, 1) == (answer.status_code, answer.json()["code"])
