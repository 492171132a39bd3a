"""Distributions of room sizes: a few sizes, each with its share of the rooms. Pure."""

import itertools
import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Annotated, Final

import msgspec

_CELLS: Final = 120
"""The number of representative sizes. Their steps grow with the size, so that each represents similar sizes."""
_P99: Final = NormalDist().inv_cdf(0.99)

Size = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
Share = tuple[float, float]
"""A size, and the share of the rooms with it."""


class Fixed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="fixed"):
    """All rooms have the same size."""

    size: Size

    def shares(self) -> list[Share]:
        """Return sizes, each with its share of the rooms."""
        return [(float(self.size), 1.0)]


class Uniform(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="uniform"):
    """All sizes between two bounds are equally frequent."""

    smallest: Size
    largest: Size

    def shares(self) -> list[Share]:
        """See `Fixed`."""
        return _shares(self.smallest, self.largest, lambda size: size)


class Zipf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="zipf"):
    """The frequency of a size is the size to the power of minus the exponent: most rooms are small, and a few are very large."""

    exponent: Annotated[float, msgspec.Meta(gt=0, le=10)]
    largest: Size
    smallest: Size = 1

    def shares(self) -> list[Share]:
        """See `Fixed`."""
        power = 1 - self.exponent
        return _shares(
            self.smallest, self.largest, lambda size: math.log(size) if power == 0 else size**power / power
        )


class LogNormal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="lognormal"):
    """Half of the rooms are smaller than the median, and one in a hundred is larger than `p99`."""

    median: Annotated[float, msgspec.Meta(ge=1)]
    p99: Annotated[float, msgspec.Meta(gt=1)]
    largest: Size

    def __post_init__(self) -> None:
        if self.p99 <= self.median:
            raise ValueError("p99 has to be above the median")

    def shares(self) -> list[Share]:
        """See `Fixed`."""
        logs = NormalDist(math.log(self.median), math.log(self.p99 / self.median) / _P99)
        return _shares(1, self.largest, lambda size: logs.cdf(math.log(size)))


Sizes = Fixed | Uniform | Zipf | LogNormal


def _shares(smallest: int, largest: int, cumulated: Callable[[float], float]) -> list[Share]:
    """Cut sizes into cells with growing integer bounds, and weigh each by the difference of the cumulative distribution."""
    if largest < smallest:
        raise ValueError("the largest size is below the smallest")
    steps = (largest + 1) / smallest
    bounds = sorted({round(smallest * steps ** (cell / _CELLS)) for cell in range(_CELLS + 1)})
    cells = list(itertools.pairwise(bounds))
    # From half below to half above, because sizes are integers.
    weights = [cumulated(above - 0.5) - cumulated(below - 0.5) for below, above in cells]
    total = sum(weights)
    middles = [math.sqrt(below * (above - 1)) for below, above in cells]
    return [(middle, weight / total) for middle, weight in zip(middles, weights, strict=True) if weight > 0]


def mean(shares: list[Share]) -> float:
    """Return the mean size of a room."""
    return sum(size * share for size, share in shares)


def spread(size: float, gateways: float) -> float:
    """Return the number of gateways with members of a room, if each member is on any of them with equal probability.

    It grows with both arguments, never exceeds either, and is the number of pushes of a message.
    """
    if gateways <= 1:
        return min(1.0, size)
    return -gateways * math.expm1(size * math.log1p(-1 / gateways))
