"""How fast events may come: of one connection, one user, one address."""

import gc

import pytest

from roomwire.identity.tokens import User
from roomwire.server.rates import EventRates

ANN = User(id="ann", name="Ann", kind="account")
GUEST = User(id="ann", name="Ann", kind="guest")
NOBODY = User(id="", name="", kind="anonymous")


def rates(**given):
    return EventRates(**{"per_s": 0.0, "per_user_per_s": 0.0, "per_address_per_s": 0.0} | given)


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
