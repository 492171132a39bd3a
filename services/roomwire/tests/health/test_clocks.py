"""Clocks of others: told when they differ, and not when nothing can be said."""

from email.utils import formatdate

import pytest

from roomwire.health.clocks import Clock
from roomwire.health.dependencies import Cause, Dependency
from roomwire.metrics.gateway import Metrics

NOW = 1_700_000_000.0


@pytest.fixture
def shown():
    return []


@pytest.fixture
def dependency():
    return Dependency("clock_redis")


@pytest.fixture
def clock(dependency, shown):
    return Clock(dependency, show=shown.append, max_skew_s=5)


@pytest.mark.parametrize(
    ("ahead_s", "cause"),
    [(0, None), (4.9, None), (-4.9, None), (5.1, Cause.CLOCK_SKEW), (-5.1, Cause.CLOCK_SKEW)],
)
def test_a_clock_may_differ_by_so_much_both_ways(clock, dependency, shown, ahead_s, cause):
    clock.compare(NOW + ahead_s, asked_at=NOW, answered_at=NOW)

    assert cause == dependency.cause
    assert [pytest.approx(ahead_s)] == shown


@pytest.mark.parametrize(
    ("ahead_s", "said"), [(8, "our clock is 8.0 s behind"), (-8, "our clock is 8.0 s ahead of")]
)
def test_it_says_who_is_behind(clock, log_events, ahead_s, said):
    clock.compare(NOW + ahead_s, asked_at=NOW, answered_at=NOW)

    assert said in log_events[0]["detail"]


def test_a_clock_that_agrees_again_is_up(clock, dependency):
    clock.compare(NOW + 60, asked_at=NOW, answered_at=NOW)
    clock.compare(NOW, asked_at=NOW, answered_at=NOW)

    assert dependency.cause is None


def test_a_clock_that_is_not_looked_at_any_more_accuses_nobody_for_ever():
    now = 1_000.0
    metrics = Metrics(clock=lambda: now)
    metrics.clock("auth").compare(NOW + 60, asked_at=NOW, answered_at=NOW)
    noted = metrics.dependencies.causes()
    now += 900

    assert ({"clock_auth": "clock_skew"}, {}) == (noted, metrics.dependencies.causes())


def test_an_answer_that_took_long_accuses_nobody(clock, dependency, shown):
    clock.compare(NOW + 8, asked_at=NOW, answered_at=NOW + 8)
    clock.compare(NOW + 60, asked_at=NOW, answered_at=NOW + 30)

    assert dependency.cause is None
    assert 1 == len(shown)


def test_the_date_of_an_answer_is_as_old_as_the_cache_says(clock, dependency):
    clock.compare_date(formatdate(NOW - 100, usegmt=True), "100", asked_at=NOW, answered_at=NOW)
    agreed = dependency.cause
    clock.compare_date(formatdate(NOW + 8, usegmt=True), "", asked_at=NOW, answered_at=NOW)

    assert (None, Cause.CLOCK_SKEW) == (agreed, dependency.cause)


@pytest.mark.parametrize(("date", "age"), [("", ""), ("yesterday", ""), (formatdate(NOW, usegmt=True), "x")])
def test_an_answer_without_a_date_accuses_nobody(clock, shown, date, age):
    clock.compare_date(date, age, asked_at=NOW, answered_at=NOW)

    assert [] == shown
