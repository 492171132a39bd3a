"""The guard of the primary's memory, as one gateway sees it: its state, its figures, and what it refused.

The scripts count and refuse (`roomwire.log.guard`). This module asks at each heartbeat, and each second while memory is scarce, for
what is held (`recount.lua`), tells publishers how much a room may store, and reports the state: to metrics, to `/readyz` as the
dependency `redis_memory`, and to the log.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from roomwire.health.dependencies import Cause
from roomwire.log.config import LogConfig
from roomwire.log.errors import LogCrowded
from roomwire.log.guard import MAX_STREAM_BYTES, Level, stream_bytes
from roomwire.log.redis.keys import Keys
from roomwire.log.redis.pair import Pair
from roomwire.log.redis.replies import recount_reply
from roomwire.log.redis.scripts import Scripts
from roomwire.logs import get_logger
from roomwire.metrics.gateway import Metrics
from roomwire.redis.link import LinkLost, ReplyError

_MOST_LOOKS: Final = 1_000
_SOON_S: Final = 1.0
_SCARCE: Final = 0.5
_QUIET_S: Final = 10.0

_log = get_logger(__name__)


class NoGuard:
    """Counts and refuses nothing: for emitters, whose rights do not suffice and which are services."""

    limits = ""
    stream_bytes = MAX_STREAM_BYTES

    def refused(self, what: str) -> LogCrowded:
        """Return the error."""
        return LogCrowded(what)


class Guard:
    """Knows the state of the primary's memory.

    Args:
        keys: Names of keys.
        scripts: The scripts that run on the primary.
        config: The marks, and the times.
        metrics: Shows the figures.
        clock: Monotonic seconds.

    Attributes:
        limits: The text that the scripts read.
        stream_bytes: Approximate maximum size of the messages that a room stores at the present level.
        level: The present level.

    """

    def __init__(
        self,
        *,
        keys: Keys,
        scripts: Scripts,
        config: LogConfig,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._script = scripts.recount
        self._config = config.guard
        self.limits = config.guard.limits(int(config.session_ttl_s * 1000))
        self.level = Level.AMPLE
        self.stream_bytes = stream_bytes(self.level)
        self._figures = metrics.guard_figures
        self._memory = metrics.dependencies.add("redis_memory")
        self._clock = clock
        self._told_at = float("-inf")
        self._untold = 0
        self._timer: asyncio.TimerHandle | None = None
        self._has_failed = False
        self._is_measured = True

    def ask(self, pair: Pair) -> None:
        """Count anew what is held, without waiting for the answer."""
        self.close()

        def answered(value: object) -> None:
            if isinstance(value, ReplyError):
                if not self._has_failed:
                    self._has_failed = True
                    _log.warning("redis memory not guarded", error=str(value))
            elif not isinstance(value, LinkLost):
                self._take(pair, value)

        arguments = (b"", self._keys.prefix, self.limits, _MOST_LOOKS)
        pair.bulk.call(self._script, [self._keys.log], arguments, answered)

    def close(self) -> None:
        """Ask no more; idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def refused(self, what: str) -> LogCrowded:
        """Note that the primary refused a session, a join or a room, and return the error."""
        self._figures.count_refused(what)
        self._untold += 1
        if self._clock() - self._told_at >= _QUIET_S:
            self._told_at = self._clock()
            _log.warning(
                "redis guard refuses", what=what, memory=self.level.name.lower(), refused=self._untold
            )
            self._untold = 0
        return LogCrowded(what)

    def _tell_unmeasured(self, *, is_measured: bool) -> None:
        if self._is_measured and not is_measured:
            _log.warning("redis log not bounded", missing="the right +memory|usage")
        self._is_measured = is_measured

    def _take(self, pair: Pair, value: object) -> None:
        report, has_more = recount_reply(value)
        self._has_failed = False
        self.level = self._config.level(report.used_bytes, report.max_bytes)
        self.stream_bytes = stream_bytes(self.level)
        self._figures.show(
            {
                each.value: (one.sessions, one.joined, one.rooms, one.history_bytes)
                for each, one in report.classes.items()
            },
            level=self.level,
            evicted=report.evicted,
            unkept=report.unkept,
            log_bytes=report.log_bytes,
            log_max_bytes=report.log_max_bytes,
            emptied=report.emptied,
        )
        self._tell_unmeasured(is_measured=report.log_bytes is not None)
        if self.level is Level.AMPLE:
            self._memory.works()
        else:
            used = f"{report.used_bytes} of {report.max_bytes} bytes of maxmemory are used"
            self._memory.is_down(Cause.NEARLY_FULL, used)
        if has_more or report.used_bytes > _SCARCE * report.max_bytes > 0:
            pause_s = 0.0 if has_more else _SOON_S
            self._timer = asyncio.get_running_loop().call_later(pause_s, self.ask, pair)
