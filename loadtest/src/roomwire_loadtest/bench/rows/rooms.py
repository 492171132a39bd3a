"""The rows with messages to rooms: the climb to the highest rate that a server keeps up with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from roomwire_loadtest.bench.results import KEPT_UP_P99_MS, Figure, Point, Verdict, judge
from roomwire_loadtest.bench.rows.ladder import climb, rungs
from roomwire_loadtest.bench.rows.trial import Found, Trial, connect
from roomwire_loadtest.bench.servers.kinds import Absent, started
from roomwire_loadtest.generator.crowd import Burst, Crowd, Speaker
from roomwire_loadtest.usage import Usage

_SETTLE_S: Final = 6.0
_HAD_TIME_LEFT: Final = 0.75
_TRIES: Final = 2
"""How often a rate is tried at which a server falls behind although it had time left: other work disturbed it."""
_WARM_UPS: Final = 3
_WARM_UP_S: Final = 0.8
_RENEWALS: Final = 3
_STRIDE: Final = 7
"""Senders take turns in strides, so that neighbours are in different rooms."""


@dataclass(frozen=True)
class Rooms:
    """A row with messages to rooms.

    Args:
        name: The row's name.
        clients: The number of clients.
        room_size: The number of clients in each room.
        sampled: One of this many clients reports its latencies.
        landmarks: Rates in messages/s that every server is tried at, until it does not keep up.
        lowest: The lowest rate of the ladder.
        in_deliveries: Whether its figure is in deliveries/s instead of messages/s.

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
        stage = Stage(self, trial)
        try:
            stage.warm_up()

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


class Stage:
    """A server with a crowd in rooms; both are replaced after an attempt that affects later ones."""

    def __init__(self, rooms: Rooms, trial: Trial) -> None:
        self._rooms = rooms
        self._trial = trial
        self._held = {rooms.lowest, rooms.landmarks[0]}
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

    def warm_up(self) -> None:
        """Let a server that compiles at run time do so: at the rates that it has held so far, or the lowest ones."""
        for rate in sorted(self._held)[-_WARM_UPS:]:
            if self._is_settled():
                self._offer(rate, _WARM_UP_S)

    def _is_settled(self) -> bool:
        return self._crowd is not None and self._crowd.settle(_SETTLE_S)

    def _offer(self, rate: float, seconds: float) -> Burst:
        if self._crowd is None:
            raise RuntimeError("the stage is closed")
        return self._crowd.offer(
            self._speakers, self._rooms.room_size, rate, seconds, grace_s=KEPT_UP_P99_MS / 1_000
        )

    def _renew(self) -> None:
        """Start again, because the last attempt left a backlog or broken connections."""
        for _ in range(_RENEWALS):
            self.close()
            self._open()
            self.warm_up()
            if self._is_settled():
                return
        raise Absent("it does not come to rest after a warm-up")

    def point(self, rate: float, seconds: float) -> Point:
        """Offer a rate and judge the result."""
        if not self._is_settled():
            self._renew()
        usage = Usage(self.running.process)
        burst = self._offer(rate, seconds)
        generator, server, others = usage.shares()
        p99 = burst.latency_ms(0.99)
        verdict = judge(share=burst.share, p99_ms=p99, generator_cpu=generator, server_cpu=server)
        if verdict is Verdict.HELD:
            self._held.add(rate)
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
        """End the server and close the connections; idempotent."""
        if self._crowd is not None:
            self._crowd.close()
            self._crowd = None
        self._context.__exit__(None, None, None)


def describe(point: Point) -> str:
    """Return a line for the console."""
    p99 = "  late" if point.p99_ms is None else f"{point.p99_ms:6.1f}"
    return (
        f"{point.messages_per_s:>9,.1f} messages/s {point.deliveries_per_s:>11,.0f} deliveries/s "
        f"{point.share:7.1%} arrived, p99 {p99} ms, CPU: generator {point.generator_cpu:4.0%}, "
        f"server {point.server_cpu:4.0%}, others {point.others_cpu:4.0%}: {point.verdict}"
    )


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
NODES_FAN_OUT: Final = Rooms(
    name="nodes-fan-out",
    clients=500,
    room_size=500,
    sampled=20,
    landmarks=[20, 50, 200, 1_000, 2_000, 4_000],
    lowest=10,
    in_deliveries=True,
)
NODES_ROOMS: Final = Rooms(
    name="nodes-rooms",
    clients=1_000,
    room_size=10,
    sampled=4,
    landmarks=[500, 1_000, 2_000, 5_000, 10_000, 20_000],
    lowest=100,
)
FIXED: Final = {
    "fan-out": [200.0, 1_000.0, 2_000.0, 4_000.0],
    "rooms": [5_000.0, 10_000.0, 20_000.0],
    "nodes-fan-out": [50.0, 200.0, 1_000.0],
    "nodes-rooms": [1_000.0, 2_000.0, 5_000.0],
}
"""The rates, in messages/s, at which latencies are compared."""

ROOM_SIZES: Final = {
    rooms.name: rooms.room_size for rooms in (FAN_OUT, ROOMS_OF_TEN, NODES_FAN_OUT, NODES_ROOMS)
}
