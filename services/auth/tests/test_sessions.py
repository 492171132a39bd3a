"""Refresh tokens in a real Redis: rotation, reuse, end."""

import asyncio

import pytest

from auth.errors import RefreshTokenReused
from auth.sessions import Rotation, Sessions, session_of
from roomwire.errors import Unauthenticated
from roomwire.tokens import User

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
    (key,) = await store.client.keys()
    return key


@pytest.mark.parametrize("user", [ADA, GUEST])
async def test_a_token_is_exchanged_for_the_next_of_its_user(sessions, user):
    first = await sessions.open(user)

    rotation = await sessions.rotate(first)

    assert rotation.user == user
    assert rotation.token != first
    assert (await sessions.rotate(rotation.token)).user == user


@pytest.mark.parametrize("uses", [1, 2, 5])
async def test_a_used_token_revokes_its_whole_family_however_old_it_is(sessions, uses):
    first = newest = await sessions.open(ADA)
    for _ in range(uses):
        newest = (await sessions.rotate(newest)).token

    with pytest.raises(RefreshTokenReused) as caught:
        await sessions.rotate(first)

    assert caught.value.user_id == ADA.id
    with pytest.raises(Unauthenticated):
        await sessions.rotate(newest)


async def test_a_revoked_family_leaves_others_of_the_user_alone(sessions):
    stolen, other = await sessions.open(ADA), await sessions.open(ADA)
    await sessions.rotate(stolen)
    with pytest.raises(RefreshTokenReused):
        await sessions.rotate(stolen)

    assert (await sessions.rotate(other)).user == ADA


async def test_of_concurrent_exchanges_of_one_token_at_most_one_wins(sessions):
    token = await sessions.open(ADA)

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
    first = await sessions.open(ADA)
    second = (await sessions.rotate(first)).token

    assert await sessions.end(first) == ADA.id

    assert await sessions.end(second) is None
    with pytest.raises(Unauthenticated):
        await sessions.rotate(second)


@pytest.mark.parametrize(("user", "ttl_s"), [(ADA, 1000), (GUEST, 100)])
async def test_a_session_lives_as_long_as_its_kind_of_user_may_be_away(sessions, store, user, ttl_s):
    token = await sessions.open(user)
    key = await the_only_key(store)
    assert ttl_s - 2 < await store.client.ttl(key) <= ttl_s
    await store.client.expire(key, 5)

    await sessions.rotate(token)

    assert ttl_s - 2 < await store.client.ttl(key) <= ttl_s


async def test_redis_has_neither_the_token_nor_a_part_of_it(sessions, store):
    token = await sessions.open(ADA)

    key = await the_only_key(store)
    stored = repr(key) + repr(await store.client.hgetall(key))
    assert [] == [part for part in (token, token[:22], token[22:]) if part in stored]


async def test_a_token_is_256_random_bits_beside_its_family(sessions):
    token = await sessions.open(ADA)
    following = (await sessions.rotate(token)).token

    assert (65, token[:22]) == (len(token), following[:22])
    assert token[22:] != following[22:]


async def test_the_token_is_not_in_the_repr_of_a_rotation(sessions):
    rotation = await sessions.rotate(await sessions.open(ADA))

    assert rotation.token not in repr(rotation)


@pytest.mark.parametrize("user", [ADA, GUEST])
async def test_within_the_grace_a_lost_answer_is_given_again(graceful, user):
    first = await graceful.open(user)
    lost = await graceful.rotate(first)

    again = await graceful.rotate(first)

    assert (lost.token, user, True) == (again.token, again.user, again.repeated)
    assert not lost.repeated
    assert (await graceful.rotate(again.token)).user == user


async def test_tabs_that_refresh_at_once_all_get_the_one_good_token(graceful):
    first = await graceful.open(ADA)

    rotations = await asyncio.gather(*(graceful.rotate(first) for _ in range(20)))

    assert len({rotation.token for rotation in rotations}) == 1
    assert [False] + [True] * 19 == sorted(rotation.repeated for rotation in rotations)
    assert (await graceful.rotate(rotations[0].token)).user == ADA


async def test_the_end_of_the_grace_makes_a_used_token_a_reused_one(graceful, store):
    first = await graceful.open(ADA)
    second = (await graceful.rotate(first)).token
    await end_of_grace(store)

    with pytest.raises(RefreshTokenReused):
        await graceful.rotate(first)

    with pytest.raises(Unauthenticated):
        await graceful.rotate(second)


async def test_the_use_of_the_next_token_ends_the_grace_of_the_last(graceful, store):
    first = await graceful.open(ADA)
    second = (await graceful.rotate(first)).token
    third = (await graceful.rotate(second)).token

    with pytest.raises(RefreshTokenReused):
        await graceful.rotate(first)

    assert [store.revocations.encode()] == await store.client.keys()
    for token in (second, third):
        with pytest.raises(Unauthenticated):
            await graceful.rotate(token)


async def test_a_session_that_ended_is_not_continued_by_the_grace(graceful, store):
    first = await graceful.open(ADA)
    await graceful.rotate(first)

    assert await graceful.end(first) == ADA.id

    assert [store.revocations.encode()] == await store.client.keys()
    with pytest.raises(Unauthenticated):
        await graceful.rotate(first)


async def test_within_the_grace_redis_has_no_token_either(graceful, store):
    first = await graceful.open(ADA)
    second = (await graceful.rotate(first)).token

    keys = await store.client.keys()
    stored = repr([(key, await store.client.hgetall(key)) for key in keys])
    assert len(keys) == 2
    assert [] == [part for token in (first, second) for part in (token[:22], token[22:]) if part in stored]


async def revoked(store):
    return [fields for _, fields in await store.client.xrange(store.revocations)]


async def test_a_session_that_ends_is_told_to_the_gateways_once_and_for_as_long_as_its_tokens_last(store):
    sessions = Sessions(store, account_ttl_s=1000, guest_ttl_s=100, access_ttl_s=660)
    token = await sessions.open(ADA)
    assert [] == await revoked(store)
    for _ in range(2):
        await sessions.end(token)

    assert [{b"session": session_of(token).encode(), b"for_s": b"660"}] == await revoked(store)
    assert 650 <= await store.client.ttl(store.revocations) <= 660


async def test_a_family_that_is_revoked_for_reuse_is_told_to_the_gateways(sessions, store):
    first = await sessions.open(ADA)
    second = (await sessions.rotate(first)).token
    assert [] == await revoked(store)
    with pytest.raises(RefreshTokenReused):
        await sessions.rotate(first)

    ((told,)) = [fields[b"session"].decode() for fields in await revoked(store)]
    assert session_of(first) == session_of(second) == told


async def test_a_sessions_name_has_no_part_of_its_token(sessions):
    token = await sessions.open(ADA)

    assert not any(token[at : at + 8] in session_of(token) for at in range(len(token) - 8))
