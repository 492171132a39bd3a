"""Made-up series: what leaks is found, what wavers, jumps once or warms up is not."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomwire_loadtest.soak.trend import Allowance, TooFew, trend

TIGHT = Allowance(share=0.05, least=1.0)


def series(value, count=60):
    return [(float(at), value(at)) for at in range(count)]


def is_growing(samples, warm_up_s=0.0):
    return trend(samples, warm_up_s=warm_up_s, allowance=TIGHT).is_growing


def test_what_is_flat_does_not_grow():
    assert not is_growing(series(lambda _: 100.0))


@given(st.integers(0, 2**32))
def test_what_wavers_does_not_grow(seed):
    noise = random.Random(seed)
    assert not is_growing(series(lambda _: 100.0 + noise.uniform(-2, 2)))


@given(st.integers(0, 2**32))
def test_a_leak_is_found_under_noise(seed):
    noise = random.Random(seed)
    assert is_growing(series(lambda at: 100.0 + at / 4 + noise.uniform(-2, 2)))


def test_warming_up_is_no_leak_once_it_is_left_out():
    warming = series(lambda at: 100.0 * min(1.0, at / 20))
    assert is_growing(warming)
    assert not is_growing(warming, warm_up_s=20.0)


def test_a_leak_that_begins_after_the_warm_up_is_found():
    assert is_growing(series(lambda at: 100.0 + max(0, at - 20)), warm_up_s=20.0)


def test_a_few_wild_samples_do_not_move_it():
    assert not is_growing(series(lambda at: 100.0 if at % 10 else 10_000.0))


def test_shrinking_is_no_growth():
    assert not is_growing(series(lambda at: 1000.0 - at))


@given(st.floats(0.1, 10), st.floats(0, 1000))
def test_a_line_has_its_own_slope(slope, start):
    found = trend(series(lambda at: start + slope * at), warm_up_s=0.0, allowance=TIGHT)
    assert found.slope_per_s == pytest.approx(slope)
    assert found.growth == pytest.approx(slope * 59)


@pytest.mark.parametrize(("median", "allowed"), [(10.0, 1.0), (100.0, 5.0)])
def test_the_greater_allowance_counts(median, allowed):
    assert allowed == pytest.approx(trend(series(lambda _: median), warm_up_s=0, allowance=TIGHT).allowed)


def test_too_few_samples_say_nothing():
    with pytest.raises(TooFew, match="9 samples"):
        trend(series(lambda _: 1.0, 19), warm_up_s=10.0, allowance=TIGHT)
