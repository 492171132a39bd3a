"""The rows of the comparison: what is done to one server to get one row's figure in one round."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from generator import Burst, Crowd, Speaker
from ladder import climb, rungs
from links import Flow, Link, Opening, open_links, openings
from results import GENERATOR_LIMIT, KEPT_UP_P99_MS, SERVER_BUSY, Figure, Point, Verdict, judge
from servers import Kind, Running, started
from usage import Usage, resident_bytes

_UNDER_WAY: Final = 50
_UPGRADES_UNDER_WAY: Final = 400
"""Many, as Node's server ends the pending poll only every 100 ms."""
_SETTLE_S: Final = 6.0
_HAD_TIME_LEFT: Final = 0.75
_TRIES: Final = 2
"""Of a rate at which a server falls behind although it had time left: something else was at work."""
_STRIDE: Final = 7
"""Speakers take turns in strides, so that neighbours are in different rooms."""


@dataclass(frozen=True)
class Effort:
    """How much of everything."""

    probe_s: float
    confirm_s: float
    echo_s: float
    connections: int
    upgrades: int
    idle_connections: int
    kept_connections: int
    rest_s: float
    idle_s: float
    """0: not measured."""


FULL: Final = Effort(
    probe_s=2.0,
    confirm_s=3.0,
    echo_s=3.0,
    connections=3_000,
    upgrades=2_000,
    idle_connections=8_000,
    kept_connections=5_000,
    rest_s=2.0,
    idle_s=30.0,
)
QUICK: Final = Effort(
    probe_s=1.0,
    confirm_s=1.0,
    echo_s=1.5,
    connections=1_000,
    upgrades=800,
    idle_connections=2_000,
    kept_connections=1_500,
    rest_s=1.5,
    idle_s=0.0,
)


@dataclass(frozen=True)
class Found:
    """What a row found about a server in a round."""

    figures: list[Figure]
    points: list[Point]


@dataclass(frozen=True)
class Trial:
    """One server, one round, one row.

    Args:
        kind: The server.
        round: The number of the round.
        core: The server's.
        effort: How much of everything.
        tell: Is told what happens, for a person.

    """

    kind: Kind
    round: int
    core: int
    effort: Effort
    tell: Callable[[str], None]


def connect(running: Running, rooms: Sequence[str | None], under_way: int = _UNDER_WAY) -> list[Link]:
    """Open a WebSocket for each room, and join it."""
    return open_links(
        openings(running.port, running.kind.dialect, rooms), Opening.websocket, under_way=under_way
    )


@dataclass(frozen=True)
class Rooms:
    """A row in which rooms are spoken to.

    Args:
        name: The row's.
        clients: How many there are.
        room_size: How many of them share a room.
        sampled: Of how many clients one tells its latencies.
        landmarks: Messages/s that every server is tried at, until it does not keep up.
        lowest: The lowest rate of the ladder.
        in_deliveries: Whether its figure is deliveries/s, not messages/s.

    """

    name: str
    clients: int
    room_size: int
    sampled: int
    landmarks: Sequence[float]
    lowest: float
    in_deliveries: bool = False

    def run(self, trial: Trial) -> Found:
        """Climb to the highest rate that is kept up with."""
        points: list[Point] = []
        stage = _Stage(self, trial)
        try:
            stage.offer(self.lowest, 1.0)
            stage.offer(self.landmarks[0], 1.0)

            def attempt(rate: float, confirmed: bool) -> Verdict:  # noqa: FBT001 - see ladder.Attempt
                seconds = trial.effort.confirm_s if confirmed else trial.effort.probe_s
                for _ in range(_TRIES):
                    point = stage.point(rate, seconds)
                    points.append(point)
                    trial.tell(describe(point))
                    if point.verdict is not Verdict.BEHIND or point.server_cpu > _HAD_TIME_LEFT:
                        break
                return point.verdict

            scale = self.room_size if self.in_deliveries else 1
            steps = [rate / scale for rate in rungs(self.lowest * scale, self.landmarks[-1] * scale)]
            summit = climb(steps, self.landmarks, attempt)
        finally:
            stage.close()
        best = next((point for point in reversed(points) if point.messages_per_s == summit.rate), points[-1])
        figure = Figure(
            row=self.name,
            server=trial.kind.name,
            round=trial.round,
            value=None if summit.rate is None else summit.rate * scale,
            at_least=summit.at_least,
            note="" if summit.rate is not None else f"not even {self.lowest * scale:,.0f}/s",
            generator_cpu=best.generator_cpu,
            server_cpu=best.server_cpu,
            others_cpu=best.others_cpu,
        )
        return Found([figure], points)


class _Stage:
    """A server with a crowd in rooms; both are replaced when one attempt has left its mark on them."""

    def __init__(self, rooms: Rooms, trial: Trial) -> None:
        self._rooms = rooms
        self._trial = trial
        self._held = [rooms.lowest]
        self._open()

    def _open(self) -> None:
        self._context = started(self._trial.kind, self._trial.core)
        self.running = self._context.__enter__()
        self._crowd: Crowd | None = None
        try:
            names = [f"room-{number // self._rooms.room_size:04}" for number in range(self._rooms.clients)]
            links = connect(self.running, names)
            self._crowd = Crowd(links, self.running.kind.dialect, sampled=self._rooms.sampled)
        except BaseException:
            self.close()
            raise
        frames = {name: self.running.kind.dialect.chat(name) for name in names}
        order = [number * _STRIDE % len(links) for number in range(len(links))]
        self._speakers: list[Speaker] = [(links[number], frames[names[number]]) for number in order]

    def offer(self, rate: float, seconds: float) -> Burst:
        """Offer a rate to a server at rest."""
        if self._crowd is None:
            raise RuntimeError("the stage is closed")
        return self._crowd.offer(
            self._speakers, self._rooms.room_size, rate, seconds, grace_s=KEPT_UP_P99_MS / 1_000
        )

    def point(self, rate: float, seconds: float) -> Point:
        """Offer a rate and judge what comes of it."""
        if self._crowd is None or not self._crowd.settle(_SETTLE_S):
            self.close()
            self._open()
            # A server that compiles as it runs is not to be asked for its best when it has just begun.
            for held in self._held[-3:]:
                self.offer(held, 0.7)
        usage = Usage(self.running.process)
        burst = self.offer(rate, seconds)
        generator, server, others = usage.shares()
        p99 = burst.latency_ms(0.99)
        verdict = judge(share=burst.share, p99_ms=p99, generator_cpu=generator, server_cpu=server)
        if verdict is Verdict.HELD:
            self._held = sorted({*self._held, rate})
        return Point(
            row=self._rooms.name,
            server=self._trial.kind.name,
            round=self._trial.round,
            messages_per_s=rate,
            deliveries_per_s=rate * self._rooms.room_size,
            share=burst.share,
            p50_ms=burst.latency_ms(0.5),
            p99_ms=p99,
            generator_cpu=generator,
            server_cpu=server,
            others_cpu=others,
            verdict=verdict,
        )

    def close(self) -> None:
        """End the server and let go of the connections; idempotent."""
        if self._crowd is not None:
            self._crowd.close()
            self._crowd = None
        self._context.__exit__(None, None, None)


def describe(point: Point) -> str:
    """Return a line for a person."""
    p99 = "  late" if point.p99_ms is None else f"{point.p99_ms:6.1f}"
    return (
        f"{point.messages_per_s:>9,.1f} messages/s {point.deliveries_per_s:>11,.0f} deliveries/s "
        f"{point.share:7.1%} arrived, p99 {p99} ms, CPU: generator {point.generator_cpu:4.0%}, "
        f"server {point.server_cpu:4.0%}, others {point.others_cpu:4.0%}: {point.verdict}"
    )


def _figure(
    trial: Trial,
    row: str,
    value: float,
    usage: Usage,
    *,
    lower_is_better: bool = False,
    at_limit: bool = True,
) -> Figure:
    """Return a figure; a generator at its limit before the server was makes it a lower bound."""
    generator, server, others = usage.shares()
    void = at_limit and generator > GENERATOR_LIMIT and server < SERVER_BUSY
    return Figure(
        row=row,
        server=trial.kind.name,
        round=trial.round,
        value=value,
        at_least=void and not lower_is_better,
        note="VOID: the generator was at its limit" if void else "",
        generator_cpu=generator,
        server_cpu=server,
        others_cpu=others,
    )


def echoes(trial: Trial) -> Found:
    """Keep one acknowledged event of each of 200 clients under way."""
    with started(trial.kind, trial.core) as running:
        crowd = Crowd(connect(running, [None] * 200), running.kind.dialect, sampled=0)
        try:
            crowd.echo(trial.effort.echo_s / 2)
            usage, began = Usage(running.process), time.perf_counter()
            answered = crowd.echo(trial.effort.echo_s, resume=True)
            rate = answered / (time.perf_counter() - began)
            return Found([_figure(trial, "acks", rate, usage)], [])
        finally:
            crowd.close()


def connections(trial: Trial) -> Found:
    """Connect by WebSocket at once, join: 50 under way."""
    return _connections(trial, "connections", trial.effort.connections, Opening.websocket, _UNDER_WAY)


def upgrades(trial: Trial) -> Found:
    """Connect by polling, upgrade, join: 400 under way."""
    if not trial.kind.has_polling:
        note = "it has no polling transport"
        return Found(
            [Figure(row="upgrades", server=trial.kind.name, round=trial.round, value=None, note=note)], []
        )
    return _connections(
        trial, "upgrades", trial.effort.upgrades, Opening.polling_then_upgrade, _UPGRADES_UNDER_WAY
    )


def _connections(
    trial: Trial, row: str, count: int, flow: Callable[[Opening], Flow], under_way: int
) -> Found:
    with started(trial.kind, trial.core) as running:
        for link in open_links(_openings(running, count), flow, under_way=under_way):
            link.close()
        usage, began = Usage(running.process), time.perf_counter()
        links = open_links(_openings(running, count), flow, under_way=under_way)
        rate = count / (time.perf_counter() - began)
        figure = _figure(trial, row, rate, usage)
        for link in links:
            link.close()
        return Found([figure], [])


def _openings(running: Running, count: int) -> list[Opening]:
    return openings(
        running.port, running.kind.dialect, [f"room-{number // 10:04}" for number in range(count)]
    )


def idle(trial: Trial) -> Found:
    """Weigh an idle connection, of 8,000; then watch the CPU of a server that keeps 5,000 alive."""
    effort = trial.effort
    with started(trial.kind, trial.core) as running:
        first = Crowd(connect(running, [None] * 100), running.kind.dialect, sampled=0)
        first.idle(effort.rest_s)
        before, usage = resident_bytes(running.process), Usage(running.process)
        crowd = Crowd(connect(running, [None] * effort.idle_connections), running.kind.dialect, sampled=0)
        try:
            crowd.idle(effort.rest_s)
            weight = (resident_bytes(running.process) - before) / effort.idle_connections / 1024
            memory = _figure(trial, "memory", weight, usage, lower_is_better=True, at_limit=False)
            return Found([memory, *_resting(trial, running, crowd)], [])
        finally:
            crowd.close()
            first.close()


def _resting(trial: Trial, running: Running, crowd: Crowd) -> list[Figure]:
    """Watch the CPU of an idle server; once only, as it takes longest and varies least."""
    effort = trial.effort
    if trial.round > 1 or not effort.idle_s:
        return []
    crowd.part(effort.idle_connections - effort.kept_connections)
    crowd.idle(1.0)
    usage, crowd.pings, crowd.lost = Usage(running.process), 0, 0
    crowd.idle(effort.idle_s)
    figure = _figure(trial, "idle", 100 * usage.shares()[1], usage, lower_is_better=True)
    trial.tell(f"{crowd.pings} pings answered, {crowd.lost} connections lost")
    return [figure]


FAN_OUT: Final = Rooms(
    name="fan-out",
    clients=500,
    room_size=500,
    sampled=20,
    landmarks=[50, 200, 1_000, 2_000, 4_000, 8_000],
    lowest=10,
    in_deliveries=True,
)
ROOMS_OF_TEN: Final = Rooms(
    name="rooms",
    clients=1_000,
    room_size=10,
    sampled=4,
    landmarks=[2_000, 5_000, 10_000, 20_000, 40_000, 64_000],
    lowest=1_000,
)
FIXED: Final = {"fan-out": [200.0, 1_000.0, 2_000.0, 4_000.0], "rooms": [5_000.0, 10_000.0, 20_000.0]}
"""The rates, in messages/s, at which latencies are compared."""

ROWS: Final[dict[str, Callable[[Trial], Found]]] = {
    "fan-out": FAN_OUT.run,
    "rooms": ROOMS_OF_TEN.run,
    "acks": echoes,
    "connections": connections,
    "upgrades": upgrades,
    "idle": idle,
}
ROOM_SIZES: Final = {"fan-out": FAN_OUT.room_size, "rooms": ROOMS_OF_TEN.room_size}
