"""Whether a series of measurements grows: Theil-Sen's slope after a warm-up, compared with an allowance. Pure."""

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

Sample = tuple[float, float]
"""Seconds since the beginning, and the value."""


class TooFew(ValueError):
    """A series has too few samples after its warm-up to be judged."""


@dataclass(frozen=True)
class Allowance:
    """How much a series may grow from the end of its warm-up to its end; the greater of the two counts.

    Attributes:
        share: Allowance as a share of the series' median.
        least: Allowance in the series' own unit, so that small numbers may vary.

    """

    share: float
    least: float


@dataclass(frozen=True)
class Trend:
    """The trend of a series.

    Attributes:
        slope_per_s: The median of the slopes of all pairs of samples, which outliers do not affect.
        growth: The growth at this slope over the time after the warm-up.
        allowed: The allowed growth.

    """

    slope_per_s: float
    growth: float
    allowed: float

    @property
    def is_growing(self) -> bool:
        """Whether the growth exceeds the allowance."""
        return self.growth > self.allowed


def trend(series: Sequence[Sample], *, warm_up_s: float, allowance: Allowance, at_least: int = 10) -> Trend:
    """Judge a series.

    Args:
        series: The samples, ordered by time.
        warm_up_s: Earlier samples are ignored, because caches fill and pools open.
        allowance: The allowed growth.
        at_least: Required number of samples after the warm-up, at least two.

    Raises:
        TooFew: There are fewer samples.

    """
    kept = [(at_s, value) for at_s, value in series if at_s >= warm_up_s]
    if len(kept) < max(2, at_least):
        raise TooFew(f"{len(kept)} samples after the warm-up, {max(2, at_least)} are needed")
    slope = statistics.median(
        (later - earlier) / (later_s - earlier_s)
        for (earlier_s, earlier), (later_s, later) in itertools.combinations(kept, 2)
        if later_s > earlier_s
    )
    allowed = max(allowance.least, allowance.share * statistics.median(value for _, value in kept))
    return Trend(slope, slope * (kept[-1][0] - kept[0][0]), allowed)
