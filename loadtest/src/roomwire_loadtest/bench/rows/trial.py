"""One server, one round, one row: the input of every row, and its result."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from roomwire_loadtest.bench.results import Figure, Point
from roomwire_loadtest.bench.servers.kinds import Kind, Running
from roomwire_loadtest.generator.links import Link, Opening, open_links, openings

UNDER_WAY: Final = 50
"""Connections that are opened concurrently."""


@dataclass(frozen=True)
class Effort:
    """The sizes and durations of a run."""

    probe_s: float
    confirm_s: float
    echo_s: float
    connections: int
    upgrades: int
    idle_connections: int
    kept_connections: int
    recovered: int
    rest_s: float
    idle_s: float
    """Duration of the idle measurement; 0 skips it."""


FULL: Final = Effort(
    probe_s=2.0,
    confirm_s=3.0,
    echo_s=3.0,
    connections=3_000,
    upgrades=2_000,
    idle_connections=8_000,
    kept_connections=5_000,
    recovered=2_000,
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
    recovered=500,
    rest_s=1.5,
    idle_s=0.0,
)


@dataclass(frozen=True)
class Found:
    """The results of a row for a server in a round."""

    figures: list[Figure]
    points: list[Point]


@dataclass(frozen=True)
class Trial:
    """One server, one round, one row.

    Args:
        kind: The server.
        round: The number of the round.
        core: The server's core.
        effort: The sizes and durations.
        tell: Reports progress to the console.

    """

    kind: Kind
    round: int
    core: int
    effort: Effort
    tell: Callable[[str], None]


def connect(running: Running, rooms: Sequence[str | None], under_way: int = UNDER_WAY) -> list[Link]:
    """Open a WebSocket for each room, and join it."""
    return open_links(
        openings(running.ports, running.kind.dialect, rooms), Opening.websocket, under_way=under_way
    )
