"""Attacks: each thing over and over from one TCP connection, and what bystanders notice of it.

The bystanders' acks are timed three times: alone, beside an attacker of a sink, which is as busy and costs the service nothing, and
under attack. What an attacker sends beyond its bounds is counted, by the service's own metrics.
"""

import json
import socket
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping
from functools import partial
from multiprocessing.connection import Connection
from typing import Final

import msgspec

from roomwire_loadtest.economics.processes import process
from roomwire_loadtest.economics.system import World
from roomwire_loadtest.economics.things import Row, Words, connect_packet, request_of, spoken_of
from roomwire_loadtest.economics.wires import Http, Meter, Session
from roomwire_loadtest.generator.links import HOST
from roomwire_loadtest.load.transports import Closed

_BYSTANDERS: Final = 10
_PACE_S: Final = 0.1
_WINDOW: Final = 16
_BOUNDS: Final = "roomwire_bounds_exceeded_total"
_REFUSALS: Final = frozenset({429, 503})


class Attack(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an attack.

    Attributes:
        surface: See `things.Row`, as are `name`, `way`, `state`, `token` and `form`.
        seconds: How long it took.
        connections: How many connections it opened, one after the other.
        accepted: How many of its messages were accepted.
        refused: How many were refused for their rate, or for want of room.
        closed: How many of its connections the service closed, or did not let it open.
        bounds: The bounds that it exceeded.
        sink_ms: The bystanders' 99th percentile beside the attacker of a sink, in milliseconds.
        p99_ms: The bystanders' 99th percentile under attack.
        unanswered: How many requests of bystanders were refused or not answered under attack.

    """

    surface: str
    name: str
    way: str
    state: str
    token: str
    form: str
    seconds: float
    connections: int
    accepted: int
    refused: int
    closed: int
    bounds: tuple[str, ...]
    sink_ms: float
    p99_ms: float
    unanswered: int


class Bystanders:
    """Clients that talk in a room of their own, each ten times a second."""

    def __init__(self, port: int) -> None:
        self._port = port

    def listen(self, seconds: float) -> tuple[float, int]:
        """Let them talk; return the 99th percentile of their acks in milliseconds, and how many requests had no good answer."""
        waits, failed = list[float](), list[str]()
        ends_at = time.monotonic() + seconds
        threads = [
            threading.Thread(target=self._talk, args=(f"bystander-{number}", ends_at, waits, failed))
            for number in range(_BYSTANDERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        waits.sort()
        return (waits[int(len(waits) * 0.99)] * 1_000 if waits else 0.0), len(failed)

    def _talk(self, name: str, ends_at: float, waits: list[float], failed: list[str]) -> None:
        said = json.dumps(["chatMessage", {"roomId": "bystanders", "userName": name, "message": "x"}])
        try:
            client = Session("WebSocket", self._port, Meter())
            client.send("40")
            client.until("40")
            while time.monotonic() < ends_at:
                began = time.monotonic()
                client.send(f"421{said}")
                answer = client.until("431")
                waits.append(time.monotonic() - began)
                if "error" in answer:
                    failed.append(answer)
                time.sleep(_PACE_S)
            client.close()
        except (Closed, OSError) as error:
            failed.append(repr(error))


class Attacks:
    """Attacks a system.

    Args:
        world: The system, with its default limits.
        seconds: How long each attack takes.

    Attributes:
        alone_ms: The bystanders' 99th percentile without an attacker.

    """

    def __init__(self, world: World, *, seconds: float) -> None:
        self._world = world
        self._seconds = seconds
        self._bystanders = Bystanders(world.gateway_port)
        self.alone_ms, _ = self._bystanders.listen(seconds)

    def attack(self, row: Row, *, ends_session: bool) -> Attack:
        """Attack by a row.

        Args:
            row: What to send.
            ends_session: Whether the service ends a session in which this is sent.

        """
        port = {"auth": self._world.auth_port, "API": self._world.api_port}.get(
            row.surface, self._world.gateway_port
        )
        tokens = {
            "guest": self._world.guest_token,
            "account": self._world.account_token,
            "key": self._world.key,
        }
        words = Words(
            f"a{time.monotonic_ns() % 1_000_000}", tokens.get(row.token, ""), (), self._world.account
        )
        before = self._exceeded()
        attack = partial(_attack, ends_session=ends_session)
        with process(attack, port, row, words, self._seconds) as done:
            p99_ms, unanswered = self._bystanders.listen(self._seconds)
            counts = done()
        bounds = tuple(
            sorted(name for name, count in self._exceeded().items() if count > before.get(name, 0))
        )
        with (
            process(_swallow, is_endless=True) as sink,
            process(_fill, sink(), counts["bytes"], counts["writes"], self._seconds),
        ):
            sink_ms, _ = self._bystanders.listen(self._seconds)
        return Attack(
            surface=row.surface,
            name=row.name,
            way=row.way,
            state=row.state,
            token=row.token,
            form=row.form,
            seconds=counts["seconds"],
            connections=counts["connections"],
            accepted=counts["accepted"],
            refused=counts["refused"],
            closed=counts["closed"],
            bounds=bounds,
            sink_ms=sink_ms,
            p99_ms=p99_ms,
            unanswered=unanswered,
        )

    def _exceeded(self) -> Mapping[str, float]:
        """Return how often each bound of the gateway has been exceeded."""
        with urllib.request.urlopen(f"{self._world.operations}/metrics") as answer:  # noqa: S310 - of the system that runs here
            lines = answer.read().decode().splitlines()
        found = (line.rpartition(" ") for line in lines if line.startswith(_BOUNDS))
        return {name.partition('"')[2].partition('"')[0]: float(count) for name, _, count in found}


def _attack(
    pipe: Connection, port: int, row: Row, words: Words, seconds: float, *, ends_session: bool
) -> None:
    counts, meter = Counter[str](), Meter()
    began = time.monotonic()
    ends_at = began + seconds
    attack = _by_requests
    if row.is_of_session:
        attack = _by_sessions if ends_session else _by_session
    while time.monotonic() < ends_at:
        counts["connections"] += 1
        try:
            attack(port, row, words, meter, counts, ends_at)
        except (Closed, OSError):
            counts["closed"] += 1
    names = ("accepted", "closed", "connections", "refused", "writes")
    done = {name: counts[name] for name in names}
    # Over polling an event waits before it is refused, and the last answers come later.
    pipe.send(done | {"bytes": meter.up, "seconds": time.monotonic() - began})


def _by_session(
    port: int, row: Row, words: Words, meter: Meter, counts: Counter[str], ends_at: float
) -> None:
    """Send a row within one session, several at a time, until the session or the time ends."""
    spoken = spoken_of(row)
    # CONNECTs that are sent together have one answer.
    window = 1 if spoken.connects else _WINDOW
    session = _opened(port, row, words, meter)
    try:
        while time.monotonic() < ends_at:
            number = counts["writes"] * window
            packets = [spoken.packets(number + more, words) for more in range(window)]
            session.send(*(packet for each in packets for packet in each))
            counts["writes"] += 1
            for _ in packets if spoken.answer else ():
                refused = "rate_limited" in session.until(*spoken.answer)[:200]
                counts["refused" if refused else "accepted"] += 1
            if not spoken.answer:
                counts["accepted"] += window
    finally:
        session.close()


def _by_sessions(
    port: int,
    row: Row,
    words: Words,
    meter: Meter,
    counts: Counter[str],
    ends_at: float,  # noqa: ARG001 - as `_by_session`
) -> None:
    """Send a row once, in a session that it ends."""
    session = _opened(port, row, words, meter)
    try:
        session.send(*spoken_of(row).packets(counts["writes"], words))
        if row.way == "WebSocket":
            session.rest()
    finally:
        session.close()
        counts["writes"] += 1
        counts["accepted"] += 1


def _opened(port: int, row: Row, words: Words, meter: Meter) -> Session:
    session = Session(row.way, port, meter)
    if row.state == "after CONNECT":
        session.send(connect_packet(words.token))
        session.until("40")
    return session


def _by_requests(
    port: int, row: Row, words: Words, meter: Meter, counts: Counter[str], ends_at: float
) -> None:
    """Send a row as requests on one connection until the connection or the time ends."""
    http, request_in = Http(port, meter), request_of(row)
    headers = {"Authorization": f"Bearer {words.token}"} if words.token else {}
    try:
        while time.monotonic() < ends_at:
            request = request_in(counts["writes"], words)
            counts["writes"] += 1
            status, _ = http.ask(
                request.method, request.path, request.body, kind=request.kind, headers=headers
            )
            counts["refused" if status in _REFUSALS else "accepted"] += 1
    finally:
        http.close()


def _swallow(pipe: Connection) -> None:
    with socket.create_server((HOST, 0)) as listener:
        pipe.send(listener.getsockname()[1])
        while True:
            with listener.accept()[0] as peer:
                while peer.recv(65_536):
                    pass


def _fill(pipe: Connection, port: int, size: int, writes: int, seconds: float) -> None:
    """Send as many bytes as an attack, in as many writes and as fast."""
    piece = bytes(max(1, size // max(1, writes)))
    with socket.create_connection((HOST, port)) as sink:
        began = time.monotonic()
        for number in range(writes):
            sink.sendall(piece)
            time.sleep(max(0.0, began + (number + 1) * seconds / writes - time.monotonic()))
    pipe.send({})
