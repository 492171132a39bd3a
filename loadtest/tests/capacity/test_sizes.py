"""Distributions of room sizes: their shares are shares, their means are right, and what is none is refused."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomwire_loadtest.capacity.planning.sizes import Fixed, LogNormal, Sizes, Uniform, Zipf, mean, spread


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        (Fixed(10), 10.0),
        (Uniform(1, 3), 2.0),
        (Uniform(10, 1_000), 505.0),
        (Uniform(7, 7), 7.0),
        (Zipf(2.0, 3), (1 + 1 / 2 + 1 / 3) / (1 + 1 / 4 + 1 / 9)),
        (Zipf(1.0, 1_000), 1_000 / sum(1 / size for size in range(1, 1_001))),
        (LogNormal(median=20, p99=40, largest=10_000), 20 * math.exp((math.log(2) / 2.326) ** 2 / 2)),
    ],
)
def test_the_mean_is_that_of_the_distribution(sizes, expected):
    shares = sizes.shares()
    assert 1.0 == pytest.approx(sum(share for _, share in shares))
    assert expected == pytest.approx(mean(shares), rel=0.06)


def test_half_of_lognormal_rooms_are_below_the_median_and_one_in_a_hundred_above_p99():
    shares = LogNormal(median=30, p99=300, largest=100_000).shares()
    assert 0.5 == pytest.approx(sum(share for size, share in shares if size < 30), abs=0.03)
    assert 0.01 == pytest.approx(sum(share for size, share in shares if size > 300), abs=0.002)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"kind": "fixed", "size": 0}', "size"),
        ('{"kind": "uniform", "smallest": 3, "largest": 3, "size": 1}', "size"),
        ('{"kind": "lognormal", "median": 30, "p99": 20, "largest": 10}', "p99"),
        ('{"kind": "pareto"}', "kind"),
    ],
)
def test_what_is_no_distribution_is_refused_with_the_field(text, field):
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.json.decode(text, type=Sizes)


@pytest.mark.parametrize(
    ("size", "gateways", "expected"),
    [(1, 5, 1.0), (2, 2, 1.5), (1_000, 10, 10.0), (5, 1, 1.0), (3, 1_000_000, 3.0)],
)
def test_members_spread_over_gateways_as_by_chance(size, gateways, expected):
    assert expected == pytest.approx(spread(size, gateways), rel=1e-4)


@given(st.floats(1, 1e6), st.floats(1, 1e4), st.floats(1, 3), st.floats(1, 3))
def test_more_members_or_gateways_never_spread_over_fewer(size, gateways, more, others):
    assert spread(size, gateways) <= spread(size * more, gateways * others) * (1 + 1e-9)
    assert spread(size, gateways) <= min(size, gateways) * (1 + 1e-9)
