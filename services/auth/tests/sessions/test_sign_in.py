"""What signing in does, without HTTP, on a real Redis."""

import asyncio

import pytest
from argon2 import PasswordHasher

from roomwire.errors import Forbidden, Unauthenticated, Unavailable
from roomwire.identity.capabilities import load_policy
from roomwire_auth.accounts.accounts import Accounts
from roomwire_auth.accounts.passwords import Passwords, open_passwords
from roomwire_auth.accounts.throttle import Limits, Throttle
from roomwire_auth.errors import RefreshTokenReused, TooManyAttempts, UsernameTaken, WrongLogin
from roomwire_auth.keys.access_tokens import AccessTokens
from roomwire_auth.keys.keyring import Keyring
from roomwire_auth.keys.keys import Keys
from roomwire_auth.sessions.sessions import Sessions, session_of
from roomwire_auth.sessions.sign_in import SignIn

PASSWORD = "correct horse"


def line(event, level, grant):
    """What is logged of somebody's session."""
    session = session_of(grant.refresh_token)
    user = grant.user.id
    return {
        "event": event,
        "log_level": level,
        "audit": True,
        "user": user,
        "session": session,
        "address": HERE,
    }


HERE, THERE = "198.51.100.1", "203.0.113.9"


class FullPool(Passwords):
    """Checks passwords, but is never free to hash one."""

    async def hash(self, _):
        raise Unavailable


class NoPool(Passwords):
    """Is never free to check a password."""

    async def verify(self, *_):
        raise Unavailable


class Desk:
    """A `SignIn` and what it is made of."""

    def __init__(
        self, store, signing_key, metrics, *, guests=True, time_cost=1, passwords=None, grace_s=0, limits=None
    ):
        self.store = store
        self.accounts = Accounts(store)
        self.sessions = Sessions(store, account_ttl_s=1000, guest_ttl_s=100, grace_s=grace_s)
        self.passwords = passwords or open_passwords(
            time_cost=time_cost, memory_kib=64, parallelism=1, threads=1, queue=9, metrics=metrics
        )
        self.sign_in = SignIn(
            accounts=self.accounts,
            passwords=self.passwords,
            sessions=self.sessions,
            access_tokens=AccessTokens(
                Keys(Keyring([(0, signing_key)])),
                issuer="roomwire",
                audience="roomwire",
                ttl_s=60,
                policy=load_policy(),
            ),
            throttle=Throttle(store, limits=limits, metrics=metrics),
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
    registered = await sign_in.register("Ada", PASSWORD, address=HERE)

    assert (await sign_in.login("ada", PASSWORD, address=HERE)).user == registered.user


@pytest.mark.parametrize(("name", "password"), [("ada", "wrong horse"), ("bob", PASSWORD)])
async def test_a_wrong_password_and_an_unknown_name_are_the_same_answer(sign_in, name, password):
    await sign_in.register("ada", PASSWORD, address=HERE)

    with pytest.raises(WrongLogin) as caught:
        await sign_in.login(name, password, address=HERE)

    assert caught.value.details() == WrongLogin().details()


async def test_an_unknown_name_costs_as_many_hashes_as_a_wrong_password(sign_in, metrics):
    await sign_in.register("ada", PASSWORD, address=HERE)
    counts = []
    for name in ("ada", "bob"):
        before = metrics.registry.get_sample_value("roomwire_auth_password_seconds_count")
        with pytest.raises(Unauthenticated):
            await sign_in.login(name, "wrong horse", address=HERE)
        counts.append(metrics.registry.get_sample_value("roomwire_auth_password_seconds_count") - before)

    assert counts == [1, 1]


async def test_a_login_makes_an_outdated_hash_anew(open_desk):
    await open_desk(time_cost=1).sign_in.register("ada", PASSWORD, address=HERE)
    stronger = open_desk(time_cost=2)

    await stronger.sign_in.login("ada", PASSWORD, address=HERE)

    account = await stronger.accounts.find("ada")
    assert not stronger.passwords.is_outdated(account.password_hash)
    await stronger.sign_in.login("ada", PASSWORD, address=HERE)


async def test_a_refused_login_leaves_an_outdated_hash_alone(open_desk):
    weaker = open_desk(time_cost=1)
    await weaker.sign_in.register("ada", PASSWORD, address=HERE)

    with pytest.raises(Unauthenticated):
        await open_desk(time_cost=2).sign_in.login("ada", "wrong horse", address=HERE)

    account = await weaker.accounts.find("ada")
    assert not weaker.passwords.is_outdated(account.password_hash)


async def test_a_login_does_not_fail_because_the_new_hash_must_wait(open_desk, metrics):
    registered = await open_desk().sign_in.register("ada", PASSWORD, address=HERE)
    full = FullPool(PasswordHasher(time_cost=2), decoy="", threads=1, queue=0, metrics=metrics)

    grant = await open_desk(passwords=full).sign_in.login("ada", PASSWORD, address=HERE)

    assert grant.user == registered.user


async def test_every_guest_is_somebody_new(sign_in):
    first, second = (
        await sign_in.enter_as_guest("Ada", address=HERE),
        await sign_in.enter_as_guest("Ada", address=HERE),
    )

    assert ("Ada", "guest") == (first.user.name, first.user.kind)
    assert first.user.id != second.user.id


async def test_a_guest_without_a_name_is_named_after_its_id(sign_in):
    user = (await sign_in.enter_as_guest(None, address=HERE)).user

    assert user.name == "guest-" + user.id.removeprefix("guest:")[:6]


async def test_guests_are_not_let_in_where_they_are_off(open_desk):
    with pytest.raises(Forbidden):
        await open_desk(guests=False).sign_in.enter_as_guest("Ada", address=HERE)


async def test_a_guest_who_is_in_is_let_out_where_guests_are_off_by_now(open_desk, sign_in):
    guest = await sign_in.enter_as_guest("Ada", address=HERE)
    off = open_desk(guests=False).sign_in

    with pytest.raises(Forbidden):
        await off.refresh(guest.refresh_token, address=HERE)

    with pytest.raises(Unauthenticated):
        await off.refresh(guest.refresh_token, address=HERE)


async def test_a_refresh_is_for_the_same_user_with_new_tokens(sign_in):
    first = await sign_in.register("ada", PASSWORD, address=HERE)

    second = await sign_in.refresh(first.refresh_token, address=HERE)

    assert second.user == first.user
    assert second.refresh_token != first.refresh_token
    assert second.access_token != first.access_token


async def test_a_repeated_token_is_counted_and_logged_and_ends_nothing(open_desk, metrics, log_events):
    sign_in = open_desk(grace_s=60).sign_in
    first = await sign_in.register("ada", PASSWORD, address=HERE)
    second = await sign_in.refresh(first.refresh_token, address=HERE)

    again = await sign_in.refresh(first.refresh_token, address=HERE)

    assert again.refresh_token == second.refresh_token
    assert line("refresh token repeated", "info", first) == log_events[-1]
    counts = [f"roomwire_auth_refresh_{name}_total" for name in ("repeats", "reuses")]
    assert [1, 0] == [metrics.registry.get_sample_value(name) for name in counts]


async def test_a_reused_token_is_counted_and_logged_and_ends_the_session(sign_in, metrics, log_events):
    first = await sign_in.register("ada", PASSWORD, address=HERE)
    second = await sign_in.refresh(first.refresh_token, address=HERE)
    with pytest.raises(RefreshTokenReused):
        await sign_in.refresh(first.refresh_token, address=HERE)

    with pytest.raises(Unauthenticated):
        await sign_in.refresh(second.refresh_token, address=HERE)

    assert line("refresh token reused", "warning", first) in log_events
    assert metrics.registry.get_sample_value("roomwire_auth_refresh_reuses_total") == 1


async def test_logging_out_ends_the_session_and_may_be_repeated(sign_in):
    grant = await sign_in.register("ada", PASSWORD, address=HERE)

    await sign_in.logout(grant.refresh_token, address=HERE)
    await sign_in.logout(grant.refresh_token, address=HERE)

    with pytest.raises(Unauthenticated):
        await sign_in.refresh(grant.refresh_token, address=HERE)


async def test_a_login_that_a_change_of_the_password_overtakes_is_refused_as_any(open_desk, log_events):
    desk = open_desk()
    account = (await desk.sign_in.register("ada", PASSWORD, address=HERE)).user

    class Overtaking(Accounts):
        async def find(self, name):
            found = await super().find(name)
            await desk.sessions.change_password(found, found.password_hash, kept="")
            return found

    desk.sign_in._accounts = Overtaking(desk.store)

    with pytest.raises(WrongLogin):
        await desk.sign_in.login("ada", PASSWORD, address=HERE)

    assert ("login refused", account.id) == (log_events[-1]["event"], log_events[-1]["user"])
    assert [] == await desk.sessions.of_user(account.id)


async def test_a_hash_that_is_made_anew_refuses_no_login_at_the_same_time(open_desk):
    await open_desk(time_cost=1).sign_in.register("ada", PASSWORD, address=HERE)
    stronger = open_desk(time_cost=2).sign_in

    grants = await asyncio.gather(*(stronger.login("ada", PASSWORD, address=HERE) for _ in range(4)))

    assert 4 == len({grant.refresh_token for grant in grants})


async def test_tokens_are_not_in_the_repr_of_a_grant(sign_in):
    grant = await sign_in.enter_as_guest("eve", address=HERE)

    assert [] == [token for token in (grant.access_token, grant.refresh_token) if token in repr(grant)]


class CountingHasher(PasswordHasher):
    """Counts what it is asked to compute."""

    def __init__(self):
        super().__init__(time_cost=1, memory_cost=64, parallelism=1)
        self.computed = []

    def hash(self, password):
        self.computed.append("hash")
        return super().hash(password)

    def verify(self, password_hash, password):
        self.computed.append(password_hash.rsplit("$", 2)[0])
        return super().verify(password_hash, password)


LIMITS = Limits(
    window_s=60,
    login_failures=2,
    login_failures_per_address=4,
    registrations_per_address=2,
    guests_per_address=2,
    refresh_failures_per_address=2,
    known_ttl_s=60,
)


@pytest.fixture
async def counted(open_desk, metrics):
    """A desk with limits, and what its hasher computed."""
    hasher = CountingHasher()
    decoy = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash("decoy")
    passwords = Passwords(hasher, decoy=decoy, threads=1, queue=9, metrics=metrics)
    return open_desk(passwords=passwords, limits=LIMITS).sign_in, hasher.computed


async def test_unknown_names_and_wrong_passwords_are_the_same_answers_and_the_same_work_to_the_end(counted):
    sign_in, computed = counted
    await sign_in.register("ada", PASSWORD, address=HERE)
    seen = []
    for name, address in (("ada", HERE), ("bob", THERE)):
        computed.clear()
        answers = []
        for _ in range(LIMITS.login_failures + 2):
            with pytest.raises((WrongLogin, TooManyAttempts)) as caught:
                await sign_in.login(name, "wrong horse", address=address)
            answers.append((type(caught.value), caught.value.message))
        seen.append((answers, list(computed)))

    assert seen[0] == seen[1]
    assert [WrongLogin] * 2 + [TooManyAttempts] * 2 == [kind for kind, _ in seen[0][0]]
    assert ["$argon2id$v=19$m=64,t=1,p=1"] * 2 == seen[0][1]


async def test_a_taken_name_is_as_much_work_as_a_free_one_and_the_throttled_are_none(counted):
    sign_in, computed = counted
    await sign_in.register("ada", PASSWORD, address=HERE)
    with pytest.raises(UsernameTaken):
        await sign_in.register("ada", PASSWORD, address=HERE)
    with pytest.raises(TooManyAttempts):
        await sign_in.register("bob", PASSWORD, address=HERE)

    assert ["hash", "hash"] == computed


async def test_a_login_that_found_no_thread_is_no_failure(open_desk, metrics):
    await open_desk().sign_in.register("ada", PASSWORD, address=HERE)
    full = NoPool(PasswordHasher(), decoy="", threads=1, queue=0, metrics=metrics)
    busy = open_desk(passwords=full, limits=LIMITS).sign_in
    for _ in range(10):
        with pytest.raises(Unavailable):
            await busy.login("ada", PASSWORD, address=HERE)

    assert "ada" == (await open_desk(limits=LIMITS).sign_in.login("ada", PASSWORD, address=HERE)).user.name


async def test_a_refresh_token_that_holds_is_taken_whatever_its_address_failed_at(open_desk):
    sign_in = open_desk(limits=LIMITS).sign_in
    grant = await sign_in.register("ada", PASSWORD, address=HERE)
    for expected in (Unauthenticated, Unauthenticated, TooManyAttempts):
        with pytest.raises(expected):
            await sign_in.refresh("x" * 65, address=HERE)

    assert grant.user == (await sign_in.refresh(grant.refresh_token, address=HERE)).user


async def test_too_many_guests_of_an_address_have_to_wait(open_desk):
    sign_in = open_desk(limits=LIMITS).sign_in
    for _ in range(2):
        await sign_in.enter_as_guest(None, address=HERE)

    with pytest.raises(TooManyAttempts):
        await sign_in.enter_as_guest(None, address=HERE)
    await sign_in.enter_as_guest(None, address=THERE)
