"""Percentiles are values that were measured."""

import pytest

from roomwire_loadtest.generator.percentile import percentile


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.5, None),
        ([7], 0.0, 7),
        ([7], 1.0, 7),
        ([3, 1, 2], 0.5, 2),
        (range(1, 101), 0.99, 99),
        (range(1, 101), 1.0, 100),
    ],
)
def test_a_percentile_is_one_of_the_values(values, share, expected):
    assert expected == percentile(values, share)
