"""What signing in does, without HTTP, on a real Redis."""

import pytest
from argon2 import PasswordHasher

from auth.accounts import Accounts
from auth.errors import RefreshTokenReused
from auth.passwords import Passwords, open_passwords
from auth.sessions import Sessions
from auth.sign_in import AccessTokens, SignIn
from roomwire.capabilities import load_policy
from roomwire.errors import Forbidden, Unauthenticated, Unavailable

PASSWORD = "correct horse"


class FullPool(Passwords):
    """Checks passwords, but is never free to hash one."""

    async def hash(self, _):
        raise Unavailable


class Desk:
    """A `SignIn` and what it is made of."""

    def __init__(self, store, signing_key, metrics, *, guests=True, time_cost=1, passwords=None, grace_s=0):
        self.accounts = Accounts(store)
        self.passwords = passwords or open_passwords(
            time_cost=time_cost, memory_kib=64, parallelism=1, threads=1, queue=9, metrics=metrics
        )
        self.sign_in = SignIn(
            accounts=self.accounts,
            passwords=self.passwords,
            sessions=Sessions(store, account_ttl_s=1000, guest_ttl_s=100, grace_s=grace_s),
            access_tokens=AccessTokens(
                signing_key, issuer="roomwire", audience="roomwire", ttl_s=60, policy=load_policy()
            ),
            guests=guests,
            metrics=metrics,
        )


@pytest.fixture
async def open_desk(store, signing_key, metrics):
    opened = []

    def open_(**options):
        opened.append(Desk(store, signing_key, metrics, **options))
        return opened[-1]

    yield open_
    for desk in opened:
        await desk.passwords.close()


@pytest.fixture
def sign_in(open_desk):
    return open_desk().sign_in


async def test_a_login_is_the_account_that_was_registered(sign_in):
    registered = await sign_in.register("Ada", PASSWORD)

    assert (await sign_in.login("ada", PASSWORD)).user == registered.user


@pytest.mark.parametrize(("name", "password"), [("ada", "wrong horse"), ("bob", PASSWORD)])
async def test_a_wrong_password_and_an_unknown_name_are_the_same_answer(sign_in, name, password):
    await sign_in.register("ada", PASSWORD)

    with pytest.raises(Unauthenticated) as caught:
        await sign_in.login(name, password)

    assert caught.value.message == "The user name or the password is wrong."


async def test_an_unknown_name_costs_as_many_hashes_as_a_wrong_password(sign_in, metrics):
    await sign_in.register("ada", PASSWORD)
    counts = []
    for name in ("ada", "bob"):
        before = metrics.registry.get_sample_value("roomwire_auth_password_seconds_count")
        with pytest.raises(Unauthenticated):
            await sign_in.login(name, "wrong horse")
        counts.append(metrics.registry.get_sample_value("roomwire_auth_password_seconds_count") - before)

    assert counts == [1, 1]


async def test_a_login_makes_an_outdated_hash_anew(open_desk):
    await open_desk(time_cost=1).sign_in.register("ada", PASSWORD)
    stronger = open_desk(time_cost=2)

    await stronger.sign_in.login("ada", PASSWORD)

    account = await stronger.accounts.find("ada")
    assert not stronger.passwords.is_outdated(account.password_hash)
    await stronger.sign_in.login("ada", PASSWORD)


async def test_a_refused_login_leaves_an_outdated_hash_alone(open_desk):
    weaker = open_desk(time_cost=1)
    await weaker.sign_in.register("ada", PASSWORD)

    with pytest.raises(Unauthenticated):
        await open_desk(time_cost=2).sign_in.login("ada", "wrong horse")

    account = await weaker.accounts.find("ada")
    assert not weaker.passwords.is_outdated(account.password_hash)


async def test_a_login_does_not_fail_because_the_new_hash_must_wait(open_desk, metrics):
    registered = await open_desk().sign_in.register("ada", PASSWORD)
    full = FullPool(PasswordHasher(time_cost=2), decoy="", threads=1, queue=0, metrics=metrics)

    grant = await open_desk(passwords=full).sign_in.login("ada", PASSWORD)

    assert grant.user == registered.user


async def test_every_guest_is_somebody_new(sign_in):
    first, second = await sign_in.enter_as_guest("Ada"), await sign_in.enter_as_guest("Ada")

    assert ("Ada", "guest") == (first.user.name, first.user.kind)
    assert first.user.id != second.user.id


async def test_a_guest_without_a_name_is_named_after_its_id(sign_in):
    user = (await sign_in.enter_as_guest(None)).user

    assert user.name == "guest-" + user.id.removeprefix("guest:")[:6]


async def test_guests_are_not_let_in_where_they_are_off(open_desk):
    with pytest.raises(Forbidden):
        await open_desk(guests=False).sign_in.enter_as_guest("Ada")


async def test_a_guest_who_is_in_is_let_out_where_guests_are_off_by_now(open_desk, sign_in):
    guest = await sign_in.enter_as_guest("Ada")
    off = open_desk(guests=False).sign_in

    with pytest.raises(Forbidden):
        await off.refresh(guest.refresh_token)

    with pytest.raises(Unauthenticated):
        await off.refresh(guest.refresh_token)


async def test_a_refresh_is_for_the_same_user_with_new_tokens(sign_in):
    first = await sign_in.register("ada", PASSWORD)

    second = await sign_in.refresh(first.refresh_token)

    assert second.user == first.user
    assert second.refresh_token != first.refresh_token
    assert second.access_token != first.access_token


async def test_a_repeated_token_is_counted_and_logged_and_ends_nothing(open_desk, metrics, log_events):
    sign_in = open_desk(grace_s=60).sign_in
    first = await sign_in.register("ada", PASSWORD)
    second = await sign_in.refresh(first.refresh_token)

    again = await sign_in.refresh(first.refresh_token)

    assert again.refresh_token == second.refresh_token
    expected = {"event": "refresh token repeated", "log_level": "info", "user": first.user.id}
    assert log_events[-1] == expected
    counts = [f"roomwire_auth_refresh_{name}_total" for name in ("repeats", "reuses")]
    assert [1, 0] == [metrics.registry.get_sample_value(name) for name in counts]


async def test_a_reused_token_is_counted_and_logged_and_ends_the_session(sign_in, metrics, log_events):
    first = await sign_in.register("ada", PASSWORD)
    second = await sign_in.refresh(first.refresh_token)
    with pytest.raises(RefreshTokenReused):
        await sign_in.refresh(first.refresh_token)

    with pytest.raises(Unauthenticated):
        await sign_in.refresh(second.refresh_token)

    expected = {"event": "refresh token reused", "log_level": "warning", "user": first.user.id}
    assert log_events[-1] == expected
    assert metrics.registry.get_sample_value("roomwire_auth_refresh_reuses_total") == 1


async def test_logging_out_ends_the_session_and_may_be_repeated(sign_in):
    grant = await sign_in.register("ada", PASSWORD)

    await sign_in.logout(grant.refresh_token)
    await sign_in.logout(grant.refresh_token)

    with pytest.raises(Unauthenticated):
        await sign_in.refresh(grant.refresh_token)


async def test_each_step_is_one_line_with_the_id_of_the_user_and_no_secret(sign_in, log_events):
    account = await sign_in.register("ada", PASSWORD)
    await sign_in.login("ada", PASSWORD)
    for name in ("ada", "bob"):
        with pytest.raises(Unauthenticated):
            await sign_in.login(name, "wrong horse")
    guest = await sign_in.enter_as_guest("eve")
    await sign_in.logout(guest.refresh_token)
    await sign_in.logout(guest.refresh_token)

    expected = [
        ("account registered", account.user.id),
        ("logged in", account.user.id),
        ("login refused", account.user.id),
        ("login refused", None),
        ("guest entered", guest.user.id),
        ("logged out", guest.user.id),
    ]
    assert expected == [(event["event"], event["user"]) for event in log_events]
    assert {"event", "log_level", "user"} == {field for event in log_events for field in event}


async def test_tokens_are_not_in_the_repr_of_a_grant(sign_in):
    grant = await sign_in.enter_as_guest("eve")

    assert [] == [token for token in (grant.access_token, grant.refresh_token) if token in repr(grant)]
