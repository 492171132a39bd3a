"""A deployment: one primary, some gateways, some clients, and everything in flight between them."""

from random import Random
from typing import NamedTuple

from model.client import Client
from model.gateway import Gateway
from model.log import Excuses, Limits
from model.pipe import Always, Pipe
from model.primary import Primary, new_primary
from model.record import NOBODY, Message
from model.transport import Transport

STAMPS_A_STEP = 128  # as many as a batch has publishes: each gets one of its own


class Size(NamedTuple):
    """How large a deployment is."""

    gateways: int
    clients: int
    is_replicated: bool


class World:
    """All that exists in a run. `now` is everybody's clock, in steps; `stamp` counts what happens, for the record.

    `trace` collects sentences about what happens, or is None.
    """

    def __init__(
        self, random: Random, limits: Limits, size: Size, bugs: frozenset[str], trace: list[str] | None
    ) -> None:
        self.random = random
        self.limits = limits
        self.config = limits.config(bugs)
        self.bugs = bugs
        self.trace = trace
        self.now = self.stamp = 0
        self.recovered = self.refused = self.unexcused = 0
        self.excuses = Excuses()
        self.own_pushes_follow = random.random() < 0.5
        self.ready: list[Pipe] = []
        self.always = Always()
        self.messages: list[Message] = []
        self.failures: list[Exception] = []
        self.transports: list[Transport] = []
        self._identities = 0
        self.deposed: list[Primary] = []
        self.primary = new_primary(
            limits,
            bugs,
            self.excuses,
            self.identity(),
            self.messages,
            self.tell,
            is_replicated=size.is_replicated,
        )
        self.gateways = [self.new_gateway() for _ in range(size.gateways)]
        self.clients = [
            Client(self, f"client {number}", rejoins=random.random() < 0.5) for number in range(size.clients)
        ]

    def identity(self) -> int:
        """Return a number that nobody else has."""
        self._identities += 1
        return self._identities

    def tell(self, sentence: str) -> None:
        """Add to the trace."""
        if self.trace is not None:
            self.trace.append(f"{self.stamp // STAMPS_A_STEP:5} {sentence}")

    def message(
        self,
        rooms: tuple[str, ...],
        excluded: int = NOBODY,
        except_rooms: tuple[str, ...] = (),
        *,
        is_volatile: bool = False,
    ) -> Message:
        """Return a new message."""
        message = Message(len(self.messages), rooms, excluded, except_rooms, is_volatile=is_volatile)
        self.messages.append(message)
        return message

    def new_gateway(self) -> Gateway:
        """Start a gateway."""
        return Gateway(self, f"gateway {self.identity()}")

    def kill(self, index: int) -> None:
        """Kill a gateway; another starts in its place."""
        gateway = self.gateways[index]
        gateway.runner.is_stopped = True
        gateway.paused_until = 0  # what is still sent to it is read by nobody, at once
        if "stored_on_close" in self.bugs:
            self.primary.log.kept.forget_sessions_of(gateway.name)
        for link in (gateway.log, gateway.bulk):
            link.snap(self.random)
            link.is_open = False
            link.replies.items.clear()
        for transport in self.transports:
            if transport.gateway is gateway:
                transport.kill(self.random)
        self.gateways[index] = self.new_gateway()

    def move_something(self) -> bool:
        """Deliver one of the things in flight, or find its reader asleep; False if there is none."""
        ready = self.ready
        while ready:
            index = int(self.random.random() * len(ready))
            pipe = ready[index]
            items = pipe.items
            if items and pipe.reader.paused_until > self.now:
                return True
            item = items.popleft() if items else None
            if not items:
                pipe.is_listed = False
                ready[index] = ready[-1]
                ready.pop()
            if item is not None:
                pipe.deliver(item)
                return True
        return False
