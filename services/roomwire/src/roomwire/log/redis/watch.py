"""Reads the primary's own figures at heartbeats: its clock, its memory, its load.

The figures show whether Redis is the bottleneck, which clients cannot see from outside. They are for operators. If Redis does not
allow this user a command, that is logged once, and the log continues without it.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Final, cast

from roomwire.health.dependencies import Cause
from roomwire.log.redis.pair import Pair
from roomwire.logs import get_logger
from roomwire.metrics.gateway import Metrics
from roomwire.redis.link import LinkLost, ReplyError

_SECTIONS: Final = (b"memory", b"cpu", b"stats", b"clients")
_FIGURES: Final = frozenset(
    {
        "used_memory",
        "mem_not_counted_for_evict",
        "maxmemory",
        "used_cpu_sys",
        "used_cpu_user",
        "total_commands_processed",
        "connected_clients",
    }
)
_HAS_ROOM: Final = 0.98

_log = get_logger(__name__)


class Watch:
    """Reads the figures of the current primary.

    Args:
        metrics: Shows the figures.
        max_skew_s: Maximum difference between its clock and this process's, in seconds.

    """

    def __init__(self, *, metrics: Metrics, max_skew_s: float) -> None:
        self._metrics = metrics
        self._clock = metrics.clock("redis", max_skew_s=max_skew_s)
        self._refused: set[bytes] = set()

    def ask(self, pair: Pair) -> None:
        """Request its time and figures, without waiting for the answers."""
        asked_at = time.time()
        pair.bulk.command((b"TIME",), lambda value: self._take_time(value, asked_at))
        pair.bulk.command((b"INFO", *_SECTIONS), self._take_figures)

    def _take_time(self, value: object, asked_at: float) -> None:
        if self._is_answer(b"TIME", value):
            seconds, microseconds = (int(part) for part in cast("Sequence[bytes]", value))
            self._clock.compare(
                seconds + microseconds / 1_000_000, asked_at=asked_at, answered_at=time.time()
            )

    def _take_figures(self, value: object) -> None:
        if not self._is_answer(b"INFO", value):
            return
        figures = parse_figures(cast("bytes", value).decode())
        self._metrics.redis_figures.show(figures)
        used, most = figures.get("used_memory", 0.0), figures.get("maxmemory", 0.0)
        writes = self._metrics.redis_writes
        if most and used >= most:
            writes.is_down(Cause.FULL, f"{used:.0f} of {most:.0f} bytes of maxmemory are used")
        elif writes.cause is Cause.FULL and (not most or used < most * _HAS_ROOM):
            # There may be no writes for a while; this shows nevertheless that memory is available again.
            writes.works()

    def _is_answer(self, command: bytes, value: object) -> bool:
        if isinstance(value, ReplyError):
            if command not in self._refused:
                self._refused.add(command)
                _log.warning("redis not watched", command=command.decode(), error=str(value))
            return False
        return not isinstance(value, LinkLost)


def parse_figures(info: str) -> Mapping[str, float]:
    """Return the shown figures from an answer to INFO; memory excludes what does not count against the limit."""
    pairs = (line.split(":", 1) for line in info.splitlines() if ":" in line)
    figures = {name: float(value) for name, value in pairs if name in _FIGURES}
    if "used_memory" in figures:
        figures["used_memory"] -= figures.get("mem_not_counted_for_evict", 0.0)
    return figures
