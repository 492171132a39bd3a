"""Several logs, the processes that serve them, and clients with sockets in some of them: all of it drawn from one seed."""

from random import Random
from typing import Any, NamedTuple

from model import requests
from model.log import Limits
from model.many.faults import ANOTHER_NUMBER, FAULTS, KICK, LOG_FAULTS, SHARED_FAULTS, UNMIXED, Mix
from model.many.line import Half, Line
from model.many.process import LogWorld
from model.record import Message
from model.rules import DROP, GOODBYE, KILL, PAUSE, STALL
from model.schedule import REDIS_FAULTS, REDIS_RATE, Schedule
from model.world import STAMPS_A_STEP, Size


class Kick(NamedTuple):
    """A user who was sent away, and the last word to the user in each log that was asked."""

    line: Line
    words: list[Message]


class OneLog(Schedule):
    """What clients and servers do in one log, and what breaks in it."""

    def __init__(self, deployment: "Deployment", world: LogWorld) -> None:
        self.deployment = deployment
        self.random = deployment.random
        self.rooms = ("A", "B")
        self.world: LogWorld = world

    def act(self) -> None:
        """Let a client or a server do something."""
        if self.world.clients:
            self._act()

    def fail(self, fault: str) -> None:
        """Let this log's primary fail, or a link to it."""
        world, random = self.world, self.random
        if fault in REDIS_FAULTS:
            if random.random() < REDIS_RATE:
                self._break_redis(fault)
        elif fault == STALL:
            world.primary.paused_until = world.now + random.choice((10, 40))
        else:
            gateway = random.choice(world.gateways)
            random.choice((gateway.log, gateway.bulk)).snap(random)

    def _connect(self, client: Any) -> None:
        line = client.line
        if client.is_parted:
            line.come_back(client)
        elif line.is_away:
            self.deployment.connect(line)


class Deployment:
    """Worlds that share the processes and the connections, and nothing else."""

    def __init__(
        self, seed: int, bugs: frozenset[str] = frozenset(), mix: Mix = UNMIXED, *, is_traced: bool = False
    ) -> None:
        random = self.random = Random(seed)
        self.bugs = bugs
        self.trace: list[str] | None = [] if is_traced else None
        self.identities = 0
        self.messages: list[Message] = []
        self.kicks: list[Kick] = []
        drawn = tuple(fault for fault in FAULTS if random.random() < 0.4)
        self.faults = drawn if mix.faults is None else mix.faults
        self.steps = mix.steps or random.choice((80, 120, 240, 400))
        self.fault_rate = mix.fault_rate or random.choice((0.02, 0.05, 0.1))
        self.action_rate = self.fault_rate + random.choice((0.1, 0.3))
        self.failing = mix.failing
        self.has_failed: set[int] = set()
        self.is_shifted = False
        self.worlds: list[LogWorld] = []
        limits = _limits(random)
        size = Size(random.choice((1, 2, 3)), 0, is_replicated=True)
        for number in range(random.choice((2, 2, 3))):
            self.worlds.append(LogWorld(self, number, limits, size))
        self.logs = [OneLog(self, world) for world in self.worlds]
        self.lines = [self._line(number) for number in range(random.choice((1, 2, 3)))]

    def _line(self, number: int) -> Line:
        """Return a client. The second has a socket in the first log alone."""
        line, random = Line(f"client {number}"), self.random
        served = self.worlds[:1] if number == 1 else [each for each in self.worlds if random.random() < 0.8]
        for world in served or self.worlds:
            half = Half(world, line, rejoins=random.random() < 0.5)
            line.halves.append(half)
            world.clients.append(half)
        return line

    def source_of(self, world: LogWorld) -> Any:
        """Return the log that a starting process takes for a namespace; only a bug takes another one."""
        if self.is_shifted and "number_of_logs_not_written" in self.bugs:
            return self.worlds[(world.number + 1) % len(self.worlds)]
        return world

    def connect(self, line: Line) -> None:
        """Connect a client to a process."""
        process = self.random.randrange(len(self.worlds[0].gateways))
        self.tell(f"{line.name} connects to process {process}")
        line.connect(process)

    @property
    def is_quiet_beside_logs(self) -> bool:
        """Whether nothing but logs can fail."""
        return not {*self.faults} & {*SHARED_FAULTS}

    def tell(self, sentence: str) -> None:
        """Add to the trace."""
        self.worlds[0].tell(sentence)

    # The time of trouble.

    def step(self) -> None:
        """Let one thing happen."""
        self.pass_time(1)
        for world in self.worlds:
            for part in world.gateways:
                if world.now >= part.next_heartbeat and world.now >= part.paused_until:
                    part.next_heartbeat = world.now + world.limits.heartbeat
                    requests.heartbeat(part)
        drawn = self.random.random()
        if drawn < self.fault_rate:
            self._break_something()
            return
        moved = [world.move_something() for world in self.worlds]
        if drawn < self.action_rate or not any(moved):
            self.random.choice(self.logs).act()

    def pass_time(self, steps: int) -> None:
        """Move everybody's clock."""
        for world in self.worlds:
            world.now += steps
            world.stamp += STAMPS_A_STEP

    def _break_something(self) -> None:
        if not self.faults:
            return
        random = self.random
        fault = random.choice(self.faults)
        if fault in LOG_FAULTS:
            number = random.choice(self.failing or range(len(self.worlds)))
            self.has_failed.add(number)
            self.tell(f"{fault}: log {number}")
            self.logs[number].fail(fault)
            return
        line = random.choice(self.lines)
        index = random.randrange(len(self.worlds[0].gateways))
        self.tell(f"{fault}: {line.name}, process {index}")
        if fault in {KILL, ANOTHER_NUMBER}:
            self.is_shifted = fault == ANOTHER_NUMBER
            for world in self.worlds:
                world.kill(index)
            self.is_shifted = False
        elif fault == PAUSE:
            until = self.worlds[0].now + random.choice((10, 60, 200))
            for world in self.worlds:
                world.gateways[index].paused_until = until
        elif fault == DROP:
            line.halves[0].drop()
        elif fault == GOODBYE:
            random.choice(line.halves).goodbye()
        elif fault == KICK:
            self._kick(random.choice(line.halves), index)
        else:
            self._kick_user(line, index)

    def _kick(self, half: Half, index: int) -> None:
        """Say a last word to a client and send it away, from a process that need not have it."""
        part = half.world.gateways[index]
        if not half.session or half.is_banished or part.paused_until > part.world.now:
            return
        self._last_word(half, index)
        if "request_on_another_log" in self.bugs and half.transport is not None:
            half.transport.gateway.kick_at_once(half)

    def _last_word(self, half: Half, index: int) -> Message:
        part = half.world.gateways[index]
        before = half.world.message((f"@{half.session}",))
        word = half.world.message((f"@{half.session}",))
        half.kicks.add(word.number)
        for message in (before, word):
            part.publish(message)
        part.runner.settle()
        return word

    def _kick_user(self, line: Line, index: int) -> None:
        """Send a user away from every log; a revocation sees to those who come later."""
        part = self.worlds[0].gateways[index]
        if line.is_revoked or part.paused_until > part.world.now:
            return
        line.is_revoked = True
        asked = line.halves[:1] if "one_log_asked" in self.bugs else line.halves
        self.kicks.append(
            Kick(
                line,
                [self._last_word(half, index) for half in asked if half.session and not half.is_banished],
            )
        )


def _limits(random: Random) -> Limits:
    scale = 40
    return Limits(
        stream_entries=50,
        page_entries=random.choice((2, 10)),
        held_pushes=1_000,
        session_life=150 * scale,
        room_life=340 * scale,
        heartbeat=40,
        claim_deadline=100 * scale,
        publish_deadline=10_000,
    )
