"""Finds the highest rate that is kept up with, in few attempts. Pure: the attempt is a function argument."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from roomwire_loadtest.bench.results import Verdict

Attempt = Callable[[float, bool], Verdict]
"""Tries a rate; the flag says whether to confirm it, that is, hold it for longer."""

_R10: Final = (1.0, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 6.4, 8.0)


@dataclass(frozen=True)
class Summit:
    """The highest rate; `at_least` if the server might do more, but the ladder or the generator ends there."""

    rate: float | None
    at_least: bool


def rungs(lowest: float, highest: float) -> list[float]:
    """Return the rates between two bounds in the series R10 (ten per decade, rounded)."""
    decades = [step * 10.0**exponent for exponent in range(1, 8) for step in _R10]
    return [rate for rate in decades if lowest <= rate <= highest]


def climb(steps: Sequence[float], landmarks: Sequence[float], attempt: Attempt) -> Summit:
    """Try the landmarks upwards; then bisect the steps between the last one that held and the first that did not.

    The summit is then confirmed, if necessary one step lower, at most three times.

    Args:
        steps: All rates, ascending.
        landmarks: The steps that are always tried, until one does not hold.
        attempt: Tries a rate.

    """
    verdicts: dict[float, Verdict] = {}
    good, bad = -1, len(steps)
    for rate in landmarks:
        verdicts[rate] = attempt(rate, False)  # noqa: FBT003 - see Attempt
        if verdicts[rate] is not Verdict.HELD:
            bad = steps.index(rate)
            break
        good = steps.index(rate)
    while bad - good > 1:
        middle = (good + bad) // 2
        verdicts[steps[middle]] = attempt(steps[middle], False)  # noqa: FBT003 - see Attempt
        if verdicts[steps[middle]] is Verdict.HELD:
            good = middle
        else:
            bad = middle
    for _ in range(3):
        if good < 0:
            break
        verdict = attempt(steps[good], True)  # noqa: FBT003 - see Attempt
        if verdict is Verdict.HELD:
            beyond = verdicts.get(steps[bad]) if bad < len(steps) else Verdict.VOID
            return Summit(steps[good], at_least=beyond is Verdict.VOID)
        bad, good = good, good - 1
        verdicts[steps[bad]] = verdict
    return Summit(steps[good] if good >= 0 else None, at_least=False)
