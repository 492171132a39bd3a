"""Counters and histograms for hot paths: a few additions per event, exported when Prometheus scrapes."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Tally(Collector):
    """A counter with one label for hot paths: one addition per event, exported when scraped. Not thread-safe.

    Args:
        name: The metric's name, `_total` included.
        documentation: The metric's description.
        label: The label's name.
        values: The label's values that are exported before anything is counted: a rate needs a sample before the first event.

    """

    def __init__(self, name: str, documentation: str, label: str, *, values: Iterable[str] = ()) -> None:
        self._about = (name, documentation)
        self._label = label
        self._counts: dict[str, int] = dict.fromkeys(values, 0)

    def count(self, value: str, number: int = 1) -> None:
        """Count one event, or several, with a value of the label: hot."""
        self._counts[value] = self._counts.get(value, 0) + number

    def collect(self) -> Iterator[Metric]:
        """Yield the counts; called by prometheus-client."""
        family = CounterMetricFamily(*self._about, labels=[self._label])
        for value, number in self._counts.items():
            family.add_metric([value], number)
        yield family


class Seconds(Collector):
    """A histogram of times for hot paths: a few additions per event, exported when scraped. Not thread-safe.

    Args:
        name: The metric's name.
        documentation: The metric's description.

    """

    def __init__(self, name: str, documentation: str) -> None:
        self._about = (name, documentation)
        self._buckets = [0] * (len(_SECONDS) + 1)
        self._sum = 0.0

    def count(self, seconds: float) -> None:
        """Count one duration: hot."""
        self._buckets[bisect_left(_SECONDS, seconds)] += 1
        self._sum += seconds

    def collect(self) -> Iterator[Metric]:
        """Yield the histogram; called by prometheus-client."""
        bounds = [*(str(bound) for bound in _SECONDS), "+Inf"]
        buckets = list(zip(bounds, accumulate(self._buckets), strict=True))
        yield HistogramMetricFamily(*self._about, buckets=buckets, sum_value=self._sum)


class Events(Collector):
    """Counts events of clients and their times with a few additions per event; exported when scraped."""

    def __init__(self) -> None:
        self._outcomes = Tally(
            "roomwire_events_total",
            "Events received from clients by outcome: ok, or the code of the error.",
            "outcome",
            values=("ok", "unavailable", "internal"),
        )
        self._seconds = Seconds(
            "roomwire_event_seconds", "Time from the start of handling an event to its ack."
        )

    def count(self, outcome: str, seconds: float) -> None:
        """Count an event: hot.

        Args:
            outcome: `ok`, or the code of the error.
            seconds: The time from the start of handling to the ack.

        """
        self._outcomes.count(outcome)
        self._seconds.count(seconds)

    def collect(self) -> Iterator[Metric]:
        """Yield the counts and times; called by prometheus-client."""
        yield from self._outcomes.collect()
        yield from self._seconds.collect()
