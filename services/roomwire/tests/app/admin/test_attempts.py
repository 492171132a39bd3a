"""How often a login may be tried."""

import pytest

from roomwire.app.admin.attempts import MAX_ADDRESSES, MAX_FAILURES, WINDOW_S, Attempts
from roomwire.errors import RateLimited


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def attempts(clock):
    return Attempts(clock=clock)


def fail(attempts, clock, address, times=1):
    for _ in range(times):
        clock.now += 2
        attempts.begin(address)


def test_an_address_that_fails_too_often_waits_until_its_window_ends(attempts, clock):
    fail(attempts, clock, "192.0.2.1", MAX_FAILURES)

    clock.now += 2
    with pytest.raises(RateLimited) as refused:
        attempts.begin("192.0.2.1")
    assert WINDOW_S - 2 * MAX_FAILURES == refused.value.retry_after_s
    clock.now += WINDOW_S
    attempts.begin("192.0.2.1")


def test_addresses_of_one_household_are_one_and_others_are_not_concerned(attempts, clock):
    fail(attempts, clock, "2001:db8::1", MAX_FAILURES)

    clock.now += 2
    with pytest.raises(RateLimited):
        attempts.begin("2001:db8::2")
    attempts.begin("2001:db8:1::1")


def test_a_success_forgets_the_failures(attempts, clock):
    for _ in range(MAX_FAILURES + 1):
        fail(attempts, clock, "192.0.2.1")
        attempts.succeed("192.0.2.1")


def test_however_many_addresses_try_a_process_checks_one_login_a_second(attempts):
    attempts.begin("192.0.2.1")

    with pytest.raises(RateLimited):
        attempts.begin("192.0.2.2")


def test_the_number_of_addresses_that_are_remembered_is_limited(attempts, clock):
    for number in range(MAX_ADDRESSES + 1):
        fail(attempts, clock, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")

    assert MAX_ADDRESSES == len(attempts._failures)
