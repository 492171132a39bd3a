"""How fast events may come: of one connection, one user, one address, all guests."""

import gc

import pytest

from roomwire.identity.tokens import User
from roomwire.limits.accounts import Accounts
from roomwire.server.rates import EventRates

ANN = User(id="ann", name="Ann", kind="account")
GUEST = User(id="ann", name="Ann", kind="guest")
NOBODY = User(id="", name="", kind="anonymous")


def rates(**given):
    none = {"per_s": 0.0, "per_user_per_s": 0.0, "per_address_per_s": 0.0, "of_guests_per_s": 0.0}
    return EventRates(**none | {"accounts": Accounts()} | given)


def test_without_a_rate_there_is_nothing_to_keep_to():
    none = rates()
    assert not none
    assert () == none.of_connection("192.0.2.1") + none.of_user(ANN)


def test_each_connection_has_a_rate_of_its_own():
    own = rates(per_s=1.0)
    (one,), (other,) = own.of_connection("192.0.2.1"), own.of_connection("192.0.2.1")
    assert one is not other


@pytest.mark.parametrize(
    ("one", "other", "is_shared"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
    ],
)
def test_connections_of_one_household_share_a_rate(one, other, is_shared):
    shared = rates(per_address_per_s=1.0)
    (first,), (second,) = shared.of_connection(one), shared.of_connection(other)
    assert is_shared is (first is second)


def test_a_user_is_who_a_token_names():
    shared = rates(per_user_per_s=1.0)
    kept = shared.of_user(ANN)
    assert kept == shared.of_user(ANN)
    assert kept != shared.of_user(GUEST)
    assert () == shared.of_user(NOBODY)


def test_who_has_no_connection_any_more_is_forgotten():
    shared = rates(per_user_per_s=1.0)
    (rate,) = shared.of_user(ANN)
    rate.charge(10.0)
    del rate
    gc.collect()

    (again,) = shared.of_user(ANN)
    assert not again.is_exceeded(10.0)


def test_a_connection_has_the_rate_of_guests_until_one_of_its_users_is_none():
    accounts = Accounts()
    shared, account = rates(of_guests_per_s=1.0, accounts=accounts), accounts.open("sid", lambda: None)
    assert shared
    account.identify("guest", "eve")
    guests = shared.of_class((), account)
    assert 1 == len(guests)
    assert guests == shared.of_class(guests, account)
    account.identify("account", "ann")
    assert () == shared.of_class(guests, account)


def test_a_guest_within_its_part_is_not_refused_for_what_another_uses():
    accounts = Accounts()
    eve, mallory = (accounts.open(name, lambda: None) for name in ("eve", "mallory"))
    accounts.open("other", lambda: None).identify("account", "ann")
    shared = rates(of_guests_per_s=10.0, accounts=accounts)
    (of_eve,), (of_mallory,) = shared.of_class((), eve), shared.of_class((), mallory)
    of_mallory.charge(10.0)
    of_eve.charge(10.0, 100)
    assert (True, False) == (of_eve.is_exceeded(10.0), of_mallory.is_exceeded(10.0))
    assert 0.0 == of_mallory.delay_s(10.0) < of_eve.delay_s(10.0)
    # Half of ten a second is its part.
    of_mallory.charge(10.0, 5)
    assert of_mallory.is_exceeded(10.0)
    assert not of_mallory.is_exceeded(10.5)
    assert not of_eve.is_exceeded(30.0)


def test_what_a_guest_used_while_there_was_time_for_all_does_not_count_against_it():
    accounts = Accounts()
    eve, mallory = (accounts.open(name, lambda: None) for name in ("eve", "mallory"))
    accounts.open("other", lambda: None).identify("account", "ann")
    shared = rates(of_guests_per_s=10.0, accounts=accounts)
    (of_eve,), (of_mallory,) = shared.of_class((), eve), shared.of_class((), mallory)
    for second in range(100):
        of_mallory.charge(float(second), 8)
    of_mallory.charge(100.0)
    of_eve.charge(100.0, 100)
    assert (True, False) == (of_eve.is_exceeded(100.0), of_mallory.is_exceeded(100.0))


def test_guests_are_charged_from_when_others_come_until_they_have_gone():
    accounts = Accounts()
    guest, other = (accounts.open(name, lambda: None) for name in ("guest", "other"))
    (rate,) = rates(of_guests_per_s=1.0, accounts=accounts).of_class((), guest)
    rate.charge(10.0, 100)
    assert not rate.is_exceeded(10.0)
    other.identify("service", "bot")
    rate.charge(10.0)
    assert rate.is_exceeded(10.0)
    other.close()
    rate.charge(11.0, 100)
    assert not rate.is_exceeded(11.0)
