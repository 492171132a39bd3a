"""When people speak: at times that do not depend on how fast they are served (open loop).

Pure: it knows no clock. What is late keeps the time at which it was due, so that a server that stands still shows
in the latencies of all that was due meanwhile, and not only in those of the few that were under way.
"""

from collections.abc import Iterator


def due_times(start_s: float, *, rate_hz: float, phase: float, end_s: float) -> Iterator[float]:
    """Yield the seconds at which one person's messages are due.

    Args:
        start_s: When the person begins.
        rate_hz: Messages a second; 0: none.
        phase: Where in the first period the first is due, from 0 to 1, so that not all speak at once.
        end_s: Nothing is due from then on.

    """
    if rate_hz <= 0:
        return
    number = 0
    while (due_s := start_s + (phase + number) / rate_hz) < end_s:
        yield due_s
        number += 1
