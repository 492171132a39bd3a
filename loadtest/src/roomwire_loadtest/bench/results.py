"""The results of a benchmark run, as they are kept in JSON, and the rules that judge a single point."""

import enum
import statistics
from pathlib import Path
from typing import Final

import msgspec

from roomwire_loadtest.kept import kept

KEPT_UP_SHARE: Final = 0.98
KEPT_UP_P99_MS: Final = 250.0
GENERATOR_LIMIT: Final = 0.90
SERVER_BUSY: Final = 0.90


class Verdict(enum.StrEnum):
    """The outcome of one rate."""

    HELD = "held"
    BEHIND = "behind"
    VOID = "void"


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at one rate. CPU figures are shares of a core."""

    row: str
    server: str
    round: int
    messages_per_s: float
    deliveries_per_s: float
    share: float
    p50_ms: float | None
    p99_ms: float | None
    generator_cpu: float
    server_cpu: float
    others_cpu: float
    verdict: Verdict


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one row for one server in one round; if `value` is None, the note says why."""

    row: str
    server: str
    round: int
    value: float | None
    at_least: bool = False
    note: str = ""
    generator_cpu: float = 0.0
    server_cpu: float = 0.0
    others_cpu: float = 0.0


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run."""

    date: str
    quick: bool
    rounds: int
    machine: dict[str, str]
    versions: dict[str, str]
    servers: dict[str, str]
    """A description of each server, by name."""
    nodes: list[str] = []
    """The servers that are several nodes with a Redis between them."""
    absent: dict[str, str]
    """Why a server could not be measured, by name."""
    figures: list[Figure]
    points: list[Point]

    def save(self, path: Path) -> None:
        """Write the run as JSON."""
        path.write_bytes(kept(self))

    @classmethod
    def load(cls, path: Path) -> "Run":
        """Read a run from JSON."""
        return msgspec.json.decode(path.read_bytes(), type=cls)

    def beside(self, row: str) -> list[str]:
        """Return the servers that a row compares, measured or not."""
        has_nodes = any(figure.row == row and figure.server in self.nodes for figure in self.figures)
        return [name for name in self.servers if (name in self.nodes) is has_nodes]

    def values(self, row: str, server: str) -> list[float]:
        """Return a row's values for a server, one per round."""
        return [
            figure.value
            for figure in self.figures
            if (figure.row, figure.server) == (row, server) and figure.value is not None
        ]

    def median(self, row: str, server: str) -> float | None:
        """Return the median of a row's values; None if there are none."""
        values = self.values(row, server)
        return statistics.median(values) if values else None

    def latency_ms(self, row: str, server: str, messages_per_s: float, percent: int) -> float | None:
        """Return the median over the rounds of p50 or p99 at a rate; None if most rounds did not keep up."""
        rounds: dict[int, float] = {}
        tried = set()
        for point in self.points:
            if (point.row, point.server, point.messages_per_s) == (row, server, messages_per_s):
                tried.add(point.round)
                value = point.p50_ms if percent == 50 else point.p99_ms  # noqa: PLR2004 - a name of it
                if point.verdict is Verdict.HELD and value is not None:
                    rounds[point.round] = value
        if not rounds or 2 * len(rounds) < len(tried):
            return None
        return statistics.median(rounds.values())

    def rates(self, row: str, server: str) -> list[float]:
        """Return the rates of a row that a server kept up with in most of the rounds that tried them."""
        tried = {point.messages_per_s for point in self.points if (point.row, point.server) == (row, server)}
        return sorted(rate for rate in tried if self.latency_ms(row, server, rate, 99) is not None)


def judge(*, share: float, p99_ms: float | None, generator_cpu: float, server_cpu: float) -> Verdict:
    """Return whether the server kept up with a rate, and if not, whether the server is to blame.

    A generator at its limit voids a point only if the server was not at its own limit: a server that was has failed.
    """
    if share >= KEPT_UP_SHARE and p99_ms is not None and p99_ms < KEPT_UP_P99_MS:
        return Verdict.HELD
    if generator_cpu > GENERATOR_LIMIT and server_cpu < SERVER_BUSY:
        return Verdict.VOID
    return Verdict.BEHIND
