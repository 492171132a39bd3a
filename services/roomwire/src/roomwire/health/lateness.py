"""Measures how late the event loop is, which delays everything in this process.

A timer that fires late says so without a look at what held it up: a handler that computes, a machine without CPU to spare, a
process that was stopped.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from roomwire.health.dependencies import Cause, Dependency

PERIOD_S: Final = 0.25
LATE_S: Final = 1.0
"""From how late on it is said, in seconds: as late as Redis may answer by default, so that links are lost for it."""


class Lateness:
    """Measures it.

    Args:
        dependency: Where it is noted whether it is late.
        count: Called with how late it was, in seconds, several times a second.
        pulse: Called each time as well.

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
