"""What one gateway does on one core: fan-out, rooms of ten, echo, connections, memory.

The server is pinned to one core, this generator to another; both on this machine, over loopback, WebSocket
transport, texts of 64 bytes that carry the time they were sent. A rate counts as kept up with if at least
98% of what it should deliver arrives within the window, with a p99 below 250 ms. A row in which the
generator itself used more than 90% of its core is marked VOID: it measured the generator.

    python loadtest/bench.py [--json FILE] [row ...]
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import socket
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import httpx
import psutil
import uvloop

from client import LoadClient, connect

HOST: Final = "127.0.0.1"
WINDOW_S: Final = 4.0
SETTLE_S: Final = 1.0
TEXT_BYTES: Final = 64
KEPT_UP: Final = 0.98
P99_MS: Final = 250.0
GENERATOR_LIMIT: Final = 0.90
TICK_S: Final = 0.005


@dataclass
class Row:
    """One figure of the report."""

    name: str
    figure: str
    p99_ms: float | None
    generator_cpu: float
    server_cpu: float

    @property
    def void(self) -> bool:
        """Whether the generator was the bottleneck."""
        return self.generator_cpu > GENERATOR_LIMIT


class Server:
    """The process under test."""

    def __init__(self, url: str, process: psutil.Process) -> None:
        self.url = url
        self.process = process


class Usage:
    """CPU used since its making, by the generator and by the server, as shares of a core."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._started = time.perf_counter()
        self._own = _cpu_s(psutil.Process())
        self._others = _cpu_s(server.process)

    def shares(self) -> tuple[float, float]:
        """Return the generator's and the server's share."""
        elapsed = time.perf_counter() - self._started
        own = _cpu_s(psutil.Process()) - self._own
        return own / elapsed, (_cpu_s(self._server.process) - self._others) / elapsed


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextlib.asynccontextmanager
async def one_server(core: int) -> AsyncIterator[Server]:
    """Run the application on one core, on free loopback ports."""
    with socket.create_server((HOST, 0)) as public, socket.create_server((HOST, 0)) as ops:
        port, ops_port = public.getsockname()[1], ops.getsockname()[1]
    env = {
        **os.environ,
        "ROOMWIRE_PORT": str(port),
        "ROOMWIRE_OPS_PORT": str(ops_port),
        "ROOMWIRE_REDIS_URL": "memory://",
        "ROOMWIRE_LOG_LEVEL": "warning",
    }
    app = Path(__file__).with_name("app.py")
    process = await asyncio.create_subprocess_exec(sys.executable, str(app), env=env)
    os.sched_setaffinity(process.pid, {core})
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            while not await _is_ready(http, f"http://{HOST}:{ops_port}/readyz"):
                await asyncio.sleep(0.05)
        yield Server(f"ws://{HOST}:{port}", psutil.Process(process.pid))
    finally:
        # Not SIGTERM: parting from thousands of clients is not what is measured here.
        process.kill()
        await process.wait()


async def _is_ready(http: httpx.AsyncClient, url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return (await http.get(url)).status_code == httpx.codes.OK
    return False


class Latencies:
    """Takes event packets whose text begins with the time it was sent, in nanoseconds."""

    def __init__(self) -> None:
        self._ns: list[int] = []

    def __call__(self, packet: bytes) -> None:
        """Take `42["roomMessage","<ns> ..."]`: hot."""
        start = packet.index(b',"') + 2
        self._ns.append(time.monotonic_ns() - int(packet[start : packet.index(b" ", start)]))

    def clear(self) -> None:
        """Forget what was taken."""
        self._ns.clear()

    @property
    def count(self) -> int:
        """How many arrived."""
        return len(self._ns)

    @property
    def p99_ms(self) -> float:
        """The 99th percentile, in milliseconds."""
        ordered = sorted(self._ns)
        return ordered[int(len(ordered) * 0.99)] / 1e6 if ordered else float("inf")


def stamped_text() -> str:
    """Return a text of the benchmark's size that begins with the time."""
    return f"{time.monotonic_ns()} ".ljust(TEXT_BYTES, "x")


async def connect_all(server: Server, count: int, on_event: Callable[[bytes], None]) -> list[LoadClient]:
    """Open connections, at most 50 at a time."""
    limit = asyncio.Semaphore(50)

    async def one() -> LoadClient:
        async with limit:
            return await connect(server.url, on_event=on_event)

    return list(await asyncio.gather(*(one() for _ in range(count))))


async def join_rooms(clients: Sequence[LoadClient], room_size: int) -> None:
    """Put clients into rooms of a size, in order."""
    for number, client in enumerate(clients):
        client.emit("joinRoom", {"roomId": f"room-{number // room_size}"})
    await asyncio.sleep(SETTLE_S)


async def offer(clients: Sequence[LoadClient], room_size: int, messages_per_s: float, seconds: float) -> int:
    """Send room messages open-loop, from one client after the other; returns how many."""
    started = time.perf_counter()
    sent = 0
    while (elapsed := time.perf_counter() - started) < seconds:
        while sent < elapsed * messages_per_s:
            number = (sent * 7) % len(clients)
            body = {"roomId": f"room-{number // room_size}", "message": stamped_text()}
            clients[number].emit("chatMessage", body)
            sent += 1
        await asyncio.sleep(TICK_S)
    return sent


async def climb(core: int, name: str, *, clients: int, room_size: int, rates: Sequence[float]) -> Row:
    """Raise the rate of room messages until the server does not keep up; the last rate that held is the figure."""
    latencies = Latencies()
    best = Row(name, "none kept up with", None, 0.0, 0.0)
    async with one_server(core) as server:
        crowd = await connect_all(server, clients, latencies)
        await join_rooms(crowd, room_size)
        for rate in rates:
            await offer(crowd, room_size, rate, SETTLE_S)
            await asyncio.sleep(SETTLE_S)
            latencies.clear()
            usage = Usage(server)
            sent = await offer(crowd, room_size, rate, WINDOW_S)
            await asyncio.sleep(P99_MS / 1_000)
            share, p99 = latencies.count / (sent * room_size), latencies.p99_ms
            generator, serving = usage.shares()
            print(
                f"  {name}: {rate:>8,.0f} messages/s, {rate * room_size:>10,.0f} deliveries/s: "
                f"{share:6.1%} arrived, p99 {p99:8.1f} ms, generator {generator:.0%}, server {serving:.0%}"
            )
            if share < KEPT_UP or p99 > P99_MS:
                break
            figure = f"{rate * room_size:,.0f} deliveries/s ({rate:,.0f} messages/s)"
            best = Row(name, figure, p99, generator, serving)
    return best


async def fan_out(core: int) -> Row:
    """One room of 500."""
    rates = [10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1_000, 2_000, 4_000]
    return await climb(core, "fan-out, room of 500", clients=500, room_size=500, rates=rates)


async def rooms_of_ten(core: int) -> Row:
    """1,000 clients in 100 rooms."""
    rates = [500, 1_000, 1_500, 2_000, 3_000, 4_000, 6_000, 8_000, 10_000, 15_000, 20_000, 30_000]
    return await climb(core, "rooms of 10, 1,000 clients", clients=1_000, room_size=10, rates=rates)


async def echo(core: int) -> Row:
    """200 clients, each with one event under way all the time."""
    acked = 0
    clients: dict[int, LoadClient] = {}
    running = True

    def again(number: int) -> Callable[[bytes], None]:
        def on_ack(_: bytes) -> None:
            nonlocal acked
            acked += 1
            if running:
                clients[number].emit("echo", "x" * TEXT_BYTES, ack=True)

        return on_ack

    async with one_server(core) as server:
        for number in range(200):
            clients[number] = await connect(server.url, on_ack=again(number))
        for client in clients.values():
            client.emit("echo", "x" * TEXT_BYTES, ack=True)
        await asyncio.sleep(SETTLE_S)
        rates = []
        usage = Usage(server)
        for _ in range(5):
            before, started = acked, time.perf_counter()
            await asyncio.sleep(1.0)
            rates.append((acked - before) / (time.perf_counter() - started))
        running = False
        generator, serving = usage.shares()
    return Row("echo, 200 clients", f"{statistics.median(rates):,.0f} acks/s", None, generator, serving)


async def connections(core: int) -> Row:
    """Connect and join, 50 at a time, 2,000 in all."""
    count = 2_000
    joined = asyncio.Event()
    left = count

    def on_ack(_: bytes) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            joined.set()

    async with one_server(core) as server:
        usage, started = Usage(server), time.perf_counter()
        limit = asyncio.Semaphore(50)

        async def one() -> LoadClient:
            async with limit:
                client = await connect(server.url, on_ack=on_ack)
                client.emit("joinRoom", {"roomId": "room-0"}, ack=True)
                return client

        crowd = await asyncio.gather(*(one() for _ in range(count)))
        await joined.wait()
        rate = len(crowd) / (time.perf_counter() - started)
        generator, serving = usage.shares()
    return Row("connections with a join", f"{rate:,.0f}/s", None, generator, serving)


async def memory(core: int) -> Row:
    """Weigh one idle connection, of 8,000: by the growth of the server's resident memory."""
    count = 8_000
    async with one_server(core) as server:
        await connect_all(server, 100, lambda _: None)
        await asyncio.sleep(SETTLE_S)
        before, usage = server.process.memory_info().rss, Usage(server)
        crowd = await connect_all(server, count, lambda _: None)
        await asyncio.sleep(SETTLE_S)
        weight = (server.process.memory_info().rss - before) / len(crowd)
        generator, serving = usage.shares()
    return Row("memory per idle connection", f"{weight / 1024:,.1f} KiB", None, generator, serving)


ROWS: Final[dict[str, Callable[[int], Awaitable[Row]]]] = {
    "fan-out": fan_out,
    "rooms": rooms_of_ten,
    "echo": echo,
    "connections": connections,
    "memory": memory,
}


def report(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| one gateway, one core | figure | p99 | generator's CPU | server's CPU |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        p99 = "" if row.p99_ms is None else f"{row.p99_ms:.1f} ms"
        void = " VOID: the generator was saturated" if row.void else ""
        lines.append(
            f"| {row.name} | {row.figure}{void} | {p99} | {row.generator_cpu:.0%} | {row.server_cpu:.0%} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "rows", nargs="*", metavar="row", choices=[*ROWS, []], help=f"default: all of {', '.join(ROWS)}"
    )
    parser.add_argument("--json", type=Path, help="write the rows there as well")
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:  # noqa: PLR2004 - one for each
        sys.exit("this benchmark needs two cores: one for the server, one for the generator")
    os.sched_setaffinity(0, {cores[1]})
    rows = []
    for name in arguments.rows or ROWS:
        rows.append(uvloop.run(ROWS[name](cores[0])))
        print(report(rows[-1:]).splitlines()[-1], flush=True)
    print(
        f"\n{platform.machine()}, Python {platform.python_version()}, {os.cpu_count()} cores\n\n{report(rows)}"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
