"""Names the clients of a listener that are refused over HTTP, with a bounded number of lines.

A stranger is refused as often as it likes, so a line for each refusal would be a cost that the stranger chooses. For each reason
there is one line, with the address that was refused last, and then none for `PAUSE_S`. The next line states how many were refused
since. Its neighbour `roomwire.metrics.http` counts each refusal.
"""

import time
from collections.abc import Callable
from typing import Final

from roomwire.logs import get_logger
from roomwire.serving.http_refusals import HttpRefusal

PAUSE_S: Final = 10.0

_log = get_logger(__name__)


class RefusalLog:
    """Writes the lines of one listener.

    Args:
        clock: Monotonic seconds.

    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._quiet_until: dict[HttpRefusal, float] = {}
        self._refused: dict[HttpRefusal, int] = {}

    def note(self, refusal: HttpRefusal, address: str) -> None:
        """Note that a client was refused; write a line unless one was written lately for the same reason."""
        refused = self._refused.get(refusal, 0) + 1
        now = self._clock()
        if now < self._quiet_until.get(refusal, now):
            self._refused[refusal] = refused
            return
        self._refused[refusal] = 0
        self._quiet_until[refusal] = now + PAUSE_S
        _log.info("http refused", reason=refusal.value, address=address, number=refused)
