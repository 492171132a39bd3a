"""What the primary says of itself, asked at heartbeats: its clock, its memory, its work.

Answers a question that its clients cannot answer from outside: whether it is Redis. Everything here is for people; what a Redis
does not let this user ask is said once, and the log goes on without it.
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
    """Asks the primary of the day.

    Args:
        metrics: Where it is shown.
        max_skew_s: How far its clock may differ from ours, in seconds.

    """

    def __init__(self, *, metrics: Metrics, max_skew_s: float) -> None:
        self._metrics = metrics
        self._clock = metrics.clock("redis", max_skew_s=max_skew_s)
        self._refused: set[bytes] = set()

    def ask(self, pair: Pair) -> None:
        """Ask for its time and figures; the answers come when they come."""
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
            # Nobody may say anything for a while: that there is room again shows all the same.
            writes.works()

    def _is_answer(self, command: bytes, value: object) -> bool:
        if isinstance(value, ReplyError):
            if command not in self._refused:
                self._refused.add(command)
                _log.warning("redis not watched", command=command.decode(), error=str(value))
            return False
        return not isinstance(value, LinkLost)


def parse_figures(info: str) -> Mapping[str, float]:
    """Return the figures that are shown, from an answer to INFO; memory without what does not count against the limit."""
    pairs = (line.split(":", 1) for line in info.splitlines() if ":" in line)
    figures = {name: float(value) for name, value in pairs if name in _FIGURES}
    if "used_memory" in figures:
        figures["used_memory"] -= figures.get("mem_not_counted_for_evict", 0.0)
    return figures
