"""What every store of standings promises, tested on each of them."""

import asyncio

import pytest

from roomwire.cluster.standings.contract import SOCKET_TTL_S, Standing
from roomwire.cluster.standings.memory import MemoryStandings
from roomwire.cluster.standings.opening import open_standings
from roomwire.errors import Unavailable


@pytest.fixture
async def store(backplane_url):
    store = open_standings(backplane_url)
    yield store
    await store.close()


async def admitted(store, *sids, user="ann", node="n1", most=2):
    return [(await store.admit(user, sid, node=node, most=most)).is_admitted for sid in sids]


async def test_a_user_has_as_many_sockets_as_it_may(store):
    assert [True, True, False] == await admitted(store, "a", "b", "c")
    assert [True] == await admitted(store, "c", user="bob")


async def test_a_socket_that_counts_is_admitted_again_on_whatever_node(store):
    await admitted(store, "a", "b")

    assert [True, False] == await admitted(store, "a", "c", node="n2")


async def test_who_parts_leaves_a_place(store):
    await admitted(store, "a", "b")
    await store.part("ann", "a", node="n1")

    assert [True, False] == await admitted(store, "c", "d")


async def test_a_node_takes_no_place_from_a_socket_that_goes_on_elsewhere(store):
    await admitted(store, "a", "b")
    await admitted(store, "a", node="n2")
    await store.part("ann", "a", node="n1")

    assert [False] == await admitted(store, "c")


async def test_where_there_is_no_bound_any_number_is_admitted(store):
    assert [True] * 5 == await admitted(store, *"abcde", most=0)
    assert [True, True] == await admitted(store, "f", "g")


async def test_of_sockets_that_come_at_once_only_as_many_as_may_are_admitted(store):
    come = (store.admit("ann", str(number), node="n1", most=5) for number in range(20))

    assert 5 == sum(one.is_admitted for one in await asyncio.gather(*come))


async def test_who_is_banned_is_not_admitted_until_the_ban_ends(store):
    await store.ban("ann", for_s=600)
    admission = await store.admit("ann", "a", node="n1", most=0)
    assert (False, True) == (admission.is_admitted, 500 < admission.standing.banned_s <= 600)
    assert [True] == await admitted(store, "b", user="bob")

    await store.ban("ann", for_s=0)
    assert [True] == await admitted(store, "a")


async def test_who_is_muted_is_admitted_and_its_standing_says_for_how_long(store):
    await store.mute("ann", for_s=600)
    admission = await store.admit("ann", "a", node="n1", most=1)
    assert (True, True) == (admission.is_admitted, 500 < admission.standing.muted_s <= 600)

    await store.mute("ann", for_s=0)
    assert Standing() == (await store.admit("ann", "a", node="n1", most=1)).standing


async def test_a_refresh_says_who_was_banned_and_muted(store):
    await admitted(store, "a", "b")
    await admitted(store, "c", user="bob")
    await store.ban("ann", for_s=600)
    await store.mute("bob", for_s=600)

    held = {"a": "ann", "b": "ann", "c": "bob", **{f"d{number}": "carl" for number in range(250)}}
    found = await store.refresh(held, counted={"a"}, node="n1")
    told = {user: (one.banned_s > 500, one.muted_s > 500) for user, one in found.items()}
    assert {"ann": (True, False), "bob": (False, True), "carl": (False, False)} == told


async def test_a_refreshed_socket_counts_though_it_was_forgotten(store):
    await store.refresh({"a": "ann", "b": "ann"}, counted={"a"}, node="n1")

    assert [True, False] == await admitted(store, "b", "c")


async def test_a_socket_of_which_nothing_is_heard_counts_no_more():
    now = 0.0
    store = MemoryStandings(lambda: now)
    await admitted(store, "a", "b")
    now = SOCKET_TTL_S - 1
    await store.refresh({"a": "ann"}, counted={"a"}, node="n1")
    assert [False] == await admitted(store, "c")

    now = SOCKET_TTL_S + 1
    assert [True, False] == await admitted(store, "c", "d")


async def test_in_redis_too_a_socket_of_which_nothing_is_heard_counts_no_more(
    redis_url, starts_servers, monkeypatch
):
    monkeypatch.setattr("roomwire.cluster.standings.redis._TTL_MS", 1)
    store = open_standings(redis_url)
    await admitted(store, "a", "b")

    async with asyncio.timeout(60):
        while not (await admitted(store, "c"))[0]:
            await asyncio.sleep(0)
    await store.close()


async def test_where_redis_is_away_nobody_knows(free_port):
    store = open_standings(f"redis://127.0.0.1:{free_port}/0")
    with pytest.raises(Unavailable):
        await store.admit("ann", "a", node="n1", most=1)
    await store.close()
