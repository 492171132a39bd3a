"""How the store is asked, and what becomes of silence."""

import time

import pytest

from auth.store import Store
from roomwire.backplane.redis import connect
from roomwire.errors import Unavailable


def test_keys_carry_the_prefix_and_one_hash_tag(store):
    assert store.key("account", "ada") == "rw:{auth}:account:ada"


async def test_a_store_that_answers_is_well(store):
    await store.ping()


async def test_a_refused_connection_is_unavailable(free_port):
    store = Store(connect(f"redis://127.0.0.1:{free_port}"), prefix="rw", timeout_s=1)

    with pytest.raises(Unavailable):
        await store.ping()

    await store.close()


async def test_a_store_that_hangs_is_given_up_in_time(own_redis):
    store = Store(connect(own_redis.url), prefix="rw", timeout_s=0.2)
    await store.ping()
    own_redis.pause()
    began = time.perf_counter()

    with pytest.raises(Unavailable):
        await store.ping()

    assert time.perf_counter() - began < 1
    await store.close()


async def test_the_store_is_found_again_after_a_restart(own_redis):
    store = Store(connect(own_redis.url), prefix="rw", timeout_s=1)
    await store.ping()
    own_redis.kill()
    with pytest.raises(Unavailable):
        await store.ping()

    own_redis.start()

    await store.ping()
    await store.close()


async def test_an_error_of_redis_is_unavailable(store):
    await store.client.set("text", "a")

    with pytest.raises(Unavailable):
        await store.ask(store.client.hgetall("text"))


async def test_closing_twice_is_closing_once(store):
    await store.close()
    await store.close()
