"""How fast events may come: of one connection, one user, one address."""

import gc

import pytest

from roomwire.bounds import Bound
from roomwire.pace import Pace, Paces
from roomwire.tokens import User

ANN = User(id="ann", name="Ann", kind="account")
GUEST = User(id="ann", name="Ann", kind="guest")
NOBODY = User(id="", name="", kind="anonymous")


def paces(**rates):
    return Paces(**{"per_s": 0.0, "per_user_per_s": 0.0, "per_address_per_s": 0.0} | rates)


def test_a_seconds_worth_may_come_at_once_and_then_as_much_as_time_adds():
    pace = Pace(2.0, Bound.EVENTS_PER_S)
    taken = []
    for now in (10.0, 10.0, 10.0, 10.25, 10.5):
        taken.append(not pace.is_exceeded(now))
        if taken[-1]:
            pace.take(now)

    assert [True, True, False, True, False] == taken


def test_without_a_rate_there_is_nothing_to_keep_to():
    none = paces()
    assert not none
    assert () == none.of_connection("192.0.2.1") + none.of_user(ANN)


def test_each_connection_has_a_pace_of_its_own():
    own = paces(per_s=1.0)
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
def test_connections_of_one_household_share_a_pace(one, other, is_shared):
    shared = paces(per_address_per_s=1.0)
    (first,), (second,) = shared.of_connection(one), shared.of_connection(other)
    assert is_shared is (first is second)


def test_a_user_is_who_a_token_names():
    shared = paces(per_user_per_s=1.0)
    kept = shared.of_user(ANN)
    assert kept == shared.of_user(ANN)
    assert kept != shared.of_user(GUEST)
    assert () == shared.of_user(NOBODY)


def test_who_has_no_connection_any_more_is_forgotten():
    shared = paces(per_user_per_s=1.0)
    (pace,) = shared.of_user(ANN)
    pace.take(10.0)
    del pace
    gc.collect()

    (again,) = shared.of_user(ANN)
    assert not again.is_exceeded(10.0)
