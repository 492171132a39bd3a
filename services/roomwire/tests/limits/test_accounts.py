"""Accounts: sums that hold whoever comes and goes, and who is the largest."""

from hypothesis import given
from hypothesis import strategies as st

from roomwire.limits.accounts import Accounts
from roomwire.limits.classes import ClientClass

KINDS = {"account": ClientClass.USERS, "guest": ClientClass.GUESTS, "service": ClientClass.SERVICES}


def opened(accounts, *, size=0, kind="", user="u"):
    account = accounts.open("sid", lambda: None)
    if kind:
        account.identify(kind, user)
    account.hold(size)
    return account


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["open", "hold", "identify", "close"]),
            st.integers(0, 9),
            st.integers(-3, 9),
            st.sampled_from([*KINDS]),
            st.sampled_from(["ann", "bob"]),
        )
    )
)
def test_each_total_is_the_sum_of_its_open_accounts_and_nothing_is_left_behind(steps):
    accounts, known = Accounts(), []
    for step, which, size, kind, user in steps:
        if step == "open":
            known.append(accounts.open("sid", lambda: None))
        elif known:
            account = known[which % len(known)]
            if step == "hold":
                account.hold(size)
            elif step == "identify":
                account.identify(kind, user)
            else:
                account.close()
        assert accounts.total.held_bytes == sum(one.held_bytes for one in known)
        is_open = [one for one in known if one in accounts._open]
        assert accounts.total.connections == len(is_open)
        others = any(one.client_class is not ClientClass.GUESTS for one in is_open)
        assert others is accounts.has_others_than_guests
        for client_class, total in accounts.classes.items():
            assert total.held_bytes == sum(
                one.held_bytes for one in known if one.client_class is client_class
            )
    for account in known:
        account.close()
    assert [0, 0, 0, 0] == [accounts.total.held_bytes, *(t.held_bytes for t in accounts.classes.values())]
    assert [] == [*accounts.largest(1)]


def test_a_connection_belongs_to_the_guests_until_a_token_of_an_account_or_a_service_identifies_it():
    accounts = Accounts()
    for kind, expected in KINDS.items():
        account = opened(accounts, size=3)
        assert account.client_class is ClientClass.GUESTS
        account.identify(kind, "u")
        assert expected is account.client_class
    assert dict.fromkeys(ClientClass, 3) == {
        each: total.held_bytes for each, total in accounts.classes.items()
    }


def test_a_further_guest_on_the_connection_of_an_account_changes_nothing():
    account = opened(Accounts(), kind="account", user="ann")
    account.identify("guest", "eve")
    assert (ClientClass.USERS, "ann") == (account.client_class, account.user)


def test_what_a_connection_holds_after_its_end_is_not_charged():
    accounts = Accounts()
    account = opened(accounts, size=5)
    account.close()
    account.hold(7)
    account.identify("account", "ann")
    assert (0, 0) == (account.held_bytes, accounts.total.held_bytes)


def test_the_largest_holders_come_first_and_only_as_many_as_are_needed():
    accounts = Accounts()
    small, large, larger = (opened(accounts, size=size) for size in (1, 30, 50))
    assert [larger] == [*accounts.largest(50)]
    assert [larger, large] == [*accounts.largest(51)]
    assert [larger, large, small] == [*accounts.largest(1_000)]
    assert [] == [*accounts.largest(0)]


def test_an_account_with_many_connections_is_one_holder_and_guests_of_one_name_are_not():
    accounts = Accounts()
    guests = [opened(accounts, size=30, kind="guest", user="eve") for _ in range(3)]
    users = [opened(accounts, size=20, kind="account", user="mallory") for _ in range(3)]
    assert users == [*accounts.largest(60)]
    assert guests[:1] == [*accounts.largest(1, ClientClass.GUESTS)]


def test_growth_is_reported_once_until_the_next_mark_is_set():
    accounts, reports = Accounts(), []
    accounts.grown = lambda: reports.append(accounts.total.held_bytes)
    account = opened(accounts, size=100)
    accounts.look_at_bytes = 110
    for _ in range(4):
        account.hold(10)
    assert [120] == reports
    accounts.look_at_bytes = 145
    account.hold(10)
    assert [120, 150] == reports
