"""The same program on python-socketio's server and on ours, over the same bytes: what a client gets is the same.

Each case is a function that writes handlers for a server, and what clients send. What is meant to differ:

- the reply to CONNECT comes before what the connect handler emits (`in_handler_order`): the protocol wants it;
- characters beyond ASCII are not escaped in JSON (`comparable`): the same values in fewer bytes;
- an unknown namespace is refused in the protocol's words, and a malformed packet closes the connection
  (test_protocol).
"""

import asyncio
import json
import re

import pytest
import socketio
from peers import peer_of, take

from roomwire import Server

SETTLE_S = 0.15


class Client:
    """A WebSocket client that keeps all that it gets, with ids made comparable."""

    def __init__(self, socket) -> None:
        self._socket = socket
        self.got: list[object] = []

    async def send(self, *packets) -> None:
        for packet in packets:
            await self._socket.send(packet)
        await self.settle()

    async def settle(self) -> None:
        """Take what comes until nothing has come for a while."""
        try:
            while True:
                async with asyncio.timeout(SETTLE_S):
                    self.got.append(comparable(await take(self._socket)))
        except TimeoutError:
            pass
        except Exception:
            self.got.append("closed")


def comparable(packet):
    """Take out of a packet what is random (ids) and what is a matter of taste (escapes in JSON)."""
    if not isinstance(packet, str):
        return packet
    head, payload = re.fullmatch(r"([^\[{]*)(.*)", packet, re.DOTALL).groups()
    return re.sub(
        r'"sid": "[^"]+"', '"sid": "*"', head + json.dumps(json.loads(payload)) if payload else head
    )


async def transcript(make, case, free_port, connects=("40",)):
    """Return what two clients of a server get while a case runs."""
    server = make()
    script = case(server)
    async with (
        peer_of(socketio.ASGIApp(server), free_port, "/socket.io/", fast=isinstance(server, Server)) as peer,
        peer.websocket() as first,
        peer.websocket() as second,
    ):
        clients = [Client(first), Client(second)]
        for client in clients:
            await client.settle()
            client.got.clear()
            await client.send(*connects)
        if script is not None:
            await script(*clients)
        for client in clients:
            await client.settle()
        return [client.got for client in clients]


def stock(**options):
    return socketio.AsyncServer(async_mode="asgi", logger=False, engineio_logger=False, **options)


def ours(**options):
    return Server(async_mode="asgi", **options)


# The cases.


def events_and_acks(server):
    @server.event
    async def echo(sid, *args):
        return args

    @server.event
    async def nothing(sid):
        return None

    @server.event
    def sync(sid, value):
        return {"value": value}

    @server.on("odd name")
    async def odd(sid, *args):
        await server.emit("odd back", args[0] if args else None, to=sid)

    async def script(first, second):
        await first.send(
            '421["echo",1,"zwei",{"drei":[null,true,1.5]}]',
            '422["nothing"]',
            '423["sync",[1]]',
            '42["odd name","ü"]',
            '424["unknown"]',
            '42["echo"]',
            '425["echo"]',
        )

    return script


def payloads(server):
    @server.event
    async def give(sid, what):
        values = {
            "none": None,
            "list": [1, 2],
            "tuple": (1, 2),
            "dict": {"a": 1},
            "text": "x",
            "number": 1.5,
            "empty": [],
            "nested": {"b": [{"c": None}]},
            "unicode": "\u00e4\u2028\U0001f600",
            "bytes": b"\x00\x01",
            "bytes in dict": {"f": b"a", "g": [b"b"]},
        }
        await server.emit("gift", values[what], to=sid)
        return values[what]

    async def script(first, second):
        for number, what in enumerate(
            [
                "none",
                "list",
                "tuple",
                "dict",
                "text",
                "number",
                "empty",
                "nested",
                "unicode",
                "bytes",
                "bytes in dict",
            ]
        ):
            await first.send(f'42{number}["give",{json.dumps(what)}]')

    return script


def rooms(server):
    @server.event
    async def join(sid, room):
        await server.enter_room(sid, room)

    @server.event
    async def leave(sid, room):
        await server.leave_room(sid, room)

    @server.event
    async def close(sid, room):
        await server.close_room(room)

    @server.event
    async def where(sid):
        return sorted(room for room in server.rooms(sid) if room != sid)

    @server.event
    async def say(sid, room, text):
        await server.emit("said", text, room=room)

    @server.event
    async def say_others(sid, room, text):
        await server.emit("said", text, to=room, skip_sid=sid)

    @server.event
    async def say_many(sid, rooms, text):
        await server.emit("said", text, to=rooms)

    @server.event
    async def say_all(sid, text):
        await server.emit("said", text)

    @server.event
    async def message(sid, text):
        await server.send(text, to=sid)

    async def script(first, second):
        await first.send('42["join","a"]', '42["join","a"]', '421["where"]')
        await second.send('42["join","a"]', '42["join","b"]', '421["where"]')
        for packet in (
            '42["say","a","to a"]',
            '42["say_others","a","to others in a"]',
            '42["say","nowhere","?"]',
            '42["say_many",["a","b"],"once each"]',
            '42["say_all","all"]',
            '42["message","mine"]',
            '42["leave","a"]',
            '42["leave","never in"]',
            '42["say","a","without first"]',
            '42["close","a"]',
            '42["say","a","nobody"]',
        ):
            await first.send(packet)
            await second.settle()

    return script


def namespaces(server):
    class Custom(socketio.AsyncNamespace):
        async def on_connect(self, sid, environ, auth):
            await self.emit("hello", auth, to=sid)

        async def on_echo(self, sid, *args):
            return args

        async def on_room(self, sid):
            await self.enter_room(sid, "r")
            await self.emit("in room", to="r")

    server.register_namespace(Custom("/custom"))

    @server.on("connect", namespace="/plain")
    async def connect(sid, environ):
        await server.emit("plain", to=sid, namespace="/plain")

    async def script(first, second):
        await first.send(
            '40/custom,{"token":"x"}',
            "40/plain,",
            '42/custom,1["echo","a"]',
            '42/custom,["room"]',
            "41/plain,",
            '42/plain,["gone"]',
            '42/custom,2["echo"]',
        )

    return script


def catch_all(server):
    @server.on("*")
    async def any_event(event, sid, *args):
        return [event, *args]

    @server.on("known")
    async def known(sid):
        return "known"

    async def script(first, second):
        await first.send('421["known"]', '422["other",1,2]')

    return script


def sessions(server):
    @server.event
    async def put(sid, value):
        await server.save_session(sid, {"value": value})

    @server.event
    async def get(sid):
        return await server.get_session(sid)

    @server.event
    async def change(sid):
        async with server.session(sid) as session:
            session["value"] += 1

    async def script(first, second):
        await first.send('421["get"]', '42["put",1]', '42["change"]', '422["get"]')
        await second.send('421["get"]')

    return script


def calls_and_callbacks(server):
    @server.event
    async def ask(sid):
        answer = await server.call("question", {"n": 1}, to=sid, timeout=1)
        await server.emit("answered", answer, to=sid)

    @server.event
    async def later(sid):
        async def done(*args):
            await server.emit("called back", args, to=sid)

        await server.emit("please", "now", to=sid, callback=done)

    async def script(first, second):
        for packet in ('42["ask"]', '431["forty-two"]', '42["later"]', '432["a","b"]', '439["nobody asked"]'):
            await first.send(packet)

    return script


def disconnects(server):
    @server.event
    async def kick(sid):
        await server.emit("bye", to=sid)
        await server.disconnect(sid)

    @server.event
    async def disconnect(sid, reason):
        await server.emit("left", reason)

    async def script(first, second):
        await first.send('42["kick"]')
        await second.settle()
        await first.send('42["kick"]')

    return script


def leaving(server):
    @server.event
    async def disconnect(sid, reason):
        await server.emit("left", reason)

    async def script(first, second):
        await first.send("41")
        await second.settle()

    return script


def refusing(server):
    @server.event
    async def connect(sid, environ, auth):
        if auth == {"how": "false"}:
            return False
        if auth == {"how": "error"}:
            raise ConnectionRefusedError
        if auth == {"how": "words"}:
            raise socketio.exceptions.ConnectionRefusedError("no", {"code": 7})
        return True

    async def script(first, second):
        await first.send('40{"how":"words"}', '40{"how":"error"}', '40{"how":"false"}', "40")
        await second.send('40{"how":"fine"}')

    return script


def binary(server):
    @server.event
    async def echo(sid, *args):
        await server.emit("back", args, to=sid)
        return args

    async def script(first, second):
        await first.send('451-1["echo",{"_placeholder":true,"num":0}]', b"\x01")
        await first.send(
            '452-["echo",{"a":{"_placeholder":true,"num":1},"b":[{"_placeholder":true,"num":0}]}]', b"x", b"y"
        )

    return script


def in_handler_order(got):
    """Put CONNECT replies first: stock sends what a connect handler emits before its reply, we after it."""
    return sorted(got, key=lambda packet: not str(packet).startswith("40"))


ALIKE = [
    events_and_acks,
    payloads,
    rooms,
    namespaces,
    catch_all,
    sessions,
    calls_and_callbacks,
    disconnects,
    leaving,
    binary,
]


@pytest.mark.parametrize("options", [{}, {"async_handlers": False}], ids=["concurrent", "in order"])
@pytest.mark.parametrize("case", ALIKE, ids=lambda case: case.__name__)
async def test_a_client_gets_the_same_bytes(case, options, free_port_factory):
    if options and case is calls_and_callbacks:
        pytest.skip("call() inside a handler waits for ever on stock with async_handlers=False")
    expected = await transcript(lambda: stock(**options), case, free_port_factory())
    actual = await transcript(lambda: ours(**options), case, free_port_factory())
    if case is namespaces:
        expected, actual = ([in_handler_order(got) for got in side] for side in (expected, actual))
    assert expected == actual


async def test_refusals_are_the_same(free_port_factory):
    expected = await transcript(stock, refusing, free_port_factory(), connects=())
    assert expected == await transcript(ours, refusing, free_port_factory(), connects=())
