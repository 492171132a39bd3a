"""A gateway in a process of its own, attacked over raw sockets and looked at from outside."""

import asyncio
import base64
import contextlib
import json
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from live import Client
from service_process import ServiceProcess, running
from waiting import until

LOOK_S = 0.02
CHUNK_BYTES = 65_536
MEMORY_BYTES = 32 * 2**20
"""How much a gateway may grow under one attack: less than each flood sends, more than its connections need."""
DESCRIPTORS = 8
"""How many descriptors may be left when an attack is over."""

TEXT, BINARY, CONTINUATION, CLOSE, PING = 0x1, 0x2, 0x0, 0x8, 0x9
UPGRADE = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\n"
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{more}\r\n"
)

Attack = Callable[["Siege"], Awaitable[Iterable[str]]]


def frame(kind: int, payload: bytes, *, final: bool = True, reserved: int = 0) -> bytes:
    """Write a client's frame; the mask is of zeros, which is one like any other."""
    head = bytes([final << 7 | reserved | kind])
    size = len(payload)
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 2**16:
        head += struct.pack("!BH", 0x80 | 126, size)
    else:
        head += struct.pack("!BQ", 0x80 | 127, size)
    return head + bytes(4) + payload


def event(name: str, *args: Any, ack: int | str = "") -> bytes:
    """Write a Socket.IO event as one frame."""
    return frame(TEXT, f"42{ack}{json.dumps([name, *args])}".encode())


class Raw:
    """A TCP connection of an attacker's; what it was told is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.got = b""

    async def send(self, data: bytes) -> bool:
        """Send what the other side takes; says whether it is still there."""
        try:
            for start in range(0, len(data), CHUNK_BYTES):
                self.writer.write(data[start : start + CHUNK_BYTES])
                await self.writer.drain()
        except ConnectionError:
            return False
        return not self.reader.at_eof()

    async def first(self, data: bytes) -> str:
        """Send what the other side takes, and return the status of its first answer, or `cut`."""
        await self.send(data)
        with contextlib.suppress(ConnectionError):
            while b"\r\n\r\n" not in self.got and (data := await self.reader.read(CHUNK_BYTES)):
                self.got += data
        return self.got[9:12].decode() if self.got.startswith(b"HTTP/1.1 ") else "cut"

    async def dribble(self, data: bytes) -> str:
        """Send a byte at a time until it is answered or cut; returns how it ended."""
        reading = asyncio.create_task(self.rest())
        for byte in data:
            if reading.done() or not await self.send(bytes([byte])):
                break
            await asyncio.wait({reading}, timeout=0.05)
        return await reading

    async def rest(self) -> str:
        """Read to the end; returns the status of the answer, `closed <code>` of a WebSocket, or `cut`."""
        with contextlib.suppress(ConnectionError):
            while data := await self.reader.read(CHUNK_BYTES):
                # Of very much that is said to it, the last is enough.
                self.got = (self.got + data)[-4 * CHUNK_BYTES :]
        if self.got.startswith(b"HTTP/1.1 "):
            return self.got[9:12].decode()
        # A close frame is the last one: its head, its size, the code.
        if len(self.got) >= 4 and self.got[-4:-2] == b"\x88\x02":
            return f"closed {int.from_bytes(self.got[-2:])}"
        return "cut"


@dataclass
class Siege:
    """One attack: what it may use, and what was seen.

    Attributes:
        gateway: The attacked process.
        connections: How many connections an attack opens.
        ended: How they ended, or what was answered, by number.
        memory_bytes: How much the process grew, at most.
        left: How many descriptors were open afterwards beyond those before.
        answered: How many asks of a well-behaved client were answered meanwhile.
        complaints: What did not hold: `time`, `memory`, `descriptors`, `answers`.

    """

    gateway: ServiceProcess
    connections: int = 40
    ended: Counter[str] = field(default_factory=Counter)
    memory_bytes: int = 0
    left: int = 0
    answered: int = 0
    complaints: list[str] = field(default_factory=list)
    _opened: list[Raw] = field(default_factory=list)

    async def open(self) -> Raw:
        """Open a connection."""
        raw = Raw(*await asyncio.open_connection("127.0.0.1", self.gateway.port))
        self._opened.append(raw)
        return raw

    async def websocket(self, *, more: str = "", connect: bool = True) -> Raw:
        """Open a WebSocket, and connect to the namespace of the chat."""
        raw = await self.open()
        key = base64.b64encode(bytes(16)).decode()
        await raw.send(UPGRADE.format(key=key, more=more).encode())
        raw.got = await raw.reader.readuntil(b"\r\n\r\n")
        raw.head, raw.got = raw.got.decode().lower(), b""
        if connect:
            await raw.send(frame(TEXT, b"40"))
            await raw.reader.readuntil(b"Welcome")
        return raw

    async def each(self, one: Callable[[], Awaitable[str]]) -> list[str]:
        """Do the same over all connections at once."""
        return list(await asyncio.gather(*(one() for _ in range(self.connections))))

    async def close(self) -> None:
        """Let go of what is still open."""
        for raw in self._opened:
            raw.writer.transport.abort()


async def besiege(attack: Attack, log: Path, *, patience_s: float, **settings: Any) -> Siege:
    """Attack a gateway, while a well-behaved client goes on asking.

    Args:
        attack: Returns how its connections ended.
        log: The file that the gateway logs to.
        patience_s: How long the attack may take: the bounds of the settings, and much more for a slow machine.
        settings: The gateway's.

    """
    async with (
        running("gateway", log, **settings) as gateway,
        Client.connected(gateway.address) as good,
    ):
        siege = Siege(gateway)
        # What is made at first use is no growth.
        for _ in range(50):
            await good.emit("presence", {"roomId": "den"})
        memory, descriptors = gateway.memory_bytes(), gateway.descriptors()
        stop = asyncio.Event()
        attacking = asyncio.ensure_future(attack(siege))
        looking = asyncio.create_task(_look(siege, memory, stop, attacking))
        asking = asyncio.create_task(_ask(siege, good, stop))
        try:
            async with asyncio.timeout(patience_s):
                siege.ended.update(await attacking)
        except TimeoutError:
            siege.complaints.append("time")
        except asyncio.CancelledError:
            siege.complaints.append("memory")
        finally:
            stop.set()
            await looking
            await _see_whether_it_answers(siege, asking)
            await siege.close()
            await _part(siege, descriptors)
    return siege


async def _look(siege: Siege, memory: int, stop: asyncio.Event, attacking: asyncio.Future[Any]) -> None:
    """Watch the memory; beyond the bound the attack has won, and ends."""
    while not stop.is_set():
        siege.memory_bytes = max(siege.memory_bytes, siege.gateway.memory_bytes() - memory)
        if siege.memory_bytes > MEMORY_BYTES:
            attacking.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_S)


async def _ask(siege: Siege, good: Client, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await good.emit("presence", {"roomId": "den"})
        siege.answered += 1
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_S)


async def _see_whether_it_answers(siege: Siege, asking: asyncio.Task[None]) -> None:
    """Let the well-behaved client end, and another come."""
    try:
        await asking
        async with Client.connected(siege.gateway.address) as another:
            await another.emit("presence", {"roomId": "den"})
    except AssertionError:
        siege.complaints.append("answers")


async def _part(siege: Siege, before: int) -> None:
    """Wait until the descriptors of the attack are closed, as far as they will be."""

    def are_closed() -> bool:
        siege.left = siege.gateway.descriptors() - before
        return siege.left <= DESCRIPTORS

    with contextlib.suppress(TimeoutError):
        await until(are_closed)
    if siege.left > DESCRIPTORS:
        siege.complaints.append("descriptors")
