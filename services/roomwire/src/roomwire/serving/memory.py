"""Watches the memory of a process: measures it, and does what the guard decides (`roomwire.limits.memory`).

The memory is measured ten times a second, and at once when clients hold much more than at the last measurement. Each closed
connection is counted as the bound `held_bytes` and named in a log line.

Memory that is free but that the C library keeps for itself counts as used. It is returned to the system once a second near the
limit, and once after clients have dropped much, so that the next attack does not begin where the last one ended. That takes about
18 milliseconds where 230 MB are free, and less than one where nothing is.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from roomwire.health.dependencies import Cause, Dependency
from roomwire.health.memory import MemoryUse, release_free_memory
from roomwire.limits.accounts import Account, Accounts
from roomwire.limits.memory import FREED_S, MemoryGuard
from roomwire.logs import get_logger
from roomwire.metrics.memory import MemoryMetrics

PERIOD_S: Final = 0.1
_TRIM_PERIOD_S: Final = 1.0
_MUCH: Final = 1 / 32
"""The part of the limit that clients must have dropped before free memory is returned."""
_MAX_LINES: Final = 10
"""The maximum number of closed connections that are named after one measurement."""

_log = get_logger(__name__)


class MemoryWatch:
    """Keeps one process below its limit.

    Args:
        accounts: What its clients hold.
        limit_bytes: The memory that the process may use.
        guests_share: The part of what clients may hold that all guests together may hold.
        metrics: Shows the limit and the use.
        dependency: Notes that sessions are refused.
        give_up: Called once, when the use has stayed near the limit although no client holds it.
        use: Measures the memory.
        release: Returns free memory to the system. Default: the C library's way.

    """

    def __init__(
        self,
        accounts: Accounts,
        *,
        limit_bytes: int,
        guests_share: float,
        metrics: MemoryMetrics,
        dependency: Dependency,
        give_up: Callable[[], None],
        use: MemoryUse,
        release: Callable[[], None] = release_free_memory,
    ) -> None:
        self._accounts = accounts
        self._guard = MemoryGuard(accounts, limit_bytes=limit_bytes, guests_share=guests_share)
        self._metrics = metrics
        self._dependency = dependency
        self._give_up = give_up
        self._use = use
        self._release = release
        self._trimmed_at = float("-inf")
        self._dropped_at: float | None = None
        self._most_held_bytes = 0
        self._is_due = False
        self._is_leak_told = False
        metrics.limit_bytes.set(limit_bytes)

    async def measure(self) -> None:
        """Watch until cancelled."""
        used = self._use.bytes()
        if used is None or used >= self._guard.limit_bytes:
            _log.warning("memory not guarded", used_bytes=used, limit_bytes=self._guard.limit_bytes)
            return
        self._guard.begin(used)
        self._accounts.grown = self._has_grown
        try:
            while True:
                self._look()
                await asyncio.sleep(PERIOD_S)
        finally:
            self._accounts.grown = lambda: None
            self._accounts.is_refusing = self._accounts.is_exhausted = False

    def _has_grown(self) -> None:
        """Judge now, and close at the end of this turn: a connection must not be closed in the middle of its own code."""
        now = asyncio.get_running_loop().time()
        self._guard.judge(self._use.bytes() or 0, now)
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self._is_due = False
        now = asyncio.get_running_loop().time()
        used = self._use.bytes() or 0
        is_needed = self._guard.is_near(used) or self._accounts.is_refusing or self._has_dropped_much(now)
        if is_needed and now - self._trimmed_at >= _TRIM_PERIOD_S:
            self._trimmed_at, self._dropped_at = now, None
            self._release()
            used = self._use.bytes() or 0
        self._metrics.used_bytes.set(used)
        self._close(self._guard.look(used, now), used)
        if self._accounts.is_refusing:
            self._dependency.is_down(Cause.FULL, "new sessions are refused: the memory is nearly exhausted")
        else:
            self._dependency.works()
        self._tell_of_leak(used)

    def _has_dropped_much(self, now: float) -> bool:
        """Return whether clients have dropped much, long enough ago that it is free by now."""
        held = self._accounts.total.held_bytes
        if self._most_held_bytes - held > _MUCH * self._guard.limit_bytes:
            self._most_held_bytes, self._dropped_at = held, now
        self._most_held_bytes = max(self._most_held_bytes, held)
        return self._dropped_at is not None and now - self._dropped_at >= FREED_S

    def _close(self, holders: Sequence[Account], used: int) -> None:
        for number, one in enumerate(holders):
            if number < _MAX_LINES:
                _log.warning(
                    "connection closed: held too much",
                    sid=one.sid,
                    user=one.user,
                    client_class=one.client_class.value,
                    held_bytes=one.held_bytes,
                    used_bytes=used,
                )
            one.cut()
        if len(holders) > _MAX_LINES:
            _log.warning("connections closed: held too much", connections=len(holders), used_bytes=used)

    def _tell_of_leak(self, used: int) -> None:
        if self._guard.is_leaking and not self._is_leak_told:
            _log.error(
                "memory used that no client holds",
                used_bytes=used,
                limit_bytes=self._guard.limit_bytes,
                held_bytes=self._accounts.total.held_bytes,
            )
        self._is_leak_told = self._guard.is_leaking
        if self._guard.has_given_up:
            _log.error("memory exhausted: the process ends", used_bytes=used)
            self._give_up()
