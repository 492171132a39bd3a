"""The ladder finds the highest rate that holds, and says where it could not tell."""

import pytest

from roomwire_loadtest.bench.results import Verdict
from roomwire_loadtest.bench.rows.ladder import Summit, climb, rungs
from roomwire_loadtest.bench.rows.rooms import FAN_OUT, FIXED, ROOMS_OF_TEN

STEPS = rungs(1_000, 64_000)
LANDMARKS = [2_000.0, 5_000.0, 10_000.0, 20_000.0, 40_000.0, 64_000.0]


def limited(most: float, beyond: Verdict = Verdict.BEHIND, tried: list[float] | None = None):
    def attempt(rate: float, confirmed: bool) -> Verdict:
        if tried is not None:
            tried.append(rate)
        return Verdict.HELD if rate <= most else beyond

    return attempt


@pytest.mark.parametrize("most", STEPS[:-1])
def test_the_highest_rung_is_found(most):
    assert Summit(most, at_least=False) == climb(STEPS, LANDMARKS, limited(most))


def test_few_attempts_are_made():
    tried: list[float] = []
    climb(STEPS, LANDMARKS, limited(8_000, tried=tried))
    assert len(tried) <= 6


def test_nothing_held_is_no_rate():
    assert Summit(None, at_least=False) == climb(STEPS, LANDMARKS, limited(1))


def test_the_top_of_the_ladder_is_a_lower_bound():
    assert Summit(64_000.0, at_least=True) == climb(STEPS, LANDMARKS, limited(1e9))


def test_a_generator_at_its_limit_makes_a_lower_bound():
    assert Summit(8_000.0, at_least=True) == climb(STEPS, LANDMARKS, limited(8_000, Verdict.VOID))


def test_a_rate_that_does_not_hold_when_confirmed_is_stepped_down_from():
    def attempt(rate: float, confirmed: bool) -> Verdict:
        return Verdict.HELD if rate <= (5_000 if confirmed else 8_000) else Verdict.BEHIND

    assert Summit(5_000.0, at_least=False) == climb(STEPS, LANDMARKS, attempt)


def test_after_three_steps_down_what_held_before_is_believed_no_more_than_that():
    def attempt(rate: float, confirmed: bool) -> Verdict:
        return Verdict.HELD if rate <= 8_000 and not confirmed else Verdict.BEHIND

    summit = climb(STEPS, LANDMARKS, attempt)
    assert summit.rate is not None
    assert summit.rate < 8_000


@pytest.mark.parametrize("row", [FAN_OUT, ROOMS_OF_TEN], ids=lambda row: row.name)
def test_the_rates_of_every_row_are_rungs(row):
    scale = row.room_size if row.in_deliveries else 1
    steps = [rate / scale for rate in rungs(row.lowest * scale, row.landmarks[-1] * scale)]
    assert row.lowest == steps[0]
    assert set(row.landmarks) <= set(steps)
    assert set(FIXED[row.name]) <= set(row.landmarks)
