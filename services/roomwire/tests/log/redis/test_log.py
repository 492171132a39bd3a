"""What only the log on Redis has: links that are lost, a primary that dies, forgets, or has no memory left."""

import asyncio
import re
import time

import msgspec
import pytest
import redis
import redis.asyncio
from flaky_proxy import Proxy
from gateways_of_a_log import ATTIC, DEN, EVERYBODY, QUICK, sid_stream, text, world_of
from waiting import time_passes, time_passes_blocking, until

from roomwire.errors import ConfigurationError, OutcomeUnknown, Unavailable
from roomwire.log.config import LogConfig
from roomwire.log.entries import Message, encode_message
from roomwire.log.errors import LogHeld, NotReadByAll
from roomwire.log.reading import Range
from roomwire.log.redis.scripts import Scripts
from roomwire.log.replay import base_of
from roomwire.log.sessions import Claimed, ClaimRefused
from roomwire.log.streams import room_stream

pytestmark = pytest.mark.parametrize("redis_binary", ["valkey", "redis"], indirect=True)


@pytest.fixture
async def world(own_server):
    async with world_of(own_server.url) as world:
        yield world


@pytest.fixture
async def admin(own_server):
    async with redis.asyncio.from_url(own_server.url) as client:
        yield client


async def kill_link(admin, gateway, kind):
    """Have the server close one of a gateway's two connections."""
    name = f"roomwire-{kind}:{gateway.log.node}"
    found = []
    while not found:
        found = [one["id"] for one in await admin.client_list() if one["name"] == name]
    await admin.client_kill_filter(_id=found[0])


async def speak(gateway, texts, said, errors=()):
    """Publish one after the other, each until it is acknowledged; what failed for sure is said again."""
    for one in texts:
        while True:
            try:
                await gateway.log.publish(DEN, text(one), message_id=f"{gateway.log.node}:{one}")
            except Unavailable:
                await time_passes(0.02)
            else:
                said.append(str(one))
                break


# -- links


@pytest.mark.parametrize("kind", ["log", "bulk"])
async def test_nothing_is_lost_doubled_or_reordered_when_a_link_is_killed_under_load(world, admin, kind):
    first, second = await world.start("a"), await world.start("b")
    await first.hear(DEN)
    await second.hear(DEN)
    said = []
    speaking = asyncio.gather(speak(first, range(1_500), said), speak(second, range(2_000, 3_500), said))
    for _ in range(10):
        await time_passes(0.03)
        lives = first.lives
        await kill_link(admin, first, kind)
        await first.live_again(lives)
    await speaking
    for gateway in (first, second):
        await until(lambda gateway=gateway: len(gateway.entries) >= 3_000)
        assert sorted(said) == sorted(gateway.texts)
    assert first.texts == second.texts
    assert [str(number) for number in range(1_500)] == [one for one in first.texts if int(one) < 2_000]
    assert (10, 0, []) == (first.held, first.losses, first.incomplete)


async def test_publishes_under_way_when_a_link_is_lost_are_appended_once_and_in_order(world, admin):
    gateway = await world.start()
    await gateway.hear(DEN)
    said = []
    for round_ in range(10):
        said += [gateway.log.publish(DEN, text(number)) for number in range(round_ * 300, round_ * 300 + 300)]
        await asyncio.sleep(0)
        await kill_link(admin, gateway, "bulk")
    await asyncio.gather(*said)
    await gateway.hears(*range(3_000))


async def test_a_publish_whose_answer_was_lost_is_appended_once(own_server):
    async with Proxy(own_server.port) as proxy, world_of(proxy.url) as world:
        gateway = await world.start()
        await gateway.hear(DEN)
        proxy.drops_replies = True
        saying = asyncio.ensure_future(gateway.say("a", "b", "c"))
        await until(lambda: proxy.dropped)
        lives = gateway.lives
        proxy.drops_replies = False
        proxy.cut()
        published = await saying
        await gateway.live_again(lives)
        (after,) = await gateway.say("d")
        await gateway.hears("a", "b", "c", "d")

        assert [True, True, True] == [one.is_repeat for one in published]
        assert not after.is_repeat


async def test_a_publish_that_was_never_sent_fails_as_not_done_and_one_that_was_as_unknown(own_server):
    config = msgspec.structs.replace(QUICK, call_timeout_s=0.4, link_timeout_s=0.2)
    async with Proxy(own_server.port) as proxy, world_of(proxy.url, config) as world:
        gateway = await world.start()
        await gateway.hear(DEN)
        proxy.hold()
        sent = gateway.log.publish(DEN, text("sent"))
        await until(lambda: gateway.held)
        unsent = gateway.log.publish(DEN, text("unsent"))
        with pytest.raises(OutcomeUnknown):
            await sent
        with pytest.raises(Unavailable) as caught:
            await unsent
        assert not isinstance(caught.value, OutcomeUnknown)
        assert {"code": "unavailable", "retryable": True} == {
            name: caught.value.details()[name] for name in ("code", "retryable")
        }
        proxy.cut()
        proxy.flow()
        await gateway.live_again(1)
        await gateway.say("c")
        await until(lambda: "c" in gateway.texts)
        assert "unsent" not in gateway.texts


async def test_once_somebody_waited_in_vain_nobody_else_waits_until_the_log_is_live_again(own_server):
    config = msgspec.structs.replace(QUICK, call_timeout_s=0.4, link_timeout_s=0.2)
    async with Proxy(own_server.port) as proxy, world_of(proxy.url, config) as world:
        gateway = await world.start()
        proxy.hold()
        await until(lambda: gateway.held)
        with pytest.raises(Unavailable):
            await gateway.log.publish(DEN, text("waits"))
        refused = gateway.log.publish(DEN, text("does not"))
        assert refused.done()
        assert "unavailable" == refused.exception().code
        for call in (gateway.log.mark(), gateway.log.newest(DEN, limit=1)):
            with pytest.raises(LogHeld):
                await call
        proxy.cut()
        proxy.flow()
        await gateway.live_again(1)
        await gateway.say("heard")


async def test_a_call_whose_answer_was_lost_says_that_its_outcome_is_unknown(own_server):
    async with Proxy(own_server.port) as proxy, world_of(proxy.url) as world:
        gateway = await world.start()
        tenure = await gateway.session()
        gateway.log.subscribe(DEN)
        proxy.drops_replies = True
        with pytest.raises(OutcomeUnknown):
            await gateway.log.join(tenure, DEN)
        proxy.drops_replies = False
        proxy.cut()
        claimed = await gateway.log.claim(tenure.sid, namespace="/", subject="")

        assert [DEN] == list(claimed.rooms)


async def test_a_link_that_is_silent_is_noticed_within_the_heartbeat(own_server):
    config = msgspec.structs.replace(QUICK, link_timeout_s=0.3, heartbeat_s=1.0)
    async with Proxy(own_server.port) as proxy, world_of(proxy.url, config) as world:
        gateway = await world.start()
        await time_passes(0.5)
        proxy.hold()
        started = time.monotonic()
        await until(lambda: gateway.held)

        assert time.monotonic() - started < config.heartbeat_s
        assert not gateway.log.is_live
        with pytest.raises(Unavailable):
            await gateway.log.check()
        proxy.flow()
        await gateway.live_again(1)


async def test_what_was_missed_comes_in_order_before_the_log_is_live(own_server, world):
    async with Proxy(own_server.port) as proxy:
        deaf = world.make("deaf", url=proxy.url)
        await deaf.log.start(deaf)
        speaker = await world.start("b")
        tenure = await deaf.session(DEN)
        await deaf.hear(ATTIC, EVERYBODY)
        proxy.hold()
        await until(lambda: deaf.held)
        streams = [DEN, ATTIC, EVERYBODY, sid_stream(tenure.sid), room_stream("/", "not ours")]
        for number in range(400):
            await speaker.log.publish(streams[number % 5], text(number))
        proxy.cut()
        proxy.flow()
        await deaf.live_again(1)
        await speaker.say("after")
        expected = [number for number in range(400) if number % 5 != 4]
        await deaf.hears(*expected, "after")

        assert deaf.told.index(b"398") < len(deaf.told) - 2
        assert ["live", b"after"] == deaf.told[-2:]


async def test_a_room_whose_history_was_trimmed_meanwhile_is_told_to_be_incomplete(own_server, world):
    config = msgspec.structs.replace(QUICK, max_stream_entries=100)
    async with world_of(own_server.url, config) as small, Proxy(own_server.port) as proxy:
        deaf = small.make("deaf", url=proxy.url)
        await deaf.log.start(deaf)
        speaker = await small.start("b")
        await deaf.hear(DEN, ATTIC)
        await speaker.say("x")
        await speaker.say("y", stream=ATTIC)
        proxy.hold()
        await until(lambda: deaf.held)
        await speaker.say(*range(500))
        await speaker.say("z", stream=ATTIC)
        proxy.cut()
        proxy.flow()
        await deaf.live_again(1)
        await speaker.say("after")
        await deaf.hears("x", "y", "z", "after")

        assert [DEN] == deaf.incomplete


async def test_sockets_that_were_claimed_meanwhile_are_fenced_before_anything_is_delivered(own_server, world):
    async with Proxy(own_server.port) as proxy:
        deaf = world.make("deaf", url=proxy.url)
        await deaf.log.start(deaf)
        other = await world.start("b")
        lost, kept = await deaf.session(DEN), await deaf.session(DEN)
        proxy.hold()
        await until(lambda: deaf.held)
        await other.log.claim(lost.sid, namespace="/", subject="")
        await other.say("a")
        proxy.cut()
        proxy.flow()
        await deaf.live_again(1)
        await deaf.hears("a")

        assert ["live", ("fenced", lost.sid, 1), b"a", "live"] == deaf.told
        assert await deaf.log.join(kept, ATTIC)


async def test_an_orderly_close_is_no_lost_link(world):
    gateway = await world.start()
    await gateway.log.close()

    assert (0, False) == (gateway.held, gateway.log.is_live)
    values = {
        name: gateway.metrics.registry.get_sample_value(f"roomwire_{name}")
        for name in ("log_links_lost_total", "backplane_up")
    }
    assert {"log_links_lost_total": 0, "backplane_up": 0} == values


async def test_subscriptions_made_while_the_log_is_held_are_made_good(world, admin):
    gateway = await world.start()
    await kill_link(admin, gateway, "log")
    await until(lambda: gateway.held)
    await gateway.hear(DEN)
    await gateway.say("a")
    await gateway.hears("a")


async def test_a_killed_pubsub_connection_loses_nothing(world, admin):
    gateway = await world.start()
    await gateway.hear(DEN)
    saying = asyncio.gather(*(gateway.log.publish(DEN, text(number)) for number in range(1_000)))
    await admin.client_kill_filter(_type="pubsub")
    await saying
    await gateway.hears(*range(1_000))


async def test_an_output_buffer_that_overflows_loses_nothing(world, admin):
    gateway = await world.start()
    await gateway.hear(DEN)
    await admin.config_set("client-output-buffer-limit", "pubsub 32kb 16kb 1")
    large = "x" * 10_000
    for _ in range(20):
        await gateway.say(*([large] * 20))
    await until(lambda: len(gateway.entries) == 400)

    assert (0, []) == (gateway.losses, gateway.incomplete)


# -- the primary


async def test_a_primary_that_was_killed_and_kept_its_file_is_as_if_nothing_had_happened(world, own_server):
    first, second = await world.start("a"), await world.start("b")
    tenure = await first.session(DEN, data=b"kept")
    await second.hear(DEN)
    before = first.log.epoch
    said = []
    speaking = asyncio.gather(speak(first, range(300), said), speak(second, range(1_000, 1_300), said))
    await until(lambda: len(said) > 100)
    own_server.kill()
    await until(lambda: first.held and second.held)
    own_server.start()
    await speaking
    for gateway in (first, second):
        await until(lambda gateway=gateway: len(gateway.entries) >= 600)
        assert sorted(said) == sorted(gateway.texts)
        assert 0 == gateway.losses

    assert first.texts == second.texts
    assert before != first.log.epoch == second.log.epoch
    assert await first.log.join(tenure, ATTIC)


async def test_after_a_restart_a_session_is_claimed_once_its_owner_has_confirmed_it(world, own_server):
    first, second = await world.start("a"), await world.start("b")
    tenure, silent = await first.session(DEN), await first.session()
    held = first.log.offset()
    own_server.kill()
    await until(lambda: first.held and second.held)
    own_server.start()
    await first.live_again(1)

    assert ClaimRefused.NOT_YET == await second.log.claim(tenure.sid, namespace="/", subject="")
    first.log.receipt(tenure, held)
    await first.receipts_arrive()
    assert ClaimRefused.NOT_YET == await second.log.claim(tenure.sid, namespace="/", subject="")
    first.log.receipt(tenure, first.log.offset())
    await first.receipts_arrive()
    claimed = await second.log.claim(tenure.sid, namespace="/", subject="")
    assert isinstance(claimed, Claimed)
    assert {held.epoch} == set(claimed.ends)
    assert claimed.known >= held.position == base_of(str(held), claimed, second.log.epoch)

    async def the_silent_one_is_gone():
        return ClaimRefused.GONE == await second.log.claim(silent.sid, namespace="/", subject="")

    assert not await the_silent_one_is_gone()
    await until(the_silent_one_is_gone, within_s=10 * QUICK.confirm_s)


async def test_the_session_of_a_client_that_was_cut_while_redis_was_away_continues_unless_redis_was_started_again(
    world, own_server
):
    first, second = await world.start("a"), await world.start("b")
    cut = [await first.session(DEN) for _ in range(2)]
    await first.receipts_arrive()

    async def cut_while_away(tenure, leave, come_back):
        lives = first.lives, second.lives
        leave()
        await until(lambda: not first.log.is_live and not second.log.is_live)
        first.log.release(tenure)
        come_back()
        await first.live_again(lives[0])
        await second.live_again(lives[1])
        return await second.log.claim(tenure.sid, namespace="/", subject="")

    paused = await cut_while_away(cut[0], own_server.pause, own_server.resume)
    assert isinstance(paused, Claimed)
    assert DEN in paused.rooms

    # Its append-only file has the session, and it is not known what else it should have.
    restarted = await cut_while_away(cut[1], own_server.kill, own_server.start)
    assert restarted in {ClaimRefused.NOT_YET, ClaimRefused.GONE}

    async def is_gone():
        return ClaimRefused.GONE == await second.log.claim(cut[1].sid, namespace="/", subject="")

    await until(is_gone, within_s=10 * QUICK.confirm_s)
    assert (0, 0) == (first.losses, second.losses)


@pytest.mark.parametrize("how", ["flushed", "empty"])
async def test_a_primary_that_lost_its_data_is_told_to_everybody(world, own_server, how):
    first, second, idle = await world.start("a"), await world.start("b"), await world.start("c")
    tenure = await first.session(DEN)
    await second.hear(DEN)
    before = (first.log.epoch, first.log.cut)
    if how == "flushed":
        own_server.flush()
    else:
        own_server.kill()
        own_server.empty()
        own_server.start()
    gateways = (first, second, idle)
    # Whoever knows more than the one before proves another loss: they agree within a few heartbeats.
    await until(
        lambda: (
            all(one.losses and one.log.is_live for one in gateways)
            and len({one.log.epoch for one in gateways}) == 1
        )
    )

    assert before[0] < first.log.epoch
    assert ClaimRefused.GONE == await second.log.claim(tenure.sid, namespace="/", subject="")
    await first.hear(DEN)
    await first.say("anew")
    for gateway in (first, second):
        await gateway.hears("anew")


async def test_a_primary_that_is_paused_delays_and_loses_nothing(world, own_server):
    first, second = await world.start("a"), await world.start("b")
    await first.hear(DEN)
    await second.hear(DEN)
    said = []
    speaking = asyncio.gather(speak(first, range(300), said), speak(second, range(1_000, 1_300), said))
    await until(lambda: len(said) > 50)
    own_server.pause()
    await until(lambda: first.held and second.held)
    own_server.resume()
    await speaking
    for gateway in (first, second):
        await until(lambda gateway=gateway: len(gateway.entries) >= 600)
        assert sorted(said) == sorted(gateway.texts)


async def test_while_the_primary_is_paused_every_call_ends_in_time(own_server):
    config = msgspec.structs.replace(QUICK, call_timeout_s=0.6, link_timeout_s=0.3)
    async with world_of(own_server.url, config) as world:
        gateway = await world.start()
        tenure = await gateway.session(DEN)
        calls = [
            gateway.log.check,
            gateway.log.mark,
            lambda: gateway.say("a"),
            gateway.session,
            lambda: gateway.log.join(tenure, ATTIC),
            lambda: gateway.log.leave(tenure, DEN),
            lambda: gateway.log.save(tenure, b"x"),
            lambda: gateway.log.claim(tenure.sid, namespace="/", subject=""),
            lambda: gateway.log.end(tenure.sid),
            lambda: gateway.log.find(tenure.sid),
            lambda: gateway.log.newest(DEN, limit=1),
            lambda: gateway.log.read([Range(DEN, 0, 9)], max_entries=1, max_bytes=1),
            gateway.log.nodes,
            lambda: gateway.log.request(gateway.log.node, b"x", timeout_s=0.6),
        ]
        own_server.pause()
        started = time.monotonic()
        outcomes = await asyncio.gather(*(call() for call in calls), return_exceptions=True)

        assert [True] * len(calls) == [isinstance(one, Unavailable) for one in outcomes]
        assert time.monotonic() - started < config.call_timeout_s + 0.5
        own_server.resume()


async def test_what_waits_for_a_paused_primary_is_bounded(own_server):
    config = msgspec.structs.replace(QUICK, max_publishes=100, call_timeout_s=0.5)
    async with world_of(own_server.url, config) as world:
        gateway = await world.start()
        own_server.pause()
        said = [gateway.log.publish(DEN, text(number)) for number in range(150)]

        assert 50 == sum(one.done() for one in said)
        outcomes = await asyncio.gather(*said, return_exceptions=True)
        assert all(isinstance(one, Unavailable) for one in outcomes)
        own_server.resume()


async def test_scripts_that_the_primary_forgot_are_loaded_again(world, admin):
    gateway = await world.start()
    tenure = await gateway.session()
    await gateway.hear(DEN)
    said = []
    for number in range(1_000):
        said.append(gateway.log.publish(DEN, text(number)))
        if number % 100 == 0:
            await admin.script_flush()
            await gateway.log.join(tenure, DEN)
            await gateway.log.leave(tenure, DEN)
    await asyncio.gather(*said)
    await gateway.hears(*range(1_000))

    assert (0, 1) == (gateway.held, gateway.lives)


async def test_a_primary_without_memory_refuses_and_does_nothing_half(world, admin):
    gateway = await world.start()
    tenure = await gateway.session(DEN)
    await gateway.hear(ATTIC)
    await gateway.say("before")
    await admin.config_set("maxmemory", 1)
    state = await snapshot(admin)
    outcomes = await asyncio.gather(
        gateway.say("a", message_id="one"),
        gateway.session(),
        gateway.log.join(tenure, ATTIC),
        gateway.log.save(tenure, b"x"),
        return_exceptions=True,
    )
    assert [Unavailable] * 4 == [type(one) for one in outcomes]
    assert state == await snapshot(admin)

    # Sessions neither die of it, nor are they locked.
    gateway.log.receipt(tenure, gateway.log.offset())
    await gateway.receipts_arrive()
    claimed = await gateway.log.claim(tenure.sid, namespace="/", subject="")
    assert claimed.known > 0
    await gateway.log.leave(claimed.tenure, DEN)
    assert 0 == gateway.held

    await admin.config_set("maxmemory", 0)
    await gateway.say("a", message_id="one")
    await gateway.hears("before", "a")


async def snapshot(admin):
    """Everything that is stored, but for the registry, which changes with time."""
    keys = sorted(key for key in await admin.keys("*") if not key.endswith((b":registry", b":reads")))
    return {key: await admin.dump(key) for key in keys}


async def test_publishes_are_not_overtaken_by_later_ones_when_one_batch_is_refused(world, admin):
    gateway = await world.start()
    await gateway.hear(DEN)
    said = []
    for number in range(3_000):
        said.append(gateway.log.publish(DEN, text(number)))
        if number % 500 == 100:
            await admin.config_set("maxmemory", 1)
        if number % 500 == 400:
            await admin.config_set("maxmemory", 0)
        if number % 50 == 0:
            await asyncio.sleep(0)
    outcomes = await asyncio.gather(*said, return_exceptions=True)
    done = [number for number, one in enumerate(outcomes) if not isinstance(one, Exception)]
    await gateway.hears(*done)

    assert 0 < len(done) < 3_000


async def test_a_primary_that_evicts_is_refused(world, admin):
    await admin.config_set("maxmemory-policy", "allkeys-lru")
    gateway = world.make()
    with pytest.raises(ConfigurationError, match="noeviction"):
        await gateway.log.start(gateway)


async def test_a_start_that_failed_can_be_tried_again(world, own_server):
    gateway = world.make()
    own_server.kill()
    with pytest.raises(Unavailable):
        await gateway.log.start(gateway)
    own_server.start()
    await gateway.log.start(gateway)
    await gateway.log.check()


# -- gateways of an earlier version

NARROWED = Message(b"all but the attic", except_rooms=(ATTIC,))


async def earlier_gateway(admin, node="old.1", ttl_s=60):
    """Register a gateway as a version does that announces nothing."""
    seconds, _ = await admin.time()
    await admin.hset("rw:{0}:registry", node.partition(".")[0], f"{(seconds + ttl_s) * 1000} {node} ")


async def test_rooms_are_left_out_only_once_every_registered_gateway_has_announced_that_it_reads_it(
    world, admin
):
    first, second = await world.start("a"), await world.start("b")
    await second.hear(DEN)
    await earlier_gateway(admin)
    refused = first.log.publish(DEN, NARROWED, message_id="one")
    plain = first.log.publish(DEN, text("plain"))
    with pytest.raises(NotReadByAll):
        await refused
    await plain
    await second.hears("plain")

    await admin.hdel("rw:{0}:registry", "old")
    await first.log.publish(DEN, NARROWED, message_id="one")
    await until(lambda: len(second.entries) == 2)
    assert NARROWED == second.entries[1].message


async def test_a_gateway_whose_entry_has_expired_does_not_count(world, admin):
    gateway = await world.start("a")
    await gateway.hear(DEN)
    await earlier_gateway(admin, ttl_s=-1)
    await gateway.log.publish(DEN, NARROWED)
    await until(lambda: gateway.entries)


async def test_what_was_announced_counts_for_that_incarnation_and_is_gone_with_it(own_server, admin):
    # No heartbeat comes in between.
    async with world_of(own_server.url, msgspec.structs.replace(QUICK, heartbeat_s=60.0)) as world:
        first, second = await world.start("a"), await world.start("b")
        await first.log.publish(DEN, NARROWED)
        assert {b"a": f"{first.log.node} 2".encode(), b"b": f"{second.log.node} 2".encode()} == (
            await admin.hgetall("rw:{0}:reads")
        )
        await second.log.close()
        assert {b"a"} == set(await admin.hkeys("rw:{0}:reads"))

        await admin.hset("rw:{0}:reads", "a", "a.another 2")
        with pytest.raises(NotReadByAll):
            await first.log.publish(DEN, NARROWED)


async def test_a_repeated_publish_that_may_have_been_refused_is_not_reported_as_done(world, admin):
    """Its number was taken; whether it was appended then is known from its message id alone."""
    gateway = await world.start("a")
    await earlier_gateway(admin)
    script, keys = Scripts().publish, [b"rw:{0}:log", b"rw:{0}:pub:b", b"rw:{0}:room:" + DEN]

    async def publish(number, message_id=b""):
        arguments = (gateway.log.epoch, b"rw:{0}:", 60_000, 0, 1_000, 60_000, 60_000, 0, b"", 10**6, 2_500)
        message = (number, b"rw:{0}:ch:" + DEN, encode_message(NARROWED), message_id)
        (result,) = await admin.eval(script.text, len(keys), *keys, *arguments, *message)
        return result

    assert [b"UNREAD", b"UNSURE"] == [await publish(1), await publish(1)]
    await admin.hdel("rw:{0}:registry", "old")
    assert await publish(2, b"id") > 0
    assert 0 == await publish(2, b"id")
    assert b"UNSURE" == await publish(2)


async def test_a_volatile_message_is_pushed_where_an_earlier_gateway_has_been_already(world, admin):
    gateway = await world.start("a")
    await gateway.say("before")
    async with admin.pubsub() as channel:
        await channel.ssubscribe(b"rw:{0}:ch:" + DEN)
        gateway.log.publish_volatile(DEN, Message(b"here"))
        heard = []
        async with asyncio.timeout(30):
            while not heard or heard[-1]["type"] != "smessage":
                heard.append(await channel.get_message(timeout=None) or {"type": "nothing"})

    assert b"%s 0 " % gateway.log.epoch.encode() + encode_message(Message(b"here")) == heard[-1]["data"]


# -- what is stored


async def test_every_key_and_channel_carries_the_hash_tag(world, admin):
    gateway = await world.start("n")
    tenure = await gateway.session(room_stream("/", "den {1}"))
    await gateway.say("a", message_id="{2}")
    await gateway.say("a", stream=sid_stream(tenure.sid))
    names = [*await admin.keys("*"), *await admin.pubsub_shardchannels("*")]

    assert {
        b"rw:{0}:log",
        b"rw:{0}:registry",
        b"rw:{0}:reads",
        b"rw:{0}:due",
        b"rw:{0}:members:r:/:den {1}",
        b"rw:{0}:room:r:/:den",
        b"rw:{0}:room:s:" + tenure.sid.encode(),
        b"rw:{0}:session:" + tenure.sid.encode(),
        b"rw:{0}:pub:" + gateway.log.node.encode(),
        b"rw:{0}:mid:{2}",
        b"rw:{0}:ch:r:/:den {1}",
        b"rw:{0}:node:" + gateway.log.node.encode(),
        b"rw:{0}:guard",
        b"rw:{0}:made:session:services",
        b"rw:{0}:made:members:services",
        b"rw:{0}:made:room:services",
        b"rw:{0}:made:room:guests",
    } == set(names)


async def test_everything_but_the_log_itself_expires(world, admin):
    gateway = await world.start("n")
    tenure = await gateway.session(DEN)
    await gateway.say("a", message_id="one")
    await gateway.say("a", stream=sid_stream(tenure.sid))
    ttls = {key: await admin.pttl(key) / 1000 for key in await admin.keys("*")}
    stream_ttl_s = LogConfig.stream_ttl_s.fget(QUICK)

    assert {b"rw:{0}:log", b"rw:{0}:registry", b"rw:{0}:reads", b"rw:{0}:guard"} == {
        key for key, ttl in ttls.items() if ttl < 0
    }
    for key, expected in (
        (b"rw:{0}:room:r:/:den", stream_ttl_s),
        (b"rw:{0}:room:s:" + tenure.sid.encode(), stream_ttl_s),
        (b"rw:{0}:session:" + tenure.sid.encode(), QUICK.session_ttl_s),
        (b"rw:{0}:mid:one", QUICK.message_id_ttl_s),
        (b"rw:{0}:members:r:/:den", 10 * QUICK.session_ttl_s),
        (b"rw:{0}:due", 10 * QUICK.session_ttl_s),
        (b"rw:{0}:made:session:services", 10 * QUICK.session_ttl_s),
    ):
        assert expected - 5 < ttls[key] <= expected


# -- the index of members


@pytest.mark.parametrize("at_once", [1, 1_000])
async def test_nothing_of_a_session_that_expired_stays_in_the_index(own_server, admin, monkeypatch, at_once):
    monkeypatch.setattr("roomwire.log.redis.heartbeat._SWEPT", at_once)
    async with world_of(own_server.url, msgspec.structs.replace(QUICK, session_ttl_s=2.0)) as world:
        gateway = await world.start("n")
        kept = await gateway.session(DEN)
        await gateway.session(DEN, ATTIC)
        await gateway.session(room_stream("/", "cellar"))

        async def indexed():
            gateway.log.receipt(kept, gateway.log.offset())
            return {
                key: await admin.zrange(key, 0, -1)
                for key in [*await admin.keys("rw:{0}:members:*"), b"rw:{0}:due"]
            }

        assert 4 == len(await indexed())
        only = {b"rw:{0}:members:r:/:den": [kept.sid.encode()], b"rw:{0}:due": [b"r:/:den"]}

        async def only_that_is_left():
            return only == await indexed()

        await until(only_that_is_left)
        # It is looked at again and again, and stays for as long as its client answers.
        looked_at = await admin.zscore("rw:{0}:due", "r:/:den")

        async def is_looked_at_again():
            assert only == await indexed()
            return looked_at != await admin.zscore("rw:{0}:due", "r:/:den")

        await until(is_looked_at_again)
        assert 1 == (await gateway.log.present(DEN, limit=10)).total


async def test_a_session_that_an_earlier_version_put_into_a_room_is_found_once_it_is_claimed(world, admin):
    gateway = await world.start("n")
    tenure = await gateway.session(DEN)
    left = await gateway.session(DEN)
    await gateway.log.leave(left, DEN)
    await admin.delete("rw:{0}:due", "rw:{0}:members:r:/:den")
    # As one that left there.
    await admin.zadd("rw:{0}:members:r:/:den", {left.sid: 0})
    assert (0, []) == msgspec.structs.astuple(await gateway.log.present(DEN, limit=10))

    await gateway.log.claim(tenure.sid, namespace="/", subject="")
    assert [tenure.sid] == [one.sid for one in (await gateway.log.present(DEN, limit=10)).attendees]


async def test_a_wrong_password_is_said_and_not_shown(own_server, admin):
    await admin.execute_command("ACL", "SETUSER", "wire", "on", ">right", "~*", "&*", "+@all")
    async with world_of(own_server.url.replace("redis://", "redis://wire:hunter2@")) as world:
        gateway = world.make()
        with pytest.raises(Unavailable, match=re.compile("WRONGPASS|invalid username")) as caught:
            await gateway.log.start(gateway)
        assert "hunter2" not in str(caught.value)


# -- stalls


def in_the_meantime(own_server, gateway, *, kill):
    """Stop the event loop for longer than the link's timeout, with something waiting for it when it goes on."""
    with redis.Redis(port=own_server.port) as other:
        data = f"{gateway.log.epoch} {gateway.log.cut + 1} ".encode() + encode_message(text("pushed"))
        other.execute_command("SPUBLISH", "rw:{0}:ch:r:/:den", data)
        if kill:
            other.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    time_passes_blocking(QUICK.link_timeout_s * 1.5)


async def test_after_a_stall_a_link_that_still_answers_is_believed(world, own_server):
    gateway = await world.start()
    await gateway.hear(DEN)
    in_the_meantime(own_server, gateway, kill=False)
    await gateway.hears("pushed")
    await gateway.log.mark()

    assert 0 == gateway.held


async def test_after_a_stall_nothing_of_a_dead_link_is_believed(world, own_server):
    gateway = await world.start()
    await gateway.hear(DEN)
    in_the_meantime(own_server, gateway, kill=True)
    await gateway.live_again(1)
    await gateway.say("after")
    await gateway.hears("after")


# -- data that went back


async def test_a_primary_whose_data_went_back_tells_everybody(world, own_server):
    first, second = await world.start("a"), await world.start("b")
    await first.session(DEN)
    await second.hear(DEN)
    await first.say("kept")
    await second.hears("kept")
    own_server.kill()
    kept = own_server.data()
    own_server.start()
    for gateway in (first, second):
        await gateway.live_again(1)
    await first.say("lost")
    await second.hears("kept", "lost")
    own_server.kill()
    own_server.restore(kept)
    own_server.start()
    for gateway in (first, second):
        await until(lambda gateway=gateway: gateway.losses == 1 and gateway.log.is_live)
    await first.hear(DEN)
    await first.say("anew")
    for gateway in (first, second):
        await until(lambda gateway=gateway: gateway.texts[-1] == "anew")
        assert 1 == gateway.losses
