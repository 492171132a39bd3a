"""Measures the lateness of the event loop, which delays everything in this process.

A late timer shows that something held up the loop: a handler that computes, a machine without spare CPU, or a process that was
stopped.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from roomwire.health.dependencies import Cause, Dependency

PERIOD_S: Final = 0.25
LATE_S: Final = 1.0
"""The lateness, in seconds, from which it is reported: the default timeout of Redis, beyond which links are lost."""


class Lateness:
    """Measures the event loop's lateness.

    Args:
        dependency: Notes whether the loop is late.
        count: Called several times a second with the lateness in seconds.
        pulse: Called at the same times.

    """

    def __init__(
        self, dependency: Dependency, *, count: Callable[[float], None], pulse: Callable[[], None]
    ) -> None:
        self._dependency = dependency
        self._count = count
        self._pulse = pulse

    async def measure(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + PERIOD_S
            await asyncio.sleep(PERIOD_S)
            late_s = max(0.0, loop.time() - due)
            self._count(late_s)
            self._pulse()
            if late_s >= LATE_S:
                self._dependency.is_down(Cause.LATE, f"the event loop was {late_s:.1f} s late")
            else:
                self._dependency.works()
