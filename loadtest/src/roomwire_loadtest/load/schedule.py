"""When users send messages: at times that do not depend on how fast they are served (open loop).

Pure: it uses no clock. A late message keeps the time at which it was due, so a server that stalls shows
in the latencies of all messages that were due meanwhile, and not only in those of the few that were in flight.
"""

from collections.abc import Iterator


def due_times(start_s: float, *, rate_hz: float, phase: float, end_s: float) -> Iterator[float]:
    """Yield the times, in seconds, at which one user's messages are due.

    Args:
        start_s: The time at which the user begins.
        rate_hz: Messages per second; 0 for none.
        phase: The position of the first message in its period, from 0 to 1, so that users do not send all at once.
        end_s: The time from which no message is due.

    """
    if rate_hz <= 0:
        return
    number = 0
    while (due_s := start_s + (phase + number) / rate_hz) < end_s:
        yield due_s
        number += 1
