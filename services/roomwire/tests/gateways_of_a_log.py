"""For tests of the ordered log: gateways that write down what the log tells them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from waiting import time_passes, until

from roomwire.errors import RateLimited, Unavailable
from roomwire.log.config import LogConfig
from roomwire.log.entries import Message
from roomwire.log.memory.hub import MemoryHub
from roomwire.log.memory.log import MemoryLog
from roomwire.log.redis.log import RedisLog
from roomwire.log.sessions import NewSession, new_node_id, new_pid, sid_of
from roomwire.log.streams import namespace_stream, room_stream, sid_stream
from roomwire.metrics.gateway import Metrics
from roomwire.redis.topology import open_primaries

QUICK = LogConfig(link_timeout_s=0.5, heartbeat_s=0.3, call_timeout_s=5.0)
DEN = room_stream("/", "den")
ATTIC = room_stream("/", "attic")
EVERYBODY = namespace_stream("/")


def text(number):
    return Message(str(number).encode())


class Gateway:
    """A gateway's log, and what it was told: `told` in order, the rest by kind."""

    def __init__(self, log, metrics):
        self.log = log
        self.metrics = metrics
        self.told = []
        self.entries = []
        self.volatile = []
        self.fenced = []
        self.incomplete = []
        self.losses = 0
        self.held = 0
        self.lives = 0
        self.requests = []
        self.entries_at_requests = []
        self.fails_on = None

    # -- LogObserver

    def on_entry(self, entry):
        assert entry.position == self.log.cut
        if entry.message.payload == self.fails_on:
            raise RuntimeError("as the test wants it")
        self.told.append(entry.message.payload)
        self.entries.append(entry)

    def on_volatile(self, stream, message):
        self.told.append(("volatile", message.payload))
        self.volatile.append((stream, message))

    def on_fenced(self, tenure):
        self.told.append(("fenced", tenure.sid, tenure.claim))
        self.fenced.append(tenure)

    def on_incomplete(self, stream):
        self.incomplete.append(stream)

    def on_loss(self):
        self.told.append("loss")
        self.losses += 1

    def on_held(self):
        self.held += 1

    def on_live(self):
        self.told.append("live")
        self.lives += 1

    def on_request(self, sender, body):
        self.requests.append((sender, body))
        self.entries_at_requests.append(len(self.entries))
        return self._answer(body)

    async def _answer(self, body):
        if body == b"fail":
            raise RuntimeError("as the test wants it")
        if body == b"too much":
            raise RateLimited
        if body == b"sleep":
            await asyncio.Event().wait()
        return body[::-1]

    # -- for tests

    @property
    def texts(self):
        return [entry.message.payload.decode() for entry in self.entries]

    async def say(self, *texts, stream=DEN, **options):
        return await asyncio.gather(*(self.log.publish(stream, text(one), **options) for one in texts))

    async def hear(self, *streams):
        """Subscribe streams; a mark stands behind the subscription."""
        for stream in streams:
            self.log.subscribe(stream)
        await self.log.mark()

    async def hears(self, *texts):
        """Wait until these texts came, and nothing else."""
        expected = [str(one) for one in texts]
        with contextlib.suppress(TimeoutError):
            await until(lambda: len(self.entries) >= len(expected))
        assert expected == self.texts

    async def session(self, *streams, subject="", data=b"", namespace="/"):
        """Open a session and join rooms."""
        new = NewSession(sid_of(new_pid()), namespace, subject, data)
        tenure = await self.log.open(new)
        for stream in streams:
            self.log.subscribe(stream)
            await self.log.join(tenure, stream)
        return tenure

    async def receipts_arrive(self):
        """Wait until the primary has the receipts that were given, which are sent some at a time."""
        if isinstance(self.log, RedisLog):
            await until(lambda: not self.log._heartbeat._receipts)
        # Asked on the same connection.
        await self.log.mark()

    async def live_again(self, lives):
        await until(lambda: self.lives > lives and self.log.is_live)


class World:
    """Gateways that share one log."""

    def __init__(self, url, config=QUICK):
        self.url = url
        self.config = config
        self.gateways = []
        self._hub = MemoryHub(config) if url == "memory://" else None

    def make(self, name="", address="", url=None, metrics=None):
        # Each has a name of its own, as gateways have.
        node = new_node_id(name or f"n{len(self.gateways)}")
        metrics = metrics or Metrics()
        if self._hub is not None:
            log = MemoryLog(node=node, hub=self._hub, address=address, metrics=metrics)
        else:
            primaries = open_primaries(
                url or self.url, key=b"rw:{0}:log", timeout_s=self.config.link_timeout_s
            )
            log = RedisLog(primaries, node=node, address=address, config=self.config, metrics=metrics)
        self.gateways.append(Gateway(log, metrics))
        return self.gateways[-1]

    def renew(self):
        """Begin with an empty log; in memory only."""
        self._hub = MemoryHub(self.config)

    async def start(self, name="", **options):
        gateway = self.make(name, **options)
        await gateway.log.start(gateway)
        return gateway

    async def close(self):
        for gateway in self.gateways:
            await gateway.log.close()


@contextlib.asynccontextmanager
async def speaking(gateways):
    """Let each gateway publish one message after the other into the den; yields those that are acknowledged.

    What failed, or may have, is said again under the same message id. At the end the last ones are answered.
    """
    acked, is_over = [], asyncio.Event()

    async def speak(gateway, name):
        number = 0
        while not is_over.is_set():
            try:
                await gateway.log.publish(DEN, text(f"{name}{number}"), message_id=f"{name}{number}")
            except Unavailable:
                await time_passes(0.05)
            else:
                acked.append(f"{name}{number}")
                number += 1
                await time_passes(0.002)

    tasks = [asyncio.create_task(speak(one, f"{chr(97 + n)}")) for n, one in enumerate(gateways)]
    try:
        yield acked
    finally:
        is_over.set()
        await asyncio.gather(*tasks)


async def check_that_nothing_is_silent(gateways, acked):
    """Who was told of no loss has everything once, and all of them in one order; returns those."""
    for gateway in gateways:
        await until(lambda gateway=gateway: gateway.log.is_live)
        await gateway.log.mark()
    whole = [gateway for gateway in gateways if not gateway.losses]
    for gateway in whole:
        await until(lambda gateway=gateway: len(gateway.texts) >= len(acked))
        assert sorted(acked) == sorted(gateway.texts)
        assert whole[0].texts == gateway.texts
        for name in "ab":
            said = [int(one[1:]) for one in gateway.texts if one[0] == name]
            assert said == sorted(said)
    # Once a gateway has lost something all of them are told.
    assert len(whole) in {0, len(gateways)}
    return whole


@contextlib.asynccontextmanager
async def world_of(url, config=QUICK) -> AsyncIterator[World]:
    world = World(url, config)
    try:
        yield world
    finally:
        await world.close()


__all__ = [
    "ATTIC",
    "DEN",
    "EVERYBODY",
    "QUICK",
    "Gateway",
    "World",
    "check_that_nothing_is_silent",
    "sid_stream",
    "speaking",
    "text",
    "world_of",
]
