"""Least squares with non-negative coefficients, because no work costs less than nothing. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_SWEEPS: Final = 20_000
_SETTLED: Final = 1e-10


class TooLittle(ValueError):
    """There are too few observations to fit on: none of them contains one of the coefficients."""


@dataclass(frozen=True)
class Row:
    """One observation.

    Attributes:
        parts: The quantity of each coefficient's unit, by name; missing ones are 0.
        total: The measured total, in the coefficients' unit.
        weight: The weight of this row. Default: the same as any other.

    """

    parts: Mapping[str, float]
    total: float
    weight: float = 1.0


def fit(rows: Sequence[Row], names: Sequence[str]) -> dict[str, float]:
    """Return the coefficients, 0 or more, with the smallest sum of squared and weighted errors.

    Descends along one coefficient after another, which ends at the optimum because the problem is convex.

    Args:
        rows: The observations.
        names: The names of the coefficients.

    Raises:
        TooLittle: No row contains one of them.

    """
    scales = {name: max((abs(row.parts.get(name, 0.0)) for row in rows), default=0.0) for name in names}
    if missing := [name for name, scale in scales.items() if not scale]:
        raise TooLittle(f"nothing was observed of {', '.join(missing)}")
    columns = [[row.weight * row.parts.get(name, 0.0) / scales[name] for row in rows] for name in names]
    totals = [row.weight * row.total for row in rows]
    products = [[_dot(one, other) for other in columns] for one in columns]
    targets = [_dot(column, totals) for column in columns]
    values = [0.0] * len(names)
    for _ in range(_SWEEPS):
        moved = 0.0
        for number, line in enumerate(products):
            gradient = _dot(line, values) - targets[number]
            value = max(0.0, values[number] - gradient / line[number])
            moved = max(moved, abs(value - values[number]))
            values[number] = value
        if moved <= _SETTLED * max(values, default=0.0):
            break
    return {name: value / scales[name] for name, value in zip(names, values, strict=True)}


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
