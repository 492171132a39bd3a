"""The guard of the primary's memory, against a real server with a limit."""

import contextlib

import msgspec
import pytest
import redis.asyncio
from gateways_of_a_log import DEN, QUICK, world_of
from waiting import until

from roomwire import AsyncEmitter
from roomwire.limits.classes import ClientClass
from roomwire.log.entries import Message
from roomwire.log.errors import LogCrowded
from roomwire.log.guard import GuardConfig
from roomwire.log.kept import Kept
from roomwire.log.sessions import NewSession, new_pid, sid_of
from roomwire.log.streams import room_stream

pytestmark = pytest.mark.parametrize("redis_binary", ["valkey", "redis"], indirect=True)

GUESTS, USERS, SERVICES = ClientClass
LIMIT = 64 << 20
"""More than any server uses when it is empty."""
BALLAST = 32 << 20
"""What little a test makes changes no part of this."""


@pytest.fixture
async def admin(own_server):
    async with redis.asyncio.from_url(own_server.url) as client:
        yield client


@contextlib.asynccontextmanager
async def guarded(server, **guard):
    """Run a gateway whose guard has these marks and shares."""
    config = msgspec.structs.replace(QUICK, guard=GuardConfig(**guard))
    async with world_of(server.url, config) as world:
        yield await world.start()


async def limit(admin, part):
    """Set the limit so that the server uses this part of it."""
    await admin.setrange("ballast", BALLAST, "x")
    info = await admin.info("memory")
    used = info["used_memory"] - info.get("mem_not_counted_for_evict", 0)
    await admin.config_set("maxmemory", int(used / part))
    # As if much had been made since the last look.
    await admin.hset("rw:{0}:guard", "left", 0)


async def opened(gateway, client_class):
    """Open a session of a class."""
    return await gateway.log.open(NewSession(sid_of(new_pid()), "/", client_class=client_class))


async def is_refused(attempt):
    """Return whether the guard refuses this."""
    try:
        await attempt
    except LogCrowded:
        return True
    return False


async def joined(gateway, tenure, stream):
    gateway.log.subscribe(stream)
    await gateway.log.join(tenure, stream)


@pytest.mark.parametrize(
    ("part", "refused"),
    [(0.5, set()), (0.72, {GUESTS}), (0.87, {GUESTS, USERS}), (0.93, {GUESTS, USERS})],
)
async def test_what_is_new_is_refused_first_to_guests_then_to_users(own_server, admin, part, refused):
    async with guarded(own_server) as gateway:
        members = {each: await opened(gateway, each) for each in ClientClass}
        for tenure in members.values():
            await joined(gateway, tenure, DEN)
        await limit(admin, part)

        sessions = {each for each in ClientClass if await is_refused(opened(gateway, each))}
        joins = {
            each
            for each, tenure in members.items()
            if await is_refused(joined(gateway, tenure, room_stream("/", each)))
        }
        strangers = await is_refused(gateway.log.publish(room_stream("/", "nobody's"), Message(b"hi")))

        # Members go on: they speak, leave, recover.
        await gateway.log.publish(DEN, Message(b"hi"))
        await gateway.log.claim(members[GUESTS].sid, namespace="/", subject="")

    assert (refused, refused, GUESTS in refused) == (sessions, joins, strangers)


async def test_guests_have_a_share_that_does_not_touch_users(own_server, admin, log_events):
    async with guarded(own_server, guests_share=0.001) as gateway:
        await admin.config_set("maxmemory", LIMIT)
        made = 0
        while not await is_refused(opened(gateway, GUESTS)):
            made += 1
        user = await opened(gateway, USERS)
        await joined(gateway, user, DEN)
        await gateway.log.publish(DEN, Message(b"hi"))

        assert LIMIT // 1_000 // 1_536 == made - 1
        refusals = gateway.metrics.registry.get_sample_value(
            "roomwire_redis_refused_total", {"what": "session"}
        )
        assert 1 == refusals
        (line,) = [line for line in log_events if line["event"] == "redis guard refuses"]
        assert ("session", "ample") == (line["what"], line["memory"])


async def test_strangers_cannot_fill_it_with_rooms_and_members_speak_on(own_server, admin):
    async with guarded(own_server) as gateway:
        member = await opened(gateway, USERS)
        await joined(gateway, member, DEN)
        await admin.config_set("maxmemory", LIMIT)
        refused = 0
        for number in range(20_000):
            stream = room_stream("/", f"room {number}")
            refused += await is_refused(gateway.log.publish(stream, Message(b"x" * 4_000)))
            if refused > 100:
                break
        await gateway.log.publish(DEN, Message(b"hi"))
        used = (await admin.info("memory"))["used_memory"]

        assert refused > 100
        assert used < 0.7 * LIMIT


async def test_what_ends_is_given_back(own_server, admin):
    async with guarded(own_server) as gateway:
        tenure = await opened(gateway, GUESTS)
        await joined(gateway, tenure, DEN)
        await gateway.log.publish(DEN, Message(b"hi"), kept=Kept(b"den", b"{}"))
        counted = {
            kind: await admin.zcard(f"rw:{{0}}:made:{kind}:guests")
            for kind in ("session", "members", "room", "history")
        }
        assert dict.fromkeys(counted, 1) == counted

        await gateway.log.end(tenure.sid)
        assert 0 == await admin.zcard("rw:{0}:made:session:guests")
        # The others are found to be gone when they are looked at again.
        await admin.delete(*[f"rw:{{0}}:{key}" for key in ("room:r:/:den", "members:r:/:den", "history:den")])
        for kind in counted:
            await admin.zadd(
                f"rw:{{0}}:made:{kind}:guests", {"r:/:den" if kind != "history" else "den": 1}, xx=True
            )

        async def left():
            return [await admin.zcard(f"rw:{{0}}:made:{kind}:guests") for kind in counted] + [
                await admin.hget("rw:{0}:guard", "histories:guests"),
                await admin.hlen("rw:{0}:kept"),
            ]

        await until(lambda: left_is([0, 0, 0, 0, b"0", 0], left))


async def left_is(expected, left):
    return expected == await left()


async def test_histories_have_their_share_and_the_oldest_go_first(own_server, admin):
    async with guarded(own_server, histories_share=0.001) as gateway:
        await admin.config_set("maxmemory", LIMIT)
        await admin.hset("rw:{0}:guard", "left", 0)
        users, guests = await opened(gateway, USERS), await opened(gateway, GUESTS)
        for number in range(30):
            stream = room_stream("/", f"{number}")
            await joined(gateway, guests if number else users, stream)
            await gateway.log.publish(stream, Message(b"hi"), kept=Kept(b"%d" % number, b"x" * 100))
        kept = {key.decode().rpartition(":")[2] for key in await admin.keys("rw:{0}:history:*")}
        charged = await admin.hget("rw:{0}:guard", "histories:guests")

        # The user's, though it is the oldest of all, is not displaced by guests.
        assert "0" in kept
        assert {"28", "29"} <= kept
        assert "1" not in kept
        assert int(charged) <= LIMIT / 1_000


async def test_a_history_and_the_stream_of_a_room_are_bounded_in_bytes(own_server, admin):
    async with guarded(own_server, room_history_bytes=50_000) as gateway:
        tenure = await opened(gateway, USERS)
        await joined(gateway, tenure, DEN)
        for _ in range(200):
            await gateway.log.publish(DEN, Message(b"x" * 60_000), kept=Kept(b"den", b"x" * 10_000))

        assert 4 == await admin.xlen("rw:{0}:history:den")
        assert await admin.xlen("rw:{0}:room:r:/:den") <= (2 << 20) // 60_000 + 1


async def test_what_an_emitter_adds_to_a_history_is_bounded_and_charged_with_the_next_message_of_a_gateway(
    own_server, admin
):
    message = Message(b"hi")
    async with guarded(own_server) as gateway, AsyncEmitter(own_server.url) as emitter:
        await admin.config_set("maxmemory", LIMIT)
        await joined(gateway, await opened(gateway, USERS), DEN)
        await gateway.log.publish(DEN, message, kept=Kept(b"den", b"x"))
        before = int(await admin.hget("rw:{0}:guard", "histories:users"))
        for _ in range(15):
            await emitter.emit("report", "x" * 100_000, to="den", keeps_history=True)

        assert 1 < await admin.xlen("rw:{0}:history:den") <= (1 << 20) // 100_000
        assert before == int(await admin.hget("rw:{0}:guard", "histories:users"))
        await gateway.log.publish(DEN, message, kept=Kept(b"den", b"x"))
        # No history is charged with more than it may have.
        assert before + 1_000_000 <= int(await admin.hget("rw:{0}:guard", "histories:users"))


async def test_the_history_of_guests_stays_while_somebody_is_there(own_server, admin):
    async with guarded(own_server, guest_history_ttl_s=100) as gateway:
        for client_class, room in ((GUESTS, b"den"), (USERS, b"attic")):
            stream = room_stream("/", room.decode())
            await joined(gateway, await opened(gateway, client_class), stream)
            await gateway.log.publish(stream, Message(b"hi"), kept=Kept(room, b"{}"))
        assert 100 >= await admin.ttl("rw:{0}:history:den")
        assert 80_000 < await admin.ttl("rw:{0}:history:attic")

        await admin.expire("rw:{0}:history:den", 50)
        await admin.zadd("rw:{0}:made:history:guests", {"den": 1}, xx=True)

        async def is_extended():
            return await admin.ttl("rw:{0}:history:den") > 50

        await until(is_extended)


async def test_scarce_memory_is_said_and_rooms_store_less(own_server, admin):
    async with guarded(own_server) as gateway:
        tenure = await opened(gateway, USERS)
        await joined(gateway, tenure, DEN)
        dependencies, sample = gateway.metrics.dependencies, gateway.metrics.registry.get_sample_value
        await limit(admin, 0.75)
        await until(lambda: dependencies.causes().get("redis_memory") == "nearly_full")
        assert 1 == sample("roomwire_redis_guard_level")
        for _ in range(20):
            await gateway.log.publish(DEN, Message(b"x" * 20_000))
        assert await admin.xlen("rw:{0}:room:r:/:den") <= 4

        await admin.config_set("maxmemory", 0)
        await until(lambda: "redis_memory" not in dependencies.causes())


async def test_a_session_of_an_earlier_gateway_counts_as_a_users(own_server, admin):
    async with guarded(own_server) as gateway:
        tenure = await opened(gateway, GUESTS)
        await admin.hdel(f"rw:{{0}}:session:{tenure.sid}", "class")
        await limit(admin, 0.72)

        await joined(gateway, tenure, DEN)
        assert 1 == await admin.zcard("rw:{0}:made:members:users")


async def test_where_memory_may_not_be_read_nothing_is_refused(own_server, admin):
    async with guarded(own_server) as gateway:
        await limit(admin, 0.9)
        await admin.execute_command("ACL", "SETUSER", "default", "-info")
        await opened(gateway, GUESTS)
        await gateway.log.publish(DEN, Message(b"hi"), kept=Kept(b"den", b"{}"))
        assert 1 == await admin.xlen("rw:{0}:history:den")
