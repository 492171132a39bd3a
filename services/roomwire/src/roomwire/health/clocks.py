"""Measures the difference between this process's clock and the clocks of its dependencies.

Tokens carry the issuer's time, and data in Redis carries the time of Redis. If a clock is wrong, tokens are
refused without any visible reason. Therefore each answer that carries a time is compared with our own clock, and a difference is
reported like a dependency that does not work. Nothing here corrects a clock.
"""

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

from roomwire.health.dependencies import Cause, Dependency

LEEWAY_S: Final = 60.0
"""The difference, in seconds, up to which tokens are accepted; Spring Security, Nimbus and go-jose allow the same. With
less than 30, users are refused because a virtual machine's clock is late after a suspension; RFC 7519, section 4.1.4, allows a few
minutes."""
MAX_SKEW_S: Final = 5.0
"""The difference, in seconds, from which it is reported: synchronized machines are within a tenth of a second, the `Date` of
an HTTP answer is exact to one or two, and tokens are accepted up to the leeway."""
_DATE_PRECISION_S: Final = 1.0


class Clock:
    """Compares another clock with ours.

    Args:
        dependency: Notes whether the clocks agree.
        show: Called with the number of seconds by which the other clock is ahead of ours.
        max_skew_s: Maximum difference. Default: `MAX_SKEW_S`.

    """

    def __init__(
        self, dependency: Dependency, *, show: Callable[[float], None], max_skew_s: float = MAX_SKEW_S
    ) -> None:
        self._dependency = dependency
        self._show = show
        self._max_skew_s = max_skew_s

    def compare(
        self, theirs: float, *, asked_at: float, answered_at: float, precision_s: float = 0.0
    ) -> None:
        """Compare our clock with the time in an answer.

        Args:
            theirs: Seconds since 1970, by the other clock.
            asked_at: The time of the request, by our clock.
            answered_at: The time of the answer, by our clock.
            precision_s: The amount by which `theirs` may have been rounded down.

        """
        unsure_s = abs(answered_at - asked_at) / 2 + precision_s / 2
        if unsure_s > self._max_skew_s:
            # The answer took too long for a useful comparison.
            return
        ahead_s = theirs + precision_s / 2 - (asked_at + answered_at) / 2
        self._show(ahead_s)
        if abs(ahead_s) - unsure_s > self._max_skew_s:
            side = "behind" if ahead_s > 0 else "ahead of"
            detail = f"our clock is {abs(ahead_s):.1f} s {side} the other one"
            self._dependency.is_down(Cause.CLOCK_SKEW, detail)
        else:
            self._dependency.works()

    def compare_date(self, date: str, age: str, *, asked_at: float, answered_at: float) -> None:
        """Compare our clock with the headers `Date` and `Age` of an HTTP answer; without a date there is no comparison."""
        try:
            theirs = parsedate_to_datetime(date).timestamp() + (int(age) if age else 0)
        except (ValueError, TypeError, OverflowError):
            return
        self.compare(theirs, asked_at=asked_at, answered_at=answered_at, precision_s=_DATE_PRECISION_S)
