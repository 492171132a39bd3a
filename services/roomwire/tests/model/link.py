"""A gateway's connection to Redis.

A link that breaks is noticed later than it breaks. What was under way to Redis may still be carried out, long
after the gateway has connected again; what was under way to the gateway is gone.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from model.pipe import Answer, Lost, Pipe, Runner
from model.primary import Primary

BROKEN = "broken"


class Link:
    """One connection. `call` asks and is answered, `tell` asks and does not listen."""

    __slots__ = (
        "_held_pushes", "_requests", "_runner", "_take", "_waiting", "_world", "is_open", "is_up", "primary", "replies",
    )  # fmt: skip

    def __init__(self, world: Any, gateway: Any, take: Callable[["Link", Any], None]) -> None:
        self._world = world
        self._runner: Runner = gateway.runner
        self._take = take
        self._held_pushes: list[Any] | None = None
        self._waiting: dict[Answer, None] = {}
        self.primary: Primary = world.primary
        self._requests = Pipe(world.ready, self.primary, self._execute)
        self.replies = Pipe(world.ready, gateway, self._receive)
        self.is_up = True  # the connection itself
        self.is_open = True  # as the gateway knows it
        self.primary.connect(self)

    def call(self, name: str, *arguments: Any, then: Callable[[Any], None] | None = None) -> Answer:
        """Send a command. Whoever waits for the answer gets the reply, or Lost.

        Raises:
            Lost: The gateway has already given this link up.

        """
        if not self.is_open:
            raise Lost
        answer = Answer(then)
        self._waiting[answer] = None
        if self.is_up:
            self._requests.put((answer, name, arguments))
        return answer

    def tell(self, name: str, *arguments: Any) -> None:
        """Send a command whose reply says nothing."""
        if self.is_open and self.is_up:
            self._requests.put((None, name, arguments))

    def push(self, item: Any) -> None:
        """Redis sends something unasked."""
        if self._held_pushes is not None:
            self._held_pushes.append(item)
        elif self.is_up:
            self.replies.put((None, item))

    def snap(self, random: Random) -> None:
        """Break: the tail of what is in flight is lost, both ways."""
        if not self.is_up:
            return
        self.is_up = False
        self._requests.cut(random.randint(0, len(self._requests.items)))
        self.replies.cut(random.randint(0, len(self.replies.items)))
        self.replies.put((BROKEN, None))
        self.primary.forget(self)

    def drop_requests(self) -> None:
        """Redis died: what had not been carried out never will be."""
        self._requests.items.clear()

    def give_up(self, random: Random, *, but_listen: bool) -> None:
        """The gateway turns away from the link: what waits for an answer is told that it will not come."""
        if not self.is_open:
            return
        self.snap(random)
        if but_listen:
            return
        self.is_open = False
        self.replies.items.clear()
        waiting, self._waiting = self._waiting, {}
        for answer in waiting:
            if answer.process is not None:
                self._runner.later(answer.process, Lost)

    def _execute(self, request: tuple[Answer | None, str, tuple[Any, ...]]) -> None:
        answer, name, arguments = request
        world = self._world
        # What a script pushes to its own caller precedes the reply (Redis 7.0) or follows it (Valkey 9.1): both were tried.
        held = self._held_pushes = [] if world.own_pushes_follow else None
        reply = self.primary.execute(self, name, arguments, world.now, world.stamp)
        self._held_pushes = None
        if answer is not None and self.is_up:
            self.replies.put((answer, reply))
        for item in held or ():
            self.push(item)

    def _receive(self, item: tuple[Any, Any]) -> None:
        answer, value = item
        if answer is None or answer is BROKEN:
            self._take(self, item)
        else:
            self._waiting.pop(answer, None)
            if answer.then is not None:
                answer.then(value)
            if answer.process is not None:
                self._runner.resume(answer.process, value)
        self._runner.settle()
