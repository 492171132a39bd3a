"""The choice of streams whose size the primary measures. Pure.

A stream is measured after some of its publishes only, so that small messages cost nothing. The distances in bytes between two
measurements have the distribution of a random process without memory: a stream is measured as often as it grows by `MEAN_BYTES`,
on average, and no order of publishes avoids it.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from roomwire.log.streams import Stream

MEAN_BYTES: Final = 131_072


class Written(Protocol):
    """A publish: its stream and its message."""

    stream: Stream
    blob: bytes


class Sample:
    """Chooses among publishes.

    Args:
        distance: Returns the distance to the next measurement, in bytes.

    """

    def __init__(self, distance: Callable[[], float] | None = None) -> None:
        self._distance = distance or _random_distance
        self._left = self._distance()

    def take(self, publishes: Iterable[Written], size: int) -> Sequence[Stream]:
        """Return the streams to measure after these publishes, each once: hot.

        Args:
            publishes: In order.
            size: Their size, or more.

        """
        if size < self._left:
            self._left -= size
            return ()
        chosen: dict[Stream, None] = {}
        for publish in publishes:
            self._left -= len(publish.blob)
            if self._left <= 0:
                chosen[publish.stream] = None
                self._left = self._distance()
        return list(chosen)


def _random_distance() -> float:
    return random.expovariate(1 / MEAN_BYTES)
