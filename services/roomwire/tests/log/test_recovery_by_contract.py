"""Whoever uses the log as its contract says loses nothing: clients that come and go over gateways that fail."""

import asyncio
import random

import pytest
import redis.asyncio
from gateways_of_a_log import DEN, EVERYBODY, Gateway, text, world_of
from waiting import time_passes

from roomwire.errors import ClientError, Unavailable
from roomwire.log.config import LogConfig
from roomwire.log.positions import Offset
from roomwire.log.reading import Outcome
from roomwire.log.replay import base_of, is_for, merged, ranges_of
from roomwire.log.sessions import ClaimRefused, NewSession, new_pid, sid_of
from roomwire.log.streams import sid_stream

pytestmark = pytest.mark.parametrize("redis_binary", ["valkey", "redis"], indirect=True)


# Its clients come back more often than any real one.
CONFIG = LogConfig(
    link_timeout_s=0.5,
    heartbeat_s=0.3,
    max_stream_entries=100_000,
    max_sid_entries=100_000,
    max_claims=100_000,
)


class TransportClosed(Exception):
    """The client comes back, to this gateway or another."""


class Socket:
    """A connection of a client: what was written to it and not read yet; it is lost with the connection."""

    def __init__(self, server, client):
        self.server = server
        self.client = client
        self.tenure = None
        self.streams = []
        self.is_open = True
        self.is_replaying = False
        self.held_back = []
        self.wire = []

    def write(self, entry):
        if self.is_replaying:
            self.held_back.append(entry)
        else:
            self.wire.append(("event", entry, str(Offset(self.server.log.epoch, entry.position))))

    def ping(self):
        self.wire.append(("ping", self.server.log.offset()))

    def close(self):
        """End the transport; the session is not touched."""
        if not self.is_open:
            return
        self.is_open = False
        self.server.sockets.discard(self)
        for stream in self.streams:
            self.server.members.get(stream, set()).discard(self)
            self.server.log.unsubscribe(stream)
        if self.tenure is not None:
            self.server.log.release(self.tenure)


class Server(Gateway):
    """What a server does with the log, and nothing else."""

    def __init__(self, log, metrics):
        super().__init__(log, metrics)
        self.sockets = set()
        self.members = {}

    def on_entry(self, entry):
        for socket in sorted(self.members.get(entry.stream, ()), key=id):
            socket.write(entry)

    def on_fenced(self, tenure):
        for socket in [one for one in self.sockets if one.tenure == tenure]:
            socket.close()

    def on_incomplete(self, stream):
        for socket in list(self.members.get(stream, ())):
            socket.close()

    def on_loss(self):
        for socket in list(self.sockets):
            socket.close()

    def on_live(self):
        for socket in self.sockets:
            if socket.tenure is not None and not socket.is_replaying:
                socket.ping()

    async def connect(self, client):
        socket = Socket(self, client)
        self.sockets.add(socket)
        try:
            if not await self.recover(socket):
                await self.open(socket)
        except ClientError as error:
            socket.close()
            raise TransportClosed from error
        if not socket.is_open:
            self.log.release(socket.tenure)
            raise TransportClosed
        return socket

    def subscribe(self, socket, *streams):
        for stream in streams:
            self.log.subscribe(stream)
            socket.streams.append(stream)

    def enter(self, socket, *streams):
        for stream in streams:
            if socket.is_open:
                self.members.setdefault(stream, set()).add(socket)

    async def open(self, socket):
        pid = new_pid()
        self.subscribe(socket, EVERYBODY)
        own = sid_stream(sid_of(pid))

        def then(_):
            self.enter(socket, EVERYBODY, own)

        socket.streams.append(own)
        socket.tenure = await self.log.open(NewSession(sid_of(pid), "/"), then)
        self.subscribe(socket, DEN)
        joined = await self.log.join(socket.tenure, DEN, lambda _: self.enter(socket, DEN))
        socket.client.begin(pid, joined)

    async def recover(self, socket):
        client = socket.client
        if client.pid is None:
            return False
        claimed = await self.log.claim(sid_of(client.pid), namespace="/", subject="")
        if claimed is ClaimRefused.NOT_YET:
            raise Unavailable
        if isinstance(claimed, ClaimRefused):
            return False
        socket.tenure = claimed.tenure
        epoch = self.log.epoch
        base = base_of(client.offset, claimed, epoch)
        if base is None:
            return await self.refuse(socket)
        rooms = [stream for stream, intervals in claimed.rooms.items() if intervals[-1].left is None]
        self.subscribe(socket, EVERYBODY, *rooms)
        own = sid_stream(claimed.tenure.sid)
        socket.streams.append(own)
        socket.is_replaying = True
        mark = await self.log.mark(lambda _: self.enter(socket, EVERYBODY, own, *rooms))
        if self.log.epoch != epoch:
            raise Unavailable
        readings = await self.log.read(
            ranges_of(claimed, "/", base, mark), max_entries=10_000, max_bytes=10_000_000
        )
        if not socket.is_open:
            raise Unavailable
        if any(one.outcome is not Outcome.COMPLETE for one in readings):
            return await self.refuse(socket)
        socket.is_replaying = False
        for entry in merged(one.entries for one in readings):
            if is_for(entry, claimed.tenure.sid, claimed.rooms):
                socket.write(entry)
        for entry in socket.held_back:
            socket.write(entry)
        socket.ping()
        client.recovered += 1
        return True

    async def refuse(self, socket):
        tenure, socket.tenure = socket.tenure, None
        for stream in socket.streams:
            self.members.get(stream, set()).discard(socket)
            self.log.unsubscribe(stream)
        socket.streams, socket.is_replaying, socket.held_back = [], False, []
        await self.log.end(tenure.sid, tenure.claim)
        return False


class Client:
    """Reads at its own pace, and is cut off now and then."""

    def __init__(self, chance):
        self.chance = chance
        self.pid = None
        self.offset = None
        self.socket = None
        self.recovered = 0
        # Each time it was not recovered: the position of its join, and what it read since.
        self.eras = []

    def begin(self, pid, joined):
        self.pid = pid
        self.eras.append((joined, []))

    def read(self, number):
        for _ in range(min(number, len(self.socket.wire))):
            kind, *rest = self.socket.wire.pop(0)
            if kind == "ping":
                self.socket.server.log.receipt(self.socket.tenure, rest[0])
            else:
                entry, self.offset = rest
                self.eras[-1][1].append(entry.position)

    async def live(self, servers, until):
        """Come and go until it is over; then read everything."""
        while not until.is_set() or self.socket is None or not self.socket.is_open or self.socket.wire:
            if self.socket is None or not self.socket.is_open:
                try:
                    self.socket = await self.chance.choice(servers).connect(self)
                except TransportClosed:
                    await time_passes(0.02)
                    continue
            if self.socket.is_open:
                self.read(self.chance.choice([0, 1, 5, 1_000]))
            if not until.is_set():
                luck = self.chance.random()
                if luck < 0.05:
                    self.socket.close()
                elif luck < 0.1:
                    # It is gone, and its gateway has not noticed.
                    self.socket = None
                    continue
                elif luck < 0.3:
                    self.socket.ping()
            await time_passes(self.chance.random() * 0.01)


async def speak(servers, chance, until):
    number = 0
    while not until.is_set():
        number += 1
        stream = chance.choice([DEN, DEN, DEN, EVERYBODY])
        while True:
            try:
                await chance.choice(servers).log.publish(stream, text(number), message_id=str(number))
                break
            except Unavailable:
                await time_passes(0.01)
        await time_passes(chance.random() * 0.002)


async def truth(server):
    mark = await server.log.mark()
    found = [*await server.log.newest(DEN, limit=100_000), *await server.log.newest(EVERYBODY, limit=100_000)]
    return mark, sorted(entry.position for entry in found)


async def story(own_server, seed, *, fault):
    chance = random.Random(seed)
    async with world_of(own_server.url, CONFIG) as world, redis.asyncio.from_url(own_server.url) as admin:
        servers = []
        for name in "ab":
            gateway = world.make(name)
            server = Server(gateway.log, gateway.metrics)
            await server.log.start(server)
            servers.append(server)
        until = asyncio.Event()
        clients = [Client(random.Random(seed * 100 + number)) for number in range(12)]
        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(client.live(servers, until))
            speaking = group.create_task(speak(servers, chance, until))
            await fault(chance, admin, own_server)
            until.set()
            await speaking
            # What the clients still read was published before.
            for _ in range(2):
                await time_passes(0.2)
        mark, positions = await truth(servers[0])
        await servers[1].log.mark()
        for client in clients:
            client.read(100_000)
        return mark, positions, clients


async def links_die(chance, admin, own_server):
    for _ in range(20):
        await time_passes(0.1)
        links = [one["id"] for one in await admin.client_list() if one["name"].startswith("roomwire")]
        if links:
            await admin.client_kill_filter(_id=chance.choice(links))


async def the_primary_dies(chance, admin, own_server):
    for _ in range(3):
        await time_passes(0.5)
        own_server.kill()
        await time_passes(0.1)
        own_server.start()
    await time_passes(0.5)


@pytest.mark.parametrize("seed", range(2))
async def test_clients_get_everything_once_and_in_order_while_links_die(own_server, seed):
    _, positions, clients = await story(own_server, seed, fault=links_die)

    for client in clients:
        ((joined, heard),) = client.eras
        assert [place for place in positions if place > joined] == [
            place for place in heard if place > joined
        ]
        assert sorted(set(heard)) == heard
    assert sum(client.recovered for client in clients) > 20


@pytest.mark.parametrize("seed", range(2))
async def test_whoever_was_recovered_missed_nothing_while_the_primary_died(own_server, seed):
    mark, positions, clients = await story(own_server, seed, fault=the_primary_dies)

    for client in clients:
        for number, (joined, heard) in enumerate(client.eras):
            is_last = number == len(client.eras) - 1
            end = mark if is_last else max(heard, default=joined)
            assert [place for place in positions if joined < place <= end] == [
                place for place in heard if place > joined
            ]
            assert sorted(set(heard)) == heard
    assert sum(client.recovered for client in clients) > 20
