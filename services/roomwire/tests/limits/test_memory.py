"""The guard of the memory: what it decides for a use, by tables."""

import pytest

from roomwire.limits.accounts import Accounts
from roomwire.limits.memory import FREED_S, LEAK_S, MemoryGuard

LIMIT, BASE, SHARE = 1_000, 100, 0.5
"""With these, the marks are 820 and 910; clients may hold 810 below the second one, and guests 405 of that."""


class Site:
    """A guard, and clients that hold what they are told to hold."""

    def __init__(self):
        self.accounts = Accounts()
        self.guard = MemoryGuard(self.accounts, limit_bytes=LIMIT, guests_share=SHARE)
        self.guard.begin(BASE)

    def client(self, size, *, kind="guest", user="eve"):
        account = self.accounts.open(f"{kind} {size}", lambda: None)
        account.identify(kind, user)
        account.hold(size)
        return account

    def closed(self, used, now=0.0):
        """Look, and close as the shell does."""
        chosen = self.guard.look(used, now)
        for one in chosen:
            one.close()
        return [one.sid for one in chosen]


@pytest.fixture
def site():
    return Site()


@pytest.mark.parametrize(
    ("uses", "expected"),
    [([819], False), ([820], True), ([820, 780], True), ([820, 774], False), ([774, 780], False)],
)
def test_new_sessions_are_refused_from_the_first_mark_until_the_use_has_fallen_well_below(
    site, uses, expected
):
    for used in uses:
        site.guard.look(used, 0.0)
    assert expected is site.accounts.is_refusing


def test_the_largest_holder_is_closed_at_the_second_mark_and_nobody_below_it(site):
    for size in (200, 90, 110):
        site.client(size, kind="account", user=str(size))
    assert [] == site.closed(910)
    assert ["account 200"] == site.closed(911)


def test_guests_beyond_their_share_are_closed_before_the_first_mark_and_accounts_are_not(site):
    site.client(300, kind="account", user="ann")
    for size in (50, 150, 250):
        site.client(size)
    assert ["guest 250"] == site.closed(790)
    assert not site.accounts.is_refusing


def test_what_is_charged_often_but_kept_once_closes_nobody(site):
    for _ in range(50):
        site.client(100)
    assert [] == site.closed(BASE + 300)


def test_memory_of_closed_connections_is_not_asked_for_twice_until_it_could_be_free(site):
    for user in "abcdefgh":
        site.client(100, kind="account", user=user)
    first = site.closed(920, now=1.0)
    assert first
    assert [] == site.closed(920, now=1.0 + FREED_S / 2)
    assert site.closed(920, now=1.0 + FREED_S)


def test_growth_that_no_client_holds_closes_nobody_and_is_given_up_after_its_time(site):
    site.client(10)
    assert [] == site.closed(950, now=5.0)
    assert site.accounts.is_refusing
    assert (True, False) == (site.guard.is_leaking, site.guard.has_given_up)
    site.guard.look(950, 5.0 + LEAK_S)
    assert site.guard.has_given_up


def test_growth_that_ends_in_time_is_not_given_up(site):
    site.guard.look(950, 5.0)
    site.guard.look(900, 5.0 + LEAK_S / 2)
    site.guard.look(950, 5.0 + LEAK_S)
    assert (True, False) == (site.guard.is_leaking, site.guard.has_given_up)


def test_growth_that_no_client_holds_is_not_given_up_while_it_goes_back(site):
    for number in range(4):
        site.guard.look(990 - 20 * number, 5.0 + number * LEAK_S / 2)
        assert (True, False) == (site.guard.is_leaking, site.guard.has_given_up)
    for number in range(3):
        # As little as this is no sign.
        site.guard.look(930 - number, 20.0 + number * LEAK_S / 2)
    assert site.guard.has_given_up


def test_the_next_look_is_due_when_clients_hold_a_further_part_of_the_limit(site):
    grown = []
    site.accounts.grown = lambda: grown.append(site.accounts.total.held_bytes)
    client = site.client(15)
    client.hold(1)
    assert [16] == grown
    site.guard.look(BASE, 0.0)
    client.hold(10)
    assert [16] == grown
    client.hold(10)
    assert [16, 36] == grown


def test_a_user_with_many_connections_is_closed_before_smaller_users(site):
    for _ in range(4):
        site.client(60, kind="account", user="mallory")
    site.client(100, kind="account", user="ann")
    assert {"account 60"} == {*site.closed(950)}
