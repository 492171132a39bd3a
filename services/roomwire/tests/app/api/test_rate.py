"""How often a caller may ask."""

import pytest

from roomwire.app.api import rate
from roomwire.app.api.rate import Rate
from roomwire.errors import RateLimited


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def count(limited, caller="a"):
    """Return how often somebody may ask now."""
    for number in range(1_000):
        try:
            limited.admit(caller)
        except RateLimited:
            return number
    return 1_000


def test_a_second_is_free_and_then_it_is_the_rate(clock):
    limited = Rate(8, clock=clock)
    assert 8 == count(limited)
    clock.now += 0.375
    assert 3 == count(limited)
    clock.now += 60
    assert 8 == count(limited)


def test_each_caller_has_its_own(clock):
    limited = Rate(8, clock=clock)
    assert (8, 8) == (count(limited, "a"), count(limited, "b"))


def test_what_a_batch_costs_is_waited_for_afterwards(clock):
    limited = Rate(10, clock=clock)
    limited.admit("a")
    limited.charge("a", 99)
    with pytest.raises(RateLimited) as caught:
        limited.admit("a")
    assert 9 == caught.value.retry_after_s
    clock.now += 9.1
    limited.admit("a")


def test_no_rate_is_any_number(clock):
    assert 1_000 == count(Rate(0, clock=clock))


def test_callers_that_are_remembered_are_bounded_and_the_quietest_is_forgotten(clock, monkeypatch):
    monkeypatch.setattr(rate, "MAX_CALLERS", 2)
    limited = Rate(1, clock=clock)
    for caller in ("a", "b", "c"):
        limited.admit(caller)
    assert (1, 0) == (count(limited, "a"), count(limited, "c"))
