"""What a handler can do with a socket."""

import typing

import msgspec
import pytest
import socketio
from live import Client, served

from roomwire import Gateway, Server, Socket
from roomwire.log.memory.log import MemoryLog
from roomwire.metrics.gateway import Metrics


class Hall(Gateway):
    """Keeps its sockets in reach of the test."""

    def __init__(self):
        super().__init__()
        self.sockets = {}

    def on_connection(self, socket: Socket) -> None:
        self.sockets[socket.id] = socket


@pytest.fixture
async def hall():
    gateway = Hall()
    server = Server(log=MemoryLog.alone(node="n1", metrics=Metrics()), node_name="n1")
    server.register_namespace(gateway)
    await server.start()
    async with served(socketio.ASGIApp(server)) as gateway.address:
        yield gateway
    await server.close()


async def test_a_socket_knows_who_it_is_and_what_it_brought(hall):
    async with Client.connected(hall.address, {"colour": "red"}) as client:
        socket = hall.sockets[client.sid]

        assert (client.sid, "/", "anonymous") == (socket.id, socket.namespace, socket.user.kind)
        assert {"colour": "red"} == socket.handshake.auth


async def test_emit_reaches_this_client_alone(hall):
    async with Client.connected(hall.address) as client, Client.connected(hall.address) as other:
        await hall.sockets[client.sid].emit("note", 1, {"two": b"\x02"})
        await hall.sockets[other.sid].emit("end")

        assert [1, {"two": b"\x02"}] == await client.event("note")
        await other.event("end")
        assert [] == other.events


async def test_broadcast_reaches_the_room_but_not_the_sender(hall):
    async with (
        Client.connected(hall.address) as sender,
        Client.connected(hall.address) as member,
        Client.connected(hall.address) as outsider,
    ):
        for client in (sender, member):
            await hall.sockets[client.sid].join("den")
        await hall.sockets[sender.sid].broadcast("den", "note", "hello")
        for client in (sender, outsider):
            await hall.sockets[client.sid].emit("end")
            await client.event("end")

        assert ["hello"] == await member.event("note")
        assert [] == [*sender.events, *outsider.events]


async def test_what_is_broadcast_again_under_its_message_id_is_heard_once(hall):
    async with Client.connected(hall.address) as sender, Client.connected(hall.address) as member:
        for client in (sender, member):
            await hall.sockets[client.sid].join("den")
        for text in ("hello", "hello again"):
            await hall.sockets[sender.sid].broadcast("den", "note", text, message_id="first")
        await hall.sockets[sender.sid].broadcast("den", "note", "bye", message_id="second")

        assert ["hello"] == await member.event("note")
        assert ["bye"] == await member.event("note")


async def test_joining_twice_is_joining_once_and_leaving_is_idempotent(hall):
    async with Client.connected(hall.address) as client:
        socket = hall.sockets[client.sid]
        await socket.join("den")
        await socket.join("den")
        assert socket.in_room("den")

        await socket.leave("den")
        assert not socket.in_room("den")
        await socket.leave("den")
        await socket.leave("nowhere")
        assert not socket.in_room("den")


async def test_disconnect_sends_the_client_away(hall):
    async with Client.connected(hall.address) as client:
        await hall.sockets[client.sid].disconnect()

        assert "41" == await client.frame(lambda text: text.startswith("41"))


class Point(msgspec.Struct, rename="camel"):
    x_value: int


class Pair(typing.NamedTuple):
    one: int
    two: bytes


@pytest.mark.parametrize(
    ("value", "heard"),
    [
        pytest.param(Point(1), [{"xValue": 1}], id="a struct"),
        pytest.param((Point(1), b"x"), [{"xValue": 1}, b"x"], id="a tuple is several arguments"),
        pytest.param(Pair(1, b"x"), [[1, b"x"]], id="a named tuple is one"),
        pytest.param([Pair(1, b"x")], [[[1, b"x"]]], id="in a list as well"),
    ],
)
async def test_what_a_gateway_emits_is_what_a_handler_could_return(hall, value, heard):
    async with Client.connected(hall.address) as client:
        await hall.emit("note", value)

        assert heard == await client.event("note")
