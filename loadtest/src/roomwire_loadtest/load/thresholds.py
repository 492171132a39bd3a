"""A run's thresholds, read from a TOML file, and how a run compares with them. Pure."""

import tomllib
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Final

from roomwire_loadtest.faults.oracle import COUNTS

TIMES: Final = tuple(f"{what}_p{share}_ms" for what in ("connect", "delivery", "ack") for share in (50, 99))
FAILURES: Final = (
    "failed_logins",
    "failed_messages",
    "failed_joins",
    "failed_renewals",
    "refused_connects",
    "failed_connects",
    "dismissed",
)
NAMES: Final = (*COUNTS, *TIMES, *FAILURES)
"""The names of all thresholds."""


class Outcome(IntEnum):
    """The outcome of a run; its value is the exit code."""

    KEPT = 0
    BROKEN = 1
    VOID = 3


class WrongThresholds(ValueError):
    """The file names an unknown threshold, or a value that is not a number from 0 on."""


def read(path: Path) -> dict[str, float]:
    """Return the thresholds of a file; raises WrongThresholds, `OSError` or `tomllib.TOMLDecodeError`."""
    with path.open("rb") as file:
        values = tomllib.load(file)
    for name, value in values.items():
        if name not in NAMES:
            raise WrongThresholds(f"{name}: no such threshold. There are {', '.join(NAMES)}.")
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise WrongThresholds(f"{name}: a number from 0 on, not {value!r}.")
    return {name: float(value) for name, value in values.items()}


def broken(thresholds: Mapping[str, float], measured: Mapping[str, float]) -> list[str]:
    """Return a sentence for each threshold that was exceeded; one without a measurement counts as exceeded."""
    sentences = []
    for name, most in thresholds.items():
        value = measured.get(name)
        if value is None:
            sentences.append(f"{name}: nothing was measured, {most:g} allowed")
        elif value > most:
            sentences.append(f"{name}: {value:g}, {most:g} allowed")
    return sentences


def outcome(*, void: Sequence[str], breaches: Sequence[str]) -> Outcome:
    """Return the outcome of a run: an inconclusive run neither passes nor fails."""
    if void:
        return Outcome.VOID
    return Outcome.BROKEN if breaches else Outcome.KEPT
