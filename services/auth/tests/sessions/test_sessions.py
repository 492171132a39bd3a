"""Sessions in a real Redis: rotation, reuse, end; which there are, and what ends them all."""

import asyncio
import itertools
import time

import msgspec
import pytest
from waiting import until

from roomwire.errors import Unauthenticated
from roomwire.identity.revocations import RevocationReader, Revoked
from roomwire.identity.tokens import User
from roomwire.redis.topology import connect
from roomwire_auth.accounts.accounts import Accounts
from roomwire_auth.errors import AccountChanged, RefreshTokenReused, TooManyGuests
from roomwire_auth.sessions.sessions import Rotation, SessionInfo, Sessions, session_of
from roomwire_auth.store import Store, slot_key

ADA = User(id="account:1", name="Ada", kind="account")
GUEST = User(id="guest:1", name="Käthe\u200d", kind="guest")


@pytest.fixture
def sessions(store):
    return Sessions(store, account_ttl_s=1000, guest_ttl_s=100)


@pytest.fixture
def graceful(store):
    return Sessions(store, account_ttl_s=1000, guest_ttl_s=100, grace_s=60)


async def end_of_grace(store):
    (key,) = await store.client.keys("*:repeat:*")
    assert 58 <= await store.client.ttl(key) <= 60
    await store.client.delete(key)


async def the_only_key(store):
    (key,) = await store.client.keys("*:session:*")
    return key


@pytest.mark.parametrize("user", [ADA, GUEST])
async def test_a_token_is_exchanged_for_the_next_of_its_user(sessions, user):
    first = (await sessions.open(user)).token

    rotation = await sessions.rotate(first)

    assert rotation.user == user
    assert rotation.token != first
    assert (await sessions.rotate(rotation.token)).user == user


@pytest.mark.parametrize("uses", [1, 2, 5])
async def test_a_used_token_revokes_its_whole_family_however_old_it_is(sessions, uses):
    first = newest = (await sessions.open(ADA)).token
    for _ in range(uses):
        newest = (await sessions.rotate(newest)).token

    with pytest.raises(RefreshTokenReused) as caught:
        await sessions.rotate(first)

    assert caught.value.user_id == ADA.id
    with pytest.raises(Unauthenticated):
        await sessions.rotate(newest)


async def test_a_revoked_family_leaves_others_of_the_user_alone(sessions):
    stolen, other = (await sessions.open(ADA)).token, (await sessions.open(ADA)).token
    await sessions.rotate(stolen)
    with pytest.raises(RefreshTokenReused):
        await sessions.rotate(stolen)

    assert (await sessions.rotate(other)).user == ADA


async def test_of_concurrent_exchanges_of_one_token_at_most_one_wins(sessions):
    token = (await sessions.open(ADA)).token

    results = await asyncio.gather(*(sessions.rotate(token) for _ in range(20)), return_exceptions=True)

    assert len([result for result in results if isinstance(result, Rotation)]) == 1
    assert len([result for result in results if isinstance(result, RefreshTokenReused)]) == 1
    assert len([result for result in results if isinstance(result, Unauthenticated)]) == 19


@pytest.mark.parametrize("token", ["", "x", "x" * 65, "x" * 66, "ä" * 65, "\ud800" * 65, "x" * 64 + "\n"])
async def test_what_is_no_token_does_not_hold(sessions, token):
    with pytest.raises(Unauthenticated):
        await sessions.rotate(token)

    assert await sessions.end(token) is None


async def test_the_end_of_a_session_is_the_end_of_all_its_tokens(sessions):
    first = (await sessions.open(ADA)).token
    second = (await sessions.rotate(first)).token

    assert await sessions.end(first) == ADA.id

    assert await sessions.end(second) is None
    with pytest.raises(Unauthenticated):
        await sessions.rotate(second)


@pytest.mark.parametrize(("user", "ttl_s"), [(ADA, 1000), (GUEST, 100)])
async def test_a_session_lives_as_long_as_its_kind_of_user_may_be_away(sessions, store, user, ttl_s):
    token = (await sessions.open(user)).token
    key = await the_only_key(store)
    assert ttl_s - 2 < await store.client.ttl(key) <= ttl_s
    await store.client.expire(key, 5)

    await sessions.rotate(token)

    assert ttl_s - 2 < await store.client.ttl(key) <= ttl_s


async def test_redis_has_neither_the_token_nor_a_part_of_it(sessions, store):
    token = (await sessions.open(ADA)).token

    key = await the_only_key(store)
    (index,) = await store.client.keys("*:sessions:*")
    stored = repr([key, await store.client.hgetall(key), index, await store.client.smembers(index)])
    assert [] == [part for part in (token, token[:22], token[22:]) if part in stored]


async def test_a_token_is_256_random_bits_beside_its_family(sessions):
    token = (await sessions.open(ADA)).token
    following = (await sessions.rotate(token)).token

    assert (65, token[:22]) == (len(token), following[:22])
    assert token[22:] != following[22:]


async def test_the_token_is_not_in_the_repr_of_a_rotation(sessions):
    rotation = await sessions.rotate((await sessions.open(ADA)).token)

    assert rotation.token not in repr(rotation)


@pytest.mark.parametrize("user", [ADA, GUEST])
async def test_within_the_grace_a_lost_answer_is_given_again(graceful, user):
    first = (await graceful.open(user)).token
    lost = await graceful.rotate(first)

    again = await graceful.rotate(first)

    assert (lost.token, user, True) == (again.token, again.user, again.repeated)
    assert not lost.repeated
    assert (await graceful.rotate(again.token)).user == user


async def test_tabs_that_refresh_at_once_all_get_the_one_good_token(graceful):
    first = (await graceful.open(ADA)).token

    rotations = await asyncio.gather(*(graceful.rotate(first) for _ in range(20)))

    assert len({rotation.token for rotation in rotations}) == 1
    assert [False] + [True] * 19 == sorted(rotation.repeated for rotation in rotations)
    assert (await graceful.rotate(rotations[0].token)).user == ADA


async def test_the_end_of_the_grace_makes_a_used_token_a_reused_one(graceful, store):
    first = (await graceful.open(ADA)).token
    second = (await graceful.rotate(first)).token
    await end_of_grace(store)

    with pytest.raises(RefreshTokenReused):
        await graceful.rotate(first)

    with pytest.raises(Unauthenticated):
        await graceful.rotate(second)


async def test_the_use_of_the_next_token_ends_the_grace_of_the_last(graceful, store):
    first = (await graceful.open(ADA)).token
    second = (await graceful.rotate(first)).token
    third = (await graceful.rotate(second)).token

    with pytest.raises(RefreshTokenReused):
        await graceful.rotate(first)

    assert {store.revocations.encode(), b"rw:{auth}:lives:all"} == {*await store.client.keys()}
    for token in (second, third):
        with pytest.raises(Unauthenticated):
            await graceful.rotate(token)


async def test_a_session_that_ended_is_not_continued_by_the_grace(graceful, store):
    first = (await graceful.open(ADA)).token
    await graceful.rotate(first)

    assert await graceful.end(first) == ADA.id

    assert {store.revocations.encode(), b"rw:{auth}:lives:all"} == {*await store.client.keys()}
    with pytest.raises(Unauthenticated):
        await graceful.rotate(first)


async def test_within_the_grace_redis_has_no_token_either(graceful, store):
    first = (await graceful.open(ADA)).token
    second = (await graceful.rotate(first)).token

    (index,) = await store.client.keys("*:sessions:*")
    keys = [key for key in await store.client.keys() if key != index]
    stored = repr([(key, await store.client.hgetall(key)) for key in keys])
    stored += repr(await store.client.smembers(index))
    assert len(keys) == 2
    assert [] == [part for token in (first, second) for part in (token[:22], token[22:]) if part in stored]


async def revoked(store):
    return [fields for _, fields in await store.client.xrange(store.revocations)]


async def test_a_session_that_ends_is_told_to_the_gateways_once_and_for_as_long_as_its_tokens_last(store):
    sessions = Sessions(store, account_ttl_s=1000, guest_ttl_s=100, access_ttl_s=660)
    token = (await sessions.open(ADA)).token
    assert [] == await revoked(store)
    for _ in range(2):
        await sessions.end(token)

    assert [{b"session": session_of(token).encode(), b"for_s": b"660"}] == await revoked(store)
    assert 650 <= await store.client.ttl(store.revocations) <= 660


async def test_a_family_that_is_revoked_for_reuse_is_told_to_the_gateways(sessions, store):
    first = (await sessions.open(ADA)).token
    second = (await sessions.rotate(first)).token
    assert [] == await revoked(store)
    with pytest.raises(RefreshTokenReused):
        await sessions.rotate(first)

    ((told,)) = [fields[b"session"].decode() for fields in await revoked(store)]
    assert session_of(first) == session_of(second) == told


async def test_a_sessions_name_has_no_part_of_its_token(sessions):
    token = (await sessions.open(ADA)).token

    assert not any(token[at : at + 8] in session_of(token) for at in range(len(token) - 8))


async def names(sessions, user=ADA):
    return [session.id for session in await sessions.of_user(user.id)]


async def begin(sessions, user=ADA, account=None):
    return (await sessions.open(user, account)).token


def at(monkeypatch, now):
    """Let sessions begin and go on at this time."""
    monkeypatch.setattr("roomwire_auth.sessions.sessions.time.time", lambda: now)


async def test_a_users_sessions_are_found_with_their_times_and_no_others(sessions, monkeypatch):
    at(monkeypatch, 1000.0)
    first = await begin(sessions)
    at(monkeypatch, 2000.9)
    second = await begin(sessions)
    await begin(sessions, GUEST)
    at(monkeypatch, 3000.0)
    await sessions.rotate(first)

    assert [
        SessionInfo(session_of(first), created_at=1000, last_used_at=3000),
        SessionInfo(session_of(second), created_at=2000, last_used_at=2000),
    ] == await sessions.of_user(ADA.id)


async def test_a_session_that_ended_is_found_no_longer_however_it_ended(sessions, store):
    tokens = [await begin(sessions) for _ in range(4)]
    await sessions.end(tokens[0])
    await sessions.end_named(ADA.id, session_of(tokens[1]))
    await sessions.rotate(tokens[2])
    with pytest.raises(RefreshTokenReused):
        await sessions.rotate(tokens[2])
    assert [session_of(tokens[3])] == await names(sessions)

    await store.client.delete(await the_only_key(store))

    assert [] == await names(sessions)


async def test_the_set_of_sessions_forgets_those_that_expired_when_another_begins(sessions, store):
    for _ in range(3):
        await begin(sessions)
    await store.client.delete(*await store.client.keys("*:session:*"))
    (index,) = await store.client.keys("*:sessions:*")
    assert 3 == await store.client.scard(index)

    await begin(sessions)

    assert 1 == await store.client.scard(index)


async def test_the_set_lives_as_long_as_the_longest_session_in_it(store):
    await begin(Sessions(store, account_ttl_s=1000, guest_ttl_s=100))
    (index,) = await store.client.keys("*:sessions:*")
    await begin(Sessions(store, account_ttl_s=50, guest_ttl_s=50))
    assert 998 <= await store.client.ttl(index) <= 1000

    longer = await begin(Sessions(store, account_ttl_s=2000, guest_ttl_s=50))
    assert 1998 <= await store.client.ttl(index) <= 2000
    await Sessions(store, account_ttl_s=3000, guest_ttl_s=50).rotate(longer)
    assert 2998 <= await store.client.ttl(index) <= 3000


async def test_a_session_that_began_before_there_was_a_set_joins_it_when_it_goes_on(sessions, store):
    token = await begin(sessions)
    await store.client.delete(*await store.client.keys("*:sessions:*"))
    await store.client.hdel(await the_only_key(store), "created", "used")

    await sessions.rotate(token)

    (found,) = await sessions.of_user(ADA.id)
    assert (session_of(token), found.last_used_at) == (found.id, found.created_at)
    assert found.created_at > 0


async def test_one_session_too_many_ends_the_one_that_was_not_used_for_longest(store, monkeypatch):
    sessions = Sessions(store, account_ttl_s=1000, guest_ttl_s=100, max_sessions=2)
    tokens = []
    for now in (1000, 2000):
        at(monkeypatch, now)
        tokens.append(await begin(sessions))
    at(monkeypatch, 3000)
    tokens[0] = (await sessions.rotate(tokens[0])).token

    opened = await sessions.open(ADA)

    assert [session_of(tokens[1])] == opened.displaced
    assert [session_of(tokens[1])] == [entry[b"session"].decode() for entry in await revoked(store)]
    assert {session_of(tokens[0]), session_of(opened.token)} == {*await names(sessions)}
    with pytest.raises(Unauthenticated):
        await sessions.rotate(tokens[1])
    assert ADA == (await sessions.rotate(tokens[0])).user


async def test_of_sessions_that_begin_at_once_no_more_last_than_there_may_be(store):
    sessions = Sessions(store, account_ttl_s=1000, guest_ttl_s=100, max_sessions=3)

    await asyncio.gather(*(begin(sessions) for _ in range(20)))

    assert 3 == len(await names(sessions)) == len(await store.client.keys("*:session:*"))


@pytest.mark.parametrize("session", ["", "x", "0" * 32, "0" * 31, "ä" * 32, "\ud800" * 32, "*"])
async def test_there_is_no_session_of_another_name(sessions, session):
    await begin(sessions)

    assert not await sessions.end_named(ADA.id, session)
    assert 1 == len(await names(sessions))


async def test_nobody_ends_another_users_session_by_its_name(sessions):
    token = await begin(sessions)

    assert not await sessions.end_named(GUEST.id, session_of(token))

    assert ADA == (await sessions.rotate(token)).user


async def test_a_session_that_is_ended_by_its_name_is_told_to_the_gateways(sessions, store):
    token, other = await begin(sessions), await begin(sessions)

    assert await sessions.end_named(ADA.id, session_of(token))
    assert not await sessions.end_named(ADA.id, session_of(token))

    assert [session_of(token)] == [entry[b"session"].decode() for entry in await revoked(store)]
    assert [session_of(other)] == await names(sessions)


async def told(store):
    """Return what gateways know after reading all that was revoked."""
    known = Revoked()
    reader = RevocationReader(store.client, prefix="rw", revoked=known, apply=lambda: None)
    await reader._read()
    return known


def speaks(user, session, issued_at):
    return msgspec.structs.replace(user, session=session, issued_at=issued_at)


async def test_the_end_of_all_sessions_is_of_all_until_then_and_of_none_after(sessions, store):
    tokens = [await begin(sessions), await begin(sessions)]
    other = await begin(sessions, GUEST)

    ended = await sessions.end_all(ADA.id)

    assert {session_of(token) for token in tokens} == {*ended}
    known, now = await told(store), time.time()
    # By its session whenever it says that it was issued, by its user if it names no session.
    assert all(known.holds(speaks(ADA, session_of(token), now + 1000)) for token in tokens)
    assert known.holds(speaks(ADA, "", now - 1))
    assert not known.holds(speaks(GUEST, session_of(other), now - 1))
    later = await sessions.open(ADA)
    assert not known.holds(speaks(ADA, session_of(later.token), later.issue_from))
    assert now - 5 < later.issue_from <= now + 1
    assert later.issue_from == (await sessions.rotate(later.token)).issue_from
    assert 0 == (await sessions.rotate(other)).issue_from
    (cut,) = await store.client.keys("*:cut:*")
    assert 0 < await store.client.ttl(cut) <= 60


async def test_to_end_all_sessions_where_there_are_none_is_no_error(sessions):
    assert [] == await sessions.end_all(ADA.id)


@pytest.fixture
async def account(store):
    return await Accounts(store).add("Ada", "a hash")


async def test_another_password_ends_all_sessions_but_the_one_that_asked(sessions, store, account):
    user = account.user()
    kept, other = await begin(sessions, user, account), await begin(sessions, user, account)

    ended = await sessions.change_password(account, "another hash", kept=session_of(kept))

    assert [session_of(other)] == ended
    assert [session_of(kept)] == await names(sessions, user)
    known = await told(store)
    assert [False, True] == [known.holds(speaks(user, session_of(one), 0)) for one in (kept, other)]
    changed = await Accounts(store).find("ada")
    assert ("another hash", 1) == (changed.password_hash, changed.password_changes)
    assert account == msgspec.structs.replace(changed, password_hash="a hash", password_changes=0)


async def test_the_end_of_an_account_ends_all_that_it_has_and_frees_its_name(sessions, store, account):
    user = account.user()
    token = await begin(sessions, user, account)

    assert [session_of(token)] == await sessions.delete_account(account)

    assert await Accounts(store).find("ada") is None
    assert (await told(store)).holds(speaks(user, "", time.time() - 1))
    with pytest.raises(Unauthenticated):
        await sessions.rotate(token)
    following = await Accounts(store).add("ADA", "a hash")
    assert following.id != account.id
    kinds = {key.split(b":")[2] for key in await store.client.keys()}
    assert {b"account", b"revoked", b"lives", b"cut"} == kinds


@pytest.mark.parametrize("change", ["another password", "gone", "another account of the name"])
async def test_what_was_checked_before_an_account_changed_counts_for_nothing(
    sessions, store, account, change
):
    token = await begin(sessions, account.user(), account)
    if change == "another password":
        await sessions.change_password(account, "another hash", kept=session_of(token))
    else:
        await sessions.delete_account(account)
    if change == "another account of the name":
        await Accounts(store).add("ada", "a hash")
    before = [await store.client.hgetall(key) for key in await store.client.keys("rw:{auth}:account:*")]

    for attempt in (
        sessions.open(account.user(), account),
        sessions.change_password(account, "a third", kept=""),
        sessions.delete_account(account),
    ):
        with pytest.raises(AccountChanged):
            await attempt

    assert before == [
        await store.client.hgetall(key) for key in await store.client.keys("rw:{auth}:account:*")
    ]
    expected = [session_of(token)] if change == "another password" else []
    assert expected == await names(sessions, account.user())


async def test_of_changes_of_a_password_at_once_exactly_one_wins(sessions, account):
    asked = [sessions.change_password(account, f"hash {number}", kept="") for number in range(8)]

    results = await asyncio.gather(*asked, return_exceptions=True)

    assert 1 == len([one for one in results if not isinstance(one, AccountChanged)])


async def test_an_account_of_before_there_were_changes_can_be_changed(sessions, store, account):
    await store.client.hdel(store.key("account", "ada"), "password_changes")
    found = await Accounts(store).find("ada")
    await sessions.open(found.user(), found)

    await sessions.change_password(found, "another", kept="")

    assert 1 == (await Accounts(store).find("ada")).password_changes


async def test_the_token_is_not_in_the_repr_of_what_was_opened(sessions):
    opened = await sessions.open(ADA)

    assert opened.token not in repr(opened)


async def test_a_guest_is_kept_for_long_once_its_token_is_used(store):
    sessions = Sessions(store, account_ttl_s=1_000, guest_ttl_s=500, guest_first_ttl_s=100)
    opened = await sessions.open(GUEST)
    key = (await store.client.keys("*:session:*"))[0]
    first = await store.client.ttl(key)
    await sessions.rotate(opened.token)

    assert first <= 100 < await store.client.ttl(key)
    assert await store.client.ttl(key) <= 500


async def test_one_guest_too_many_is_refused_until_another_ends_and_accounts_are_not(store):
    sessions = Sessions(store, account_ttl_s=1_000, guest_ttl_s=500, max_guests=2)
    tokens = [(await sessions.open(GUEST)).token for _ in range(2)]
    with pytest.raises(TooManyGuests):
        await sessions.open(GUEST)
    await begin(sessions)
    # A guest that stays counts once.
    await sessions.rotate(tokens[0])
    with pytest.raises(TooManyGuests):
        await sessions.open(GUEST)

    await sessions.end(tokens[1])
    await sessions.open(GUEST)


async def test_guests_whose_sessions_have_expired_do_not_count(store):
    sessions = Sessions(store, account_ttl_s=1_000, guest_ttl_s=500, max_guests=1)
    await sessions.open(GUEST)
    (part,) = await store.client.hkeys("rw:{auth}:guests:all")
    await store.client.delete("rw:{auth}:guests:all")
    await store.client.hset("rw:{auth}:guests:all", str(int(part) - 2_000), 1)

    await sessions.open(GUEST)


async def test_a_version_that_does_not_count_guests_may_continue_and_end_their_sessions(store):
    sessions = Sessions(store, account_ttl_s=1_000, guest_ttl_s=500, max_guests=2)
    opened = await sessions.open(GUEST)
    (key,) = await store.client.keys("*:session:*")
    await store.client.hdel(key, "part")
    await sessions.end((await sessions.rotate(opened.token)).token)

    assert all(int(count) >= 0 for count in await store.client.hvals("rw:{auth}:guests:all"))


async def test_no_revocation_is_dropped_for_a_newer_one_and_none_is_kept_longer_than_a_token(store):
    sessions = Sessions(store, account_ttl_s=1_000, guest_ttl_s=500, access_ttl_s=300)
    tokens = [(await sessions.open(GUEST)).token for _ in range(300)]
    for token in tokens:
        await sessions.end(token)
    assert 300 == await store.client.xlen(store.revocations)

    # As if the last one were old. The server removes whole parts of the stream, so a few may stay.
    last = await store.client.hget("rw:{auth}:lives:all", "last")
    await store.client.hset("rw:{auth}:lives:all", "last", int(last) + 301_000)
    await sessions.end((await sessions.open(GUEST)).token)
    assert await store.client.xlen(store.revocations) <= 101


async def test_while_memory_of_redis_is_scarce_no_guest_begins_and_accounts_and_old_guests_go_on(own_redis):
    store = Store(connect(own_redis.url, key=slot_key("rw")), prefix="rw", timeout_s=1)
    sessions = Sessions(store, account_ttl_s=1_000, guest_ttl_s=500, guests_mark=0.7)
    old = await sessions.open(GUEST)
    await store.client.setrange("ballast", 32 << 20, "x")
    used = (await store.client.info("memory"))["used_memory"]
    await store.client.config_set("maxmemory", int(used / 0.75))

    numbers = itertools.count()

    async def is_refused():
        try:
            # Another guest each time: of too many sessions of one user the oldest ends.
            await sessions.open(User(id=f"guest:{next(numbers)}", name="Guest", kind="guest"))
        except TooManyGuests:
            return True
        return False

    # It looks at the memory once a second.
    await until(is_refused)
    await begin(sessions)
    await sessions.rotate(old.token)

    await store.client.execute_command("ACL", "SETUSER", "default", "-info")
    await until(lambda: is_admitted(is_refused))
    await store.close()


async def is_admitted(is_refused):
    return not await is_refused()
