"""The same program on python-socketio's server and on ours: what its clients get, frame by frame.

A program writes handlers for a server and returns what clients do. Every step ends when everything it can
cause has happened, and not when nothing came for a while: each client sends a marker, whose handler answers
when the event loop has nothing left to do; what the client gets before that answer is the step's.
"""

import asyncio
import base64
import contextlib
import itertools
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import msgspec
import socketio
import websockets
from peers import Peer, peer_by

from roomwire import Server

WAIT_S = 30.0
MARKER = "/marker"
SERVERS = ("stock", "fast", "asgi")
"""python-socketio's on plain ASGI; ours on the fast path; ours on plain ASGI."""

CLOSED = (websockets.ConnectionClosed, httpx.HTTPStatusError)

Script = Callable[["Client", "Client"], Awaitable[None]]


class Program(msgspec.Struct, frozen=True):
    """One program.

    Attributes:
        write: Writes the handlers; returns what the clients do, if they do anything but connect.
        options: Of the server.
        connects: The CONNECT packets that both clients begin with.

    """

    write: Callable[[socketio.AsyncServer], Script | None]
    options: dict[str, Any]
    connects: Sequence[str]

    @property
    def name(self) -> str:
        """The function's name."""
        return self.write.__name__


PROGRAMS: list[Program] = []


def program(*, connects: Sequence[str] = ("40",), **options: Any) -> Callable[[Any], Any]:
    """Return a decorator that makes a program of a function."""

    def register(write: Callable[[socketio.AsyncServer], Script | None]) -> Any:
        PROGRAMS.append(Program(write=write, options=options, connects=connects))
        return write

    return register


class Client:
    """A WebSocket client that keeps all that it gets."""

    def __init__(self, socket: Any, ids: dict[str, str], number: int) -> None:
        self.got: list[str | bytes] = []
        self.others: list[Client] = []
        self._socket = socket
        self._ids = ids
        self._number = number
        self._markers = itertools.count(1)
        self._is_closed = False

    async def open(self, connects: Sequence[str]) -> None:
        """Take the handshake, connect to the marker's namespace and to those that are asked for."""
        await self._read()
        await self._socket.send(f"40{MARKER},")
        await self._read()
        self.got.clear()
        await self.send(*connects)

    async def send(self, *packets: str | bytes) -> None:
        """Send packets, one after the other: when all that one can cause has happened, at every client.

        How handlers that run at the same time take turns is nobody's promise. Attachments go with their packet.
        """
        for packet, following in itertools.pairwise([*packets, ""]):
            await self._socket.send(packet)
            if not isinstance(following, bytes):
                for client in (self, *self.others):
                    await client.settle()

    async def put(self, *packets: str | bytes) -> None:
        """Send packets and wait for nothing."""
        for packet in packets:
            await self._socket.send(packet)

    async def leave(self, packet: str = "") -> None:
        """Send a last packet if there is one, or close the transport, and ask for nothing any more."""
        self._is_closed = True
        await (self._socket.send(packet) if packet else self._socket.close())

    async def settle(self) -> None:
        """Take what has been sent until now."""
        if self._is_closed:
            return
        marker = next(self._markers)
        try:
            await self._socket.send(f'42{MARKER},{marker}["marker"]')
            while (await self._read()) != f"43{MARKER},{marker}[]":
                pass
            self.got.pop()
        except CLOSED:
            self.got.append("closed")
            self._is_closed = True

    async def until(self, start: str) -> None:
        """Take what comes until a packet has begun like this: what the program's timers cause."""
        while not any(str(packet).startswith(start) for packet in self.got):
            await self._read()

    def sid(self, namespace: str = "/") -> str:
        """Return its id in a namespace."""
        return next(sid for sid, name in self._ids.items() if name == f"<{self._number}{namespace}>")

    async def _read(self) -> str | bytes:
        async with asyncio.timeout(WAIT_S):
            packet = await self._socket.recv()
        self.got.append(packet)
        if isinstance(packet, str) and (
            found := re.match(r'(0|40(?:(/[^,]*),)?)\{"sid":\s?"([^"]+)"', packet)
        ):
            kind, namespace, sid = found.groups()
            self._ids[sid] = f"<{self._number}{'' if kind == '0' else namespace or '/'}>"
        return packet


class Polling:
    """A client that polls, with the methods of a WebSocket."""

    def __init__(self, peer: Peer, handshake: dict[str, Any]) -> None:
        self._peer = peer
        self._got = ["0" + json.dumps(handshake)]
        self._sid = handshake["sid"]

    async def send(self, packet: str | bytes) -> None:
        """Post one packet."""
        payload = packet if isinstance(packet, str) else f"b{base64.b64encode(packet).decode()}"
        (await self._peer.post(self._sid, payload)).raise_for_status()

    async def recv(self) -> str | bytes:
        """Return the next packet, polling if there is none left."""
        while not self._got:
            self._got = (await self._peer.poll(self._sid)).raise_for_status().text.split("\x1e")
        packet = self._got.pop(0)
        return base64.b64decode(packet[1:]) if packet.startswith("b") else packet

    async def close(self) -> None:
        """End the session."""
        await self.send("1")


async def idle() -> None:
    """Return when the event loop has nothing to do that needs neither the clock nor the network."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0)
    while loop._ready:
        await asyncio.sleep(0)


def add_marker(server: socketio.AsyncServer) -> None:
    """Have the server answer markers, in a namespace of their own."""

    async def marker(_: str) -> None:
        await idle()

    server.on("connect", lambda *_: None, namespace=MARKER)
    server.on("disconnect", lambda *_: None, namespace=MARKER)
    server.on("marker", marker, namespace=MARKER)


def make(kind: str, **options: Any) -> socketio.AsyncServer:
    """Return a server of this kind."""
    made = socketio.AsyncServer if kind == "stock" else Server
    return made(**{"async_mode": "asgi"} | options)


@asynccontextmanager
async def peer_of(kind: str, server: socketio.AsyncServer) -> AsyncIterator[Peer]:
    """Serve a server of this kind; yields a peer of it."""
    async with peer_by("fast" if kind == "fast" else "asgi", socketio.ASGIApp(server), "/socket.io/") as peer:
        yield peer
    with contextlib.suppress(TypeError):
        # Stock's cannot be called again, and some programs have.
        await server.shutdown()


async def transcript(
    kind: str, tested: Program, transport: str = "websocket", **options: Any
) -> list[list[str | bytes]]:
    """Return what two clients of a server get while a program runs, with ids made comparable."""
    server = make(kind, **tested.options | options)
    add_marker(server)
    script = tested.write(server)
    ids: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        peer = await stack.enter_async_context(peer_of(kind, server))
        clients = []
        for number in (1, 2):
            if transport == "polling":
                socket = Polling(peer, await peer.open())
            else:
                socket = await stack.enter_async_context(peer.websocket())
            clients.append(Client(socket, ids, number))
        for client in clients:
            await client.open(tested.connects)
        for client in clients:
            client.others = [other for other in clients if other is not client]
        if script is not None:
            await script(*clients)
        for client in clients:
            await client.settle()
    return [[comparable(kind, packet, ids) for packet in client.got] for client in clients]


def comparable(kind: str, packet: str | bytes, ids: dict[str, str]) -> str | bytes:
    """Replace the ids in a packet, which are random, by who has them; and stock's escapes (`differences`)."""
    if isinstance(packet, bytes):
        return packet
    if kind == "stock":
        packet = unescaped(packet)
    for sid, name in ids.items():
        packet = packet.replace(sid, name)
    return packet


def unescaped(packet: str) -> str:
    """Write a packet's JSON as stock does, but for characters beyond ASCII: as they are."""
    head, payload = re.fullmatch(r"([^\[{\"]*)(.*)", packet, re.DOTALL).groups()  # type: ignore[union-attr]
    if not payload:
        return head
    return str(head) + json.dumps(json.loads(payload), separators=(",", ":"), ensure_ascii=False)
