"""Measures how far this process's clock is from the clocks whose times it receives.

Tokens carry the times of who issued them, and what is in Redis carries those of Redis. A clock that is wrong shows as tokens
that do not hold, without a word about why: so each answer that carries a time is compared with our own clock, and a difference is
said like a dependency that does not serve. Nothing here corrects a clock.
"""

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

from roomwire.health.dependencies import Cause, Dependency

LEEWAY_S: Final = 60.0
"""How far clocks may differ before a token is not taken, in seconds: what Spring Security, Nimbus and go-jose allow. Less than 30
refuses people for what a virtual machine's clock does after it was suspended; RFC 7519, section 4.1.4, allows a few minutes."""
MAX_SKEW_S: Final = 5.0
"""How far clocks may differ before it is said, in seconds: machines that keep their time are within a tenth of one, the `Date` of
an HTTP answer is exact to one or two, and tokens are taken until they differ by the leeway."""
_DATE_PRECISION_S: Final = 1.0


class Clock:
    """Compares another clock with ours.

    Args:
        dependency: Where it is noted whether they agree.
        show: Called with how far the other one is ahead of ours, in seconds.
        max_skew_s: How far they may differ. Default: `MAX_SKEW_S`.

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
        """Compare with a time that came in an answer.

        Args:
            theirs: Seconds since 1970, by the other clock.
            asked_at: When the answer was asked for, by ours.
            answered_at: When it came, by ours.
            precision_s: By how much it may have been rounded down.

        """
        unsure_s = abs(answered_at - asked_at) / 2 + precision_s / 2
        if unsure_s > self._max_skew_s:
            # It took too long to say anything.
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
        """Compare with the headers `Date` and `Age` of an HTTP answer; without a date nothing is compared."""
        try:
            theirs = parsedate_to_datetime(date).timestamp() + (int(age) if age else 0)
        except (ValueError, TypeError, OverflowError):
            return
        self.compare(theirs, asked_at=asked_at, answered_at=answered_at, precision_s=_DATE_PRECISION_S)
