"""For tests of recovery: servers that share a log, and a client that sends the bytes itself."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import socketio
import websockets
from serving import served

from roomwire import Server
from roomwire.engine.fast import fast_websocket
from roomwire.log.opening import open_log
from roomwire.metrics.gateway import Metrics

WAIT_S = 10.0


class Browser:
    """A client that knows recovery, as the official one: what it got, its pid, its offset."""

    def __init__(self):
        self.got = []
        self.sid = self.pid = self.offset = None
        self.recovered = None
        self._socket = None
        self._replies = 0

    async def connect(self, node, auth=None, *, namespace="/"):
        url = f"ws://{node.address}/socket.io/?EIO=4&transport=websocket"
        self._socket = await websockets.connect(url, user_agent_header="Mozilla/5.0", proxy=None)
        await self._socket.recv()
        known = {name: value for name, value in (("pid", self.pid), ("offset", self.offset)) if value}
        body = known | (auth or {})
        await self._socket.send("40" + of(namespace) + (json.dumps(body) if body else ""))
        reply = await self.take()
        start = f"40{of(namespace)}"
        if not reply.startswith(start):
            return json.loads(reply[2 + len(of(namespace)) :])
        reply = json.loads(reply[len(start) :])
        pid = reply.get("pid")
        self.recovered, self.sid, self.pid = pid is not None and self.pid == pid, reply["sid"], pid
        return reply

    async def take(self):
        async with asyncio.timeout(WAIT_S):
            while (packet := await self._socket.recv()) == "2":
                await self._socket.send("3")
        return packet

    async def event(self):
        """Take the next event; remembers its offset."""
        packet = await self.take()
        attachments = int(packet[2]) if packet.startswith("45") else 0
        *data, offset = json.loads(packet[packet.index("[") :])
        assert isinstance(offset, str)
        assert "." in offset
        self.offset = offset
        for number in range(attachments):
            blob = await self.take()
            data = [blob if value == {"_placeholder": True, "num": number} else value for value in data]
        self.got.append(data)
        return data

    async def events(self, count):
        return [(await self.event())[1] for _ in range(count)]

    async def ask(self, event, *args):
        await self._socket.send("427" + json.dumps([event, *args]))
        while not (packet := await self.take()).startswith("437"):
            pass
        return packet

    async def say(self, text):
        await self._socket.send(text)

    def cut(self):
        """Lose the transport, without a farewell."""
        self._socket.transport.abort()

    async def ended(self):
        """Wait until the server has closed the transport; nothing but pings came until then."""
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                packet = await self.take()
                assert not packet.startswith("41")
        return True


def of(namespace):
    return "" if namespace == "/" else f"{namespace},"


class Node:
    """A server, and where it is."""

    def __init__(self, url, name, **options):
        self.metrics = Metrics()
        self.connects = []
        self.gone = []
        self.log = open_log(url, node=name, config=options.pop("config", None), metrics=self.metrics)
        # Its handlers are functions.
        options.setdefault("recovery", True)
        self.server = Server(log=self.log, node_name=name, metrics=self.metrics, **options)
        for namespace in ("/", "/den"):
            self.server.on("connect", self.connect, namespace=namespace)
        self.server.on("disconnect", lambda sid, reason: self.gone.append(sid))
        self.server.on("join", self.server.enter_room)

    async def connect(self, sid, environ, auth):
        recovered = environ.get("roomwire.recovered", False)
        self.connects.append((sid, recovered, auth))

    def metric(self, name, **labels):
        return self.metrics.registry.get_sample_value(f"roomwire_{name}", labels) or 0


@contextlib.asynccontextmanager
async def nodes_of(url) -> AsyncIterator:
    """Yield a factory: it starts a node on the log that all of a test share; in memory there is one node only."""
    async with contextlib.AsyncExitStack() as stack:
        made = []

        async def start(**options):
            if made and url == "memory://":
                return made[0]
            is_fast = options.pop("is_fast", False)
            node = Node(url, f"n{len(made) + 1}", **options)
            made.append(node)
            stack.push_async_callback(node.server.close)
            await node.server.start()
            ws = fast_websocket(node.server.eio, "/socket.io/") if is_fast else None
            place = await stack.enter_async_context(served(socketio.ASGIApp(node.server), ws=ws))
            node.address = place.address
            return node

        yield start
