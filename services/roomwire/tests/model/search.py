"""Looking for schedules that break a guarantee, and making them short."""

from typing import NamedTuple

from model.rules import BOUND, Bias, Rule
from model.schedule import Schedule


class Caught(NamedTuple):
    """A bug was caught after so many schedules, by these kinds of violations."""

    schedules: int
    kinds: str


def first_caught(rule: Rule) -> Caught | None:
    """Leave a rule out and look for its first victim."""
    for seed in range(BOUND):
        kinds = kinds_of(seed, frozenset({rule.bug}), rule.bias)
        if kinds:
            return Caught(seed + 1, ", ".join(sorted(kinds)))
    return None


def kinds_of(seed: int, bugs: frozenset[str], bias: Bias, steps: int | None = None) -> set[str]:
    """Return the kinds of violations that a schedule ends with."""
    return {violation.kind for violation in Schedule(seed, bugs, bias, steps).run().violations}


def shortest(seed: int, bugs: frozenset[str], bias: Bias) -> int:
    """Return the least number of steps of trouble after which the schedule still fails in the same way."""
    steps = Schedule(seed, bugs, bias).steps
    kinds = kinds_of(seed, bugs, bias)
    if not kinds:
        return steps
    return next((fewer for fewer in range(1, steps) if kinds & kinds_of(seed, bugs, bias, fewer)), steps)
