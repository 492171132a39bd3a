"""The memory log and the scripts on Redis do the same: random histories, one transcript each, compared."""

import msgspec
import pytest
import redis
from gateways_of_a_log import ATTIC, DEN, EVERYBODY, QUICK, World, sid_stream, text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roomwire.errors import RoomwireError
from roomwire.log.positions import Epoch, Offset
from roomwire.log.reading import Range
from roomwire.log.redis.log import RedisLog
from roomwire.log.sessions import ClaimRefused, Sid, Tenure

CONFIG = msgspec.structs.replace(QUICK, max_intervals=2, max_claims=3)
STREAMS = (DEN, ATTIC, EVERYBODY)

node = st.integers(0, 1)
session = st.integers(0, 3)
stream = st.integers(0, 4)
OPERATIONS = st.one_of(
    st.tuples(st.just("publish"), node, stream, st.sampled_from(["", "", "x", "y"])),
    st.tuples(st.just("open"), node),
    st.tuples(st.just("join"), node, session, st.integers(0, 1)),
    st.tuples(st.just("join"), node, session, st.integers(0, 1)),
    st.tuples(st.just("leave"), node, session, st.integers(0, 1)),
    st.tuples(st.just("claim"), node, session, st.sampled_from(["", "", "ann"])),
    st.tuples(st.just("save"), node, session, st.binary(max_size=5)),
    st.tuples(st.just("end"), node, session, st.sampled_from([None, None, 1, 2])),
    st.tuples(st.just("receipt"), node, session, st.integers(0, 3)),
    st.tuples(st.just("find"), node, session),
    st.tuples(st.just("read"), node, stream, st.integers(0, 30), st.integers(0, 30), st.integers(1, 20)),
    st.tuples(st.just("newest"), node, stream, st.integers(1, 5)),
)


class Run:
    """A history on one log."""

    def __init__(self, gateways):
        self.gateways = gateways
        # The newest tenure of each session, as the last to hold it knows it: an older one is asked for now and then.
        self.tenures = []
        self.transcript = []

    def stream(self, number):
        return STREAMS[number] if number < len(STREAMS) else sid_stream(self.tenure(number).sid)

    def tenure(self, number):
        return self.tenures[number % len(self.tenures)] if self.tenures else Tenure(Sid("nobody"), 1)

    async def run(self, operations):
        for name, which, *arguments in operations:
            try:
                result = await getattr(self, name)(self.gateways[which], *arguments)
            except RoomwireError as error:
                result = type(error).__name__
            for gateway in self.gateways:
                await gateway.log.mark()
            self.transcript.append((name, result))
        for gateway in self.gateways:
            self.transcript.append(
                [(entry.stream, entry.position, entry.message) for entry in gateway.entries]
            )
            self.transcript.append(gateway.fenced)

    async def publish(self, gateway, stream, message_id):
        published = await gateway.log.publish(
            self.stream(stream), text(len(self.transcript)), message_id=message_id
        )
        return published.position, published.is_repeat

    async def open(self, gateway):
        self.tenures.append(await gateway.session())
        return len(self.tenures)

    async def join(self, gateway, session, room):
        return await gateway.log.join(self.tenure(session), STREAMS[room])

    async def leave(self, gateway, session, room):
        return await gateway.log.leave(self.tenure(session), STREAMS[room])

    async def claim(self, gateway, session, subject):
        claimed = await gateway.log.claim(self.tenure(session).sid, namespace="/", subject=subject)
        if isinstance(claimed, ClaimRefused):
            return claimed
        if session % 2:
            self.tenures[session % len(self.tenures)] = claimed.tenure
        rooms = sorted((stream, tuple(intervals)) for stream, intervals in claimed.rooms.items())
        return claimed.tenure.claim, claimed.position, claimed.start, claimed.known, claimed.data, rooms

    async def save(self, gateway, session, data):
        return await gateway.log.save(self.tenure(session), data)

    async def end(self, gateway, session, claim):
        return await gateway.log.end(self.tenure(session).sid, claim)

    async def receipt(self, gateway, session, back):
        received = Offset(Epoch(gateway.log.epoch), max(gateway.log.cut - back, 0))
        gateway.log.receipt(self.tenure(session), received)
        if isinstance(gateway.log, RedisLog):
            gateway.log._heartbeat._send_receipts()

    async def find(self, gateway, session):
        owner = await gateway.log.find(self.tenure(session).sid)
        return owner and [one.log.node for one in self.gateways].index(owner.node)

    async def read(self, gateway, stream, after, upto, most):
        (reading,) = await gateway.log.read(
            [Range(self.stream(stream), after, upto)], max_entries=most, max_bytes=1_000
        )
        return reading.outcome, reading.entries

    async def newest(self, gateway, stream, limit):
        return await gateway.log.newest(self.stream(stream), limit=limit)


def comparable(run):
    """A transcript in which sessions have numbers instead of their random ids."""
    names = {tenure.sid: f"session {number}" for number, tenure in enumerate(run.tenures)}
    shown = repr(run.transcript)
    for sid, name in names.items():
        shown = shown.replace(sid, name)
    return shown


@pytest.fixture
async def worlds(redis_url):
    worlds = [World(url, CONFIG) for url in ("memory://", redis_url)]
    yield worlds
    for world in worlds:
        await world.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(operations=st.lists(OPERATIONS, min_size=20, max_size=60))
async def test_both_logs_tell_the_same_story(worlds, operations):
    with redis.Redis.from_url(worlds[1].url) as client:
        client.flushall()
    transcripts = []
    for world in worlds:
        gateways = [await world.start(name) for name in "ab"]
        for gateway in gateways:
            await gateway.hear(*STREAMS)
        run = Run(gateways)
        await run.run([("open", 0), ("open", 1), *operations])
        transcripts.append(comparable(run))
        for gateway in gateways:
            await gateway.log.close()
        if world.url == "memory://":
            # As empty as a server that was flushed.
            world.renew()
    assert transcripts[0] == transcripts[1]
