"""The cost of compressed WebSockets: CPU of a server per message and bytes per receiver, with and without compression.

`python -m roomwire_loadtest.bench.compression` runs a server with permessage-deflate and two groups of clients, one of which offers
compression. In alternating rounds each group receives the same messages. The program counts the CPU of the server by the kernel's
clock, which other work on the machine disturbs less than elapsed time, and prints medians.
"""

import argparse
import asyncio
import contextlib
import json
import random
import socket
import statistics
import subprocess
import sys
import zlib
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, cast

import psutil
import socketio
import uvicorn

from roomwire import Server, logs
from roomwire.engine.fast import fast_websocket
from roomwire.limits.client import Limits
from roomwire.protocol.deflate import PerMessageDeflate
from roomwire_loadtest.generator.links import HOST
from roomwire_loadtest.machine import describe_machine

_MODULE: Final = "roomwire_loadtest.bench.compression"
_GROUPS: Final = ("plain", "compressed")
_WORDS: Final = 2_000
_TIMEOUT_S: Final = 300.0
_END: Final = b'"end"'


class Row(NamedTuple):
    """What is sent to how many.

    Attributes:
        receivers: The clients of each group.
        size: The size of a message, about.
        messages: The messages of a round.

    """

    receivers: int
    size: int
    messages: int


class Cost(NamedTuple):
    """The server's CPU for a message to all of a group, and the bytes that each of its clients receives."""

    cpu_us: float
    bytes: float


_ROWS: Final = (Row(1, 1_024, 4_000), Row(1, 16_384, 1_000), Row(1_000, 1_024, 50), Row(1_000, 16_384, 20))


def text_of(size: int) -> list[dict[str, object]]:
    """Return records as an application sends them: about this many bytes of JSON, the same in each run."""
    chance = random.Random(size)  # noqa: S311 - the same texts each time
    words = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 9))) for _ in range(_WORDS)]
    records: list[dict[str, object]] = []
    while len(json.dumps(records)) < size:
        records.append(
            {
                "id": chance.randint(1, 10**9),
                "user": chance.choice(words),
                "text": " ".join(chance.choices(words, k=12)),
                "at": chance.random() * 1e9,
            }
        )
    return records


async def _serve() -> None:
    """Run the server; each group is a room, and `publish` sends messages to one."""
    server = Server(
        limits=Limits(ping_interval_s=600.0, ping_timeout_s=600.0), per_message_deflate=PerMessageDeflate()
    )
    server.on("connect", lambda *_: None)

    async def join(sid: str, group: str) -> None:
        await server.enter_room(sid, group)

    async def publish(_: str, group: str, size: int, count: int) -> None:
        records = text_of(size)
        for _number in range(count):
            await server.emit("records", records, room=group)
            # One message in each turn: several would be written at once.
            await asyncio.sleep(0)
        await server.emit("end", room=group)

    server.on("join", join)
    server.on("publish", publish)
    logs.configure(level="error")  # a line for each client would fill the pipe
    listening = socket.create_server((HOST, 0), backlog=2_048)
    config = uvicorn.Config(
        socketio.ASGIApp(server),
        ws=fast_websocket(server.eio, "/socket.io/"),  # type: ignore[arg-type] # as `Listener` gives it
        log_level="error",
        loop="uvloop",
    )
    print(listening.getsockname()[1], flush=True)
    await uvicorn.Server(config).serve(sockets=[listening])


class Client(asyncio.Protocol):
    """A client that counts what it receives.

    Args:
        group: Its group, whose messages it receives.

    Attributes:
        bytes: The bytes received since the last round.
        heard: Set when a round has ended.

    """

    def __init__(self, group: str) -> None:
        self._group = group
        self._tail = b""
        self._is_open = False
        self.bytes = 0
        self.heard = asyncio.Event()
        self.joined = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket."""
        self._transport = cast("asyncio.Transport", transport)
        offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n" if self._group == "compressed" else ""
        self._transport.write(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{offer}\r\n".encode()
        )

    def say(self, text: str) -> None:
        """Send a text that is not compressed, with a mask of zeros."""
        payload = text.encode()
        self._transport.write(bytes((0x81, 0x80 | len(payload))) + bytes(4) + payload)

    def leave(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Count."""
        self.bytes += len(data)
        self._tail = self._tail[-16:] + data
        if not self._is_open:
            self._is_open = True
            self.say("40")
            self.say(f'420["join","{self._group}"]')
        elif not self.joined.is_set():
            if b"430[" in self._tail:
                self.joined.set()
        elif _END in self._tail[-32:]:
            self.heard.set()


@contextlib.contextmanager
def run_server() -> Iterator[tuple[psutil.Process, int]]:
    """Run the server while the context lasts; yields its process and its port."""
    command = [sys.executable, "-m", _MODULE, "--server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as started:
        try:
            assert started.stdout is not None  # noqa: S101 - it was asked for
            yield psutil.Process(started.pid), int(started.stdout.readline())
        finally:
            started.terminate()


async def measure(server: psutil.Process, port: int, row: Row, *, rounds: int) -> Mapping[str, Cost]:
    """Return what a message costs each group, by its name.

    Args:
        server: The server's process.
        port: Its port.
        row: What is sent to how many.
        rounds: The rounds of each group, after one that is not counted.

    """
    clients = {group: [await _joined(group, port) for _ in range(row.receivers)] for group in _GROUPS}
    spent_us: dict[str, list[float]] = {group: [] for group in _GROUPS}
    received: dict[str, float] = {}
    for _ in range(rounds + 1):
        for group in _GROUPS:
            before = _cpu_s(server)
            for client in clients[group]:
                client.bytes = 0
                client.heard.clear()
            clients[group][0].say(f'42["publish","{group}",{row.size},{row.messages}]')
            for client in clients[group]:
                await asyncio.wait_for(client.heard.wait(), _TIMEOUT_S)
            spent_us[group].append((_cpu_s(server) - before) * 1e6 / row.messages)
            received[group] = clients[group][-1].bytes / row.messages
    for client in (*clients["plain"], *clients["compressed"]):
        client.leave()
    return {group: Cost(statistics.median(spent_us[group][1:]), received[group]) for group in _GROUPS}


async def _joined(group: str, port: int) -> Client:
    _, client = await asyncio.get_running_loop().create_connection(lambda: Client(group), HOST, port)
    await asyncio.wait_for(client.joined.wait(), _TIMEOUT_S)
    return client


def _cpu_s(server: psutil.Process) -> float:
    times = server.cpu_times()
    return times.user + times.system


def line_of(row: Row, found: Mapping[str, Cost]) -> str:
    """Return a row of the table in `docs/decisions/compression.md`."""
    plain, compressed = found["plain"], found["compressed"]
    return f"| {row.receivers:,} | {plain.bytes:,.0f} | {compressed.bytes:,.0f} | {plain.cpu_us:,.0f} µs | {compressed.cpu_us:,.0f} µs |"


async def _run(rounds: int) -> None:
    with run_server() as (server, port):
        print(describe_machine(), f"zlib {zlib.ZLIB_RUNTIME_VERSION}")
        for row in _ROWS:
            print(line_of(row, await measure(server, port, row, rounds=rounds)), flush=True)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog=f"python -m {_MODULE}", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each group (5)")
    parser.add_argument("--server", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    asyncio.run(_serve() if arguments.server else _run(arguments.rounds))


if __name__ == "__main__":
    main()
