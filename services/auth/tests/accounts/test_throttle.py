"""Who has to wait, and that nobody has to because of others; on a real Redis."""

import asyncio
import math
import time

import msgspec
import pytest

from roomwire_auth.accounts.throttle import Limits, Throttle
from roomwire_auth.errors import TooManyAttempts

HERE, THERE = "198.51.100.1", "203.0.113.9"
LIMITS = Limits(
    window_s=60,
    login_failures=2,
    login_failures_per_address=4,
    registrations_per_address=3,
    guests_per_address=3,
    refresh_failures_per_address=3,
    known_ttl_s=1000,
)
OFF = Limits(
    window_s=60,
    login_failures=0,
    login_failures_per_address=0,
    registrations_per_address=0,
    guests_per_address=0,
    refresh_failures_per_address=0,
    known_ttl_s=1000,
)


@pytest.fixture
def throttle(store, metrics):
    return Throttle(store, limits=LIMITS, metrics=metrics)


async def fail(throttle, name, address, times):
    for _ in range(times):
        await throttle.begin_login(name, address)


async def is_refused(attempt):
    try:
        await attempt
    except TooManyAttempts:
        return True
    return False


async def test_who_fails_too_often_at_an_account_has_to_wait_whatever_its_spelling(throttle):
    await fail(throttle, "ada", HERE, 2)

    assert await is_refused(throttle.begin_login("ADA", HERE))


async def test_failures_from_elsewhere_do_not_lock_an_account(throttle):
    for last in range(20):
        await fail(throttle, "ada", f"203.0.113.{last}", 2)

    assert not await is_refused(throttle.begin_login("ada", HERE))


async def test_who_tries_one_account_after_another_has_to_wait_but_not_its_neighbours(throttle):
    for name in ("ada", "bob", "cleo", "dan"):
        await fail(throttle, name, HERE, 1)

    assert await is_refused(throttle.begin_login("eve", HERE))
    assert not await is_refused(throttle.begin_login("eve", THERE))


async def test_an_account_that_signed_in_from_an_address_is_not_held_to_what_others_fail_at_there(throttle):
    await throttle.succeed(await throttle.begin_login("ada", HERE))
    for name in ("bob", "cleo"):
        await fail(throttle, name, HERE, 2)

    assert await is_refused(throttle.begin_login("eve", HERE))
    assert not await is_refused(throttle.begin_login("ada", HERE))


async def test_an_account_that_is_at_home_is_guarded_there_all_the_same(throttle):
    await throttle.succeed(await throttle.begin_login("ada", HERE))

    await fail(throttle, "ada", HERE, 2)

    assert await is_refused(throttle.begin_login("ada", HERE))


async def test_who_signs_in_does_not_use_up_what_its_address_may_fail(throttle):
    for number in range(20):
        await throttle.succeed(await throttle.begin_login(f"user{number}", HERE))

    assert not await is_refused(throttle.begin_login("ada", HERE))


async def test_a_login_forgets_the_failures_before_it(throttle):
    await fail(throttle, "ada", HERE, 1)
    await throttle.succeed(await throttle.begin_login("ada", HERE))
    await fail(throttle, "ada", HERE, 1)

    assert not await is_refused(throttle.begin_login("ada", HERE))


async def test_ones_own_logins_do_not_forgive_what_one_fails_at_others(throttle):
    for name in ("ada", "bob", "cleo", "dan"):
        await throttle.succeed(await throttle.begin_login("mallory", HERE))
        await fail(throttle, name, HERE, 1)

    assert await is_refused(throttle.begin_login("eve", HERE))


async def test_a_login_that_could_not_be_decided_is_no_failure(throttle):
    for _ in range(20):
        await throttle.give_back(await throttle.begin_login("ada", HERE))

    assert not await is_refused(throttle.begin_login("ada", HERE))


async def test_a_refused_login_charges_nothing_so_that_the_window_ends(throttle, store):
    await fail(throttle, "ada", HERE, 2)
    keys = sorted(await store.client.keys("rw:{auth}:throttle:*"))
    before = [await store.client.hgetall(key) for key in keys]

    for _ in range(20):
        assert await is_refused(throttle.begin_login("ada", HERE))

    assert before == [await store.client.hgetall(key) for key in keys]
    assert keys == sorted(await store.client.keys("rw:{auth}:throttle:*"))


async def test_who_has_to_wait_is_told_how_long_and_never_longer_than_a_window(throttle, store):
    await fail(throttle, "ada", HERE, 2)
    (key,) = await store.client.keys("rw:{auth}:throttle:login:*")

    told = []
    # Times told by clocks that are behind, right and ahead of ours.
    for ends in (0, math.ceil(time.time()) + 30, 10**12):
        await store.client.hset(key, "ends", ends)
        with pytest.raises(TooManyAttempts) as caught:
            await throttle.begin_login("ada", HERE)
        told.append(caught.value.retry_after_s)

    assert [1, LIMITS.window_s] == [told[0], told[2]]
    assert 1 <= told[1] <= 31


async def test_many_at_once_get_no_more_than_one_after_another(throttle):
    refused = await asyncio.gather(*[is_refused(throttle.begin_login("ada", HERE)) for _ in range(20)])

    assert 2 == refused.count(False)


async def test_an_ipv6_address_is_its_network(throttle):
    for last in range(2):
        await fail(throttle, "ada", f"2001:db8:1:2::{last}", 1)

    assert await is_refused(throttle.begin_login("ada", "2001:db8:1:2:ffff::9"))
    assert not await is_refused(throttle.begin_login("ada", "2001:db8:1:3::1"))


@pytest.mark.parametrize("begin", ["begin_registration", "begin_guest", "refresh_failed"])
async def test_each_of_the_other_ways_in_has_its_count(throttle, begin):
    for _ in range(3):
        assert not await is_refused(getattr(throttle, begin)(HERE))

    assert await is_refused(getattr(throttle, begin)(HERE))
    assert not await is_refused(getattr(throttle, begin)(THERE))
    assert not await is_refused(throttle.begin_login("ada", HERE))


async def test_everything_stored_expires_and_is_bounded_by_the_addresses_count(throttle, store):
    await throttle.succeed(await throttle.begin_login("ada", HERE))
    for number in range(50):
        await is_refused(throttle.begin_login(f"name{number}", HERE))

    keys = await store.client.keys("*")

    # The mark of one account, the address, and a pair for each failure that was still allowed.
    assert 1 + 1 + LIMITS.login_failures_per_address == len(keys)
    for key in keys:
        longest_s = LIMITS.known_ttl_s if b"known" in key else LIMITS.window_s
        assert 0 < await store.client.ttl(key) <= longest_s


async def test_a_window_begins_anew_when_redis_has_ended_it(throttle, store):
    await fail(throttle, "ada", HERE, 2)
    for key in await store.client.keys("rw:{auth}:throttle:*"):
        await store.client.pexpire(key, 0)

    assert not await is_refused(throttle.begin_login("ada", HERE))


async def test_a_charge_that_is_given_back_after_its_window_leaves_nothing(throttle, store):
    attempt = await throttle.begin_login("ada", HERE)
    await store.client.flushdb()

    await throttle.give_back(attempt)

    assert [] == await store.client.keys("*")


async def test_neither_names_nor_addresses_stand_in_redis(throttle, store):
    await throttle.succeed(await throttle.begin_login("ada", HERE))
    await fail(throttle, "ada", HERE, 1)

    stored = b" ".join(
        [
            b" ".join([key, *(await store.client.hgetall(key)).values()])
            for key in await store.client.keys("*")
        ]
    )

    assert b"ada" not in stored
    assert HERE.encode() not in stored


@pytest.mark.parametrize("limits", [None, OFF], ids=["throttle off", "limits off"])
async def test_what_is_off_refuses_nobody(store, metrics, limits):
    throttle = Throttle(store, limits=limits, metrics=metrics)

    for _ in range(20):
        assert not await is_refused(throttle.begin_login("ada", HERE))
        for begin in (throttle.begin_registration, throttle.begin_guest, throttle.refresh_failed):
            assert not await is_refused(begin(HERE))
    await throttle.succeed(await throttle.begin_login("ada", HERE))


async def test_what_has_no_limit_is_not_stored(store, metrics):
    throttle = Throttle(store, limits=OFF, metrics=metrics)

    await throttle.give_back(await throttle.begin_login("ada", HERE))
    for begin in (throttle.begin_registration, throttle.begin_guest, throttle.refresh_failed):
        await begin(HERE)

    assert [] == await store.client.keys("*")


async def test_what_is_refused_is_counted_by_its_limit_and_logged_without_names(
    throttle, metrics, log_events
):
    await fail(throttle, "ada", HERE, 2)

    assert await is_refused(throttle.begin_login("ada", HERE))

    assert 1 == metrics.registry.get_sample_value("roomwire_auth_throttled_total", {"limit": "login"})
    expected = {"event": "throttled", "audit": True, "limit": "login", "address": HERE, "log_level": "info"}
    assert [expected] == log_events


async def test_a_client_is_held_to_its_own_failures_and_to_its_addresss(throttle):
    for _ in range(2):
        await throttle.begin_client("reports", HERE)

    assert await is_refused(throttle.begin_client("reports", HERE))
    assert not await is_refused(throttle.begin_client("reports", THERE))
    assert not await is_refused(throttle.begin_login("reports", HERE))
    await throttle.begin_client("billing", HERE)
    assert await is_refused(throttle.begin_login("eve", HERE))


async def test_a_client_that_has_had_a_token_from_an_address_is_not_held_to_what_others_fail_at_there(
    throttle,
):
    await throttle.succeed(await throttle.begin_client("reports", HERE))
    for name in ("bob", "cleo"):
        await fail(throttle, name, HERE, 2)

    assert not await is_refused(throttle.begin_client("reports", HERE))
    assert await is_refused(throttle.begin_login("reports", HERE))


DELAYS = msgspec.structs.replace(OFF, longest_delay_s=8, undelayed_failures=2, guests_per_minute=3)


async def test_where_addresses_are_not_known_each_failure_doubles_the_wait_of_an_account(
    store, metrics, monkeypatch
):
    now = 1_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    throttle = Throttle(store, limits=DELAYS, metrics=metrics)
    waits = []
    for _ in range(7):
        await throttle.begin_login("ada", HERE)
        try:
            await throttle.begin_login("ADA", THERE)
        except TooManyAttempts as error:
            waits.append(error.retry_after_s)
            now += error.retry_after_s
        else:
            waits.append(0)
    assert [0, 1, 2, 4, 8, 8, 8] == waits
    # Another account does not wait.
    await throttle.begin_login("bob", HERE)


async def test_a_success_ends_the_wait_and_an_attempt_that_was_given_back_causes_none(store, metrics):
    throttle = Throttle(store, limits=DELAYS, metrics=metrics)
    for _ in range(5):
        await throttle.succeed(await throttle.begin_login("ada", HERE))
    for _ in range(5):
        await throttle.give_back(await throttle.begin_login("ada", HERE))
    assert 0 == metrics.registry.get_sample_value("roomwire_auth_throttled_total", {"limit": "account"})


async def test_guests_have_one_limit_for_all_addresses(store, metrics):
    throttle = Throttle(store, limits=DELAYS, metrics=metrics)
    for number in range(3):
        await throttle.begin_guest(f"198.51.100.{number}")
    with pytest.raises(TooManyAttempts) as refused:
        await throttle.begin_guest(THERE)

    assert 1 <= refused.value.retry_after_s <= 60
    assert 1 == metrics.registry.get_sample_value("roomwire_auth_throttled_total", {"limit": "guests"})


async def test_registrations_have_one_limit_for_all_addresses(store, metrics):
    limits = msgspec.structs.replace(OFF, registrations_per_minute=3)
    throttle = Throttle(store, limits=limits, metrics=metrics)
    for number in range(3):
        await throttle.begin_registration(f"198.51.100.{number}")
    with pytest.raises(TooManyAttempts) as refused:
        await throttle.begin_registration(THERE)

    assert 1 <= refused.value.retry_after_s <= 60
    assert 1 == metrics.registry.get_sample_value("roomwire_auth_throttled_total", {"limit": "registrations"})


@pytest.mark.parametrize("longest_delay_s", [0, 8], ids=["addresses known", "addresses unknown"])
async def test_right_passwords_of_one_account_are_checked_so_often_for_one_address(
    store, metrics, longest_delay_s
):
    limits = msgspec.structs.replace(OFF, checks_per_minute=3, longest_delay_s=longest_delay_s)
    throttle = Throttle(store, limits=limits, metrics=metrics)
    for name in ("ada", "Ada", "ADA"):
        await throttle.succeed(await throttle.begin_login(name, HERE))

    assert await is_refused(throttle.begin_login("ada", HERE))
    assert not await is_refused(throttle.begin_login("ada", THERE))
    assert not await is_refused(throttle.begin_login("bob", HERE))
