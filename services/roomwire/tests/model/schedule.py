"""What is done to a deployment, and when: all of it drawn from one seed.

A schedule has a time of trouble, in which clients come, go, talk and things break, and a time of peace, in which nothing
breaks any more and everything must come right. A shorter schedule of the same seed begins in the same way.
"""

from random import Random
from typing import Any, NamedTuple

from model import requests
from model.check import RESTLESS, Violation, violations
from model.client import Client
from model.log import Limits
from model.primary import LAG_COMMANDS
from model.record import FOREVER, Record
from model.rules import (
    CROWDED_ENTRIES,
    DROP,
    EMPTY,
    FAILOVER,
    FAULTS,
    FLUSH,
    GOODBYE,
    KILL,
    PAUSE,
    RESTART,
    SPLIT,
    STALL,
    TAB,
    UNBIASED,
    Bias,
)
from model.world import STAMPS_A_STEP, Size, World

REDIS_FAULTS = frozenset({RESTART, EMPTY, FAILOVER, SPLIT})

REDIS_RATE = 0.3  # the share of Redis' faults that happen when they are drawn
PEACE_ROUNDS = 12
CROWDED_BYTES = 150  # messages of all streams: about twenty
RECONNECTIONS_A_ROUND = 8
MOVES_TO_QUIESCENCE = 20_000


class Restless(Exception):
    """Something goes on and on, though nothing happens any more."""


class Result(NamedTuple):
    """How a schedule ended."""

    violations: list[Violation]
    recovered: int
    refused: int
    steps: int


class Schedule:
    """One run. `bugs` are the names of the rules that are left out, `steps` the length of the time of trouble."""

    def __init__(
        self, seed: int, bugs: frozenset[str] = frozenset(), bias: Bias = UNBIASED, steps: int | None = None,
        *, is_traced: bool = False,
    ) -> None:  # fmt: skip
        random = self.random = Random(seed)
        drawn = tuple(fault for fault in FAULTS if random.random() < 0.5)
        self.faults = drawn if bias.faults is None else bias.faults
        self.steps = random.choice((40, 80, 120, 240, 400))
        self.steps = steps or bias.steps or self.steps
        self.fault_rate = random.choice((0.02, 0.05, 0.1))
        self.fault_rate = bias.fault_rate or self.fault_rate
        self.action_rate = self.fault_rate + random.choice((0.1, 0.3))
        limits = _limits(random, bias, bugs)
        size = _size(random, bias, is_replicated=bool({FAILOVER, SPLIT} & {*self.faults}))
        self.clients = size.clients
        self.rooms = ("A", "B") if random.random() < 0.7 else ("A",)
        self.world = World(random, limits, size, bugs, [] if is_traced else None)
        self.world.tell(f"faults: {', '.join(self.faults)}")

    def run(self) -> Result:
        """Run it to its end and judge it."""
        world = self.world
        for _ in range(self.steps):
            self._step()
        try:
            self._make_peace()
        except Restless:
            return Result([Violation(RESTLESS, -1, -1)], world.recovered, world.refused, world.stamp)
        if world.failures:
            raise world.failures[0]
        found = violations(self._record())
        for violation in found:
            world.tell(f"** {violation.kind}: client {violation.client}, message {violation.message}")
        return Result(found, world.recovered, world.refused, world.stamp // STAMPS_A_STEP)

    # The time of trouble.

    def _step(self) -> None:
        world, random = self.world, self.random
        world.now += 1
        world.stamp += STAMPS_A_STEP
        for gateway in world.gateways:
            if world.now >= gateway.next_heartbeat and world.now >= gateway.paused_until:
                gateway.next_heartbeat = world.now + world.limits.heartbeat
                requests.heartbeat(gateway)
            if world.bugs:
                self._flush(gateway)
        drawn = random.random()
        if drawn < self.fault_rate:
            self._break_something()
        elif drawn < self.action_rate or not world.move_something():
            self._act()

    def _flush(self, gateway: Any) -> None:
        if "room_events_wait_for_the_tick" in self.world.bugs and self.random.random() < 0.3:
            for socket in gateway.sockets:
                socket.flush()

    def _act(self) -> None:
        """Let a client or a server do something."""
        world, random = self.world, self.random
        client = random.choice(world.clients)
        away = [other for other in world.clients if other.transport is None and not other.is_banished]
        if away and random.random() < 0.5:
            client = away[0]
        if client.transport is None:
            if not client.is_banished:
                self._connect(client)
            return
        drawn = random.random()
        if drawn < 0.4:
            gateway = random.choice(world.gateways)
            if gateway.paused_until > world.now:
                return
            if drawn < 0.12:
                requests.past_the_log(gateway)
            else:
                self._emit(gateway, is_volatile=drawn < 0.18)
        elif client.is_connected:
            self._talk(client, drawn)

    def _connect(self, client: Client) -> None:
        gateway = self.random.choice(self.world.gateways)
        self.world.tell(f"{client.name} connects to {gateway.name}: pid {client.pid}, offset {client.offset}")
        client.connect(gateway)

    def _emit(self, gateway: Any, *, is_volatile: bool) -> None:
        """Let a server emit: to a room, to the namespace, to a socket, to several rooms; without the members of another, or not."""
        world, random = self.world, self.random
        targets = [(room,) for room in (*self.rooms, "N")] + [self.rooms]
        targets += [(f"@{client.era.sid}",) for client in world.clients if client.eras]
        excepted = (random.choice(self.rooms),) if random.random() < 0.3 else ()
        message = world.message(random.choice(targets), except_rooms=excepted, is_volatile=is_volatile)
        how = " volatile" if is_volatile else ""
        world.tell(f"{gateway.name} emits{how} {message.number} to {message.rooms}, not to {excepted}")
        if is_volatile:
            gateway.volatile.publish(message)
        else:
            gateway.publish(message)
        gateway.runner.settle()

    def _talk(self, client: Client, drawn: float) -> None:
        world, random = self.world, self.random
        room = random.choice(self.rooms)
        if drawn < 0.6:
            world.tell(f"{client.name} joins {room}")
            client.join(room)
        elif drawn < 0.68:
            world.tell(f"{client.name} leaves {room}")
            client.leave(room)
        else:
            message = world.message((room,), client.era.sid if random.random() < 0.3 else -1)
            message.retried = True
            world.tell(f"{client.name} publishes {message.number} to {room}, not to {message.excluded}")
            client.publish(message.number)

    def _break_something(self) -> None:
        if not self.faults:
            return
        world, random = self.world, self.random
        fault = random.choice(self.faults)
        if fault in REDIS_FAULTS:
            if random.random() < REDIS_RATE:
                self._break_redis(fault)
        elif fault == KILL:
            index = random.randrange(len(world.gateways))
            world.tell(f"{fault}: {world.gateways[index].name}")
            world.kill(index)
        elif fault == FLUSH:
            world.tell(fault)
            world.primary.has_script = False
        elif fault == STALL:
            world.primary.paused_until = world.now + random.choice((10, 40))
        elif fault in {DROP, GOODBYE}:
            client = random.choice(world.clients)
            world.tell(f"{fault}: {client.name}")
            client.drop() if fault == DROP else client.goodbye()
        elif fault == TAB:
            self._duplicate_tab()
        else:
            gateway = random.choice(world.gateways)
            world.tell(f"{fault}: {gateway.name}")
            if fault == PAUSE:
                gateway.paused_until = world.now + random.choice((10, 60, 200))
            else:
                random.choice((gateway.log, gateway.bulk)).snap(random)

    def _duplicate_tab(self) -> None:
        world = self.world
        if len(world.clients) == self.clients and world.clients[0].is_connected:
            world.tell(f"{TAB}: {world.clients[0].name}")
            world.clients.append(world.clients[0].duplicate("its twin"))

    def _break_redis(self, fault: str) -> None:
        world, random = self.world, self.random
        old = world.primary
        world.excuses.count += 1
        run = world.identity()
        world.tell(f"{fault}: position {old.log.kept.last}")
        if fault == RESTART:
            old.restart(run)
        elif fault == EMPTY:
            old.restart_empty(run)
        else:
            world.primary = old.promote(run, random.randint(0, LAG_COMMANDS))
            world.tell(f"   the new primary is at position {world.primary.log.kept.last}")
            if fault == SPLIT:
                for link in list(old.links):
                    if random.random() < 0.5:
                        link.snap(random)
                world.deposed.append(old)
                return
        hang_up(old, random)

    # The time of peace.

    def _make_peace(self) -> None:
        world = self.world
        for gateway in world.gateways:
            gateway.paused_until = 0
        world.primary.paused_until = 0
        for primary in world.deposed:
            world.excuses.count += 1
            hang_up(primary, self.random)
        world.deposed.clear()
        world.tell("peace")
        self._drain()
        for number in range(PEACE_ROUNDS):
            world.now += world.limits.heartbeat
            self._reconnect()
            for gateway in world.gateways:
                requests.heartbeat(gateway)
            self._drain()
            if number > 1 and not any(self._is_stuck(client) for client in world.clients):
                return

    def _reconnect(self) -> None:
        """Let everybody come back who is away, again and again: clients are faster than heartbeats."""
        for _ in range(RECONNECTIONS_A_ROUND):
            away = [each for each in self.world.clients if each.transport is None and not each.is_banished]
            for client in away:
                self._connect(client)
            self._drain()
            if not away:
                return

    def _drain(self) -> None:
        world = self.world
        for _ in range(MOVES_TO_QUIESCENCE):
            world.stamp += STAMPS_A_STEP
            if world.bugs:
                for gateway in world.gateways:
                    self._flush(gateway)
            if not world.move_something():
                return
        raise Restless

    @staticmethod
    def _is_stuck(client: Client) -> bool:
        return not client.is_connected or bool(client.pending) or bool(client.unacknowledged)

    def _record(self) -> Record:
        world = self.world
        for message in world.messages:
            message.is_witnessed = message.witness in world.gateways
        eras = [client.eras for client in world.clients]
        stuck = sum(self._is_stuck(client) for client in world.clients)
        return Record(world.messages, eras, stuck, world.unexcused)


def hang_up(primary: Any, random: Random) -> None:
    """End the connections of a primary that is gone."""
    primary.paused_until = 0
    for link in list(primary.links):
        link.drop_requests()
        link.snap(random)


def _limits(random: Random, bias: Bias, bugs: frozenset[str]) -> Limits:
    stream_entries = random.choice((2, 6, 50, 50))
    page_entries = random.choice((1, 2, 10))
    scale = random.choice((1, 40, 40))
    if bias.time_scale:
        scale = bias.time_scale
    held_pushes = random.choice((3, 1_000, 1_000))
    publish_deadline = random.choice((30, 10_000))
    stream_entries = bias.stream_entries or stream_entries
    return Limits(
        stream_entries=stream_entries,
        log_bytes=CROWDED_BYTES if stream_entries == CROWDED_ENTRIES else FOREVER,
        page_entries=page_entries,
        held_pushes=held_pushes,
        session_life=150 * scale,
        room_life=(60 if "room_life_too_short" in bugs else 340) * scale,
        heartbeat=min(40, 20 * scale),
        claim_deadline=100 * scale,
        publish_deadline=publish_deadline,
    )


def _size(random: Random, bias: Bias, *, is_replicated: bool) -> Size:
    gateways, clients = random.choice((1, 2, 3)), random.choice((1, 2, 3))
    return Size(bias.gateways or gateways, bias.clients or clients, is_replicated)
