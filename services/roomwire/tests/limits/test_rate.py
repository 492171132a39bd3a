"""The rate limiter."""

from roomwire.limits.rate import RateLimiter


def test_a_seconds_worth_may_come_at_once_and_then_as_much_as_time_adds():
    limiter = RateLimiter(2.0)
    taken = []
    for now in (10.0, 10.0, 10.0, 10.25, 10.5):
        taken.append(not limiter.is_exceeded(now))
        if taken[-1]:
            limiter.charge(now)

    assert [True, True, False, True, False] == taken
