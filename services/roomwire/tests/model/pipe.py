"""Things in flight, and the processes that wait for them.

A `Pipe` keeps its order and loses nothing while its ends live; which pipe moves next is the schedule's choice.
A process is a generator that yields what it waits for: an `Answer` or a `Signal`. It runs until it waits again, as a
coroutine does on an event loop; a coroutine of production's that waits for nothing else is one as well, by its `__await__`.
"""

from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Self


class Lost(Exception):
    """A link broke: whether the command was carried out is not known."""


class Always:
    """A reader that never pauses."""

    paused_until = 0


class Pipe:
    """A queue of things in flight to one reader."""

    __slots__ = ("deliver", "is_listed", "items", "reader", "ready")

    def __init__(self, ready: list["Pipe"], reader: Any, deliver: Callable[[Any], None]) -> None:
        self.ready = ready
        self.reader = reader
        self.deliver = deliver
        self.items: deque[Any] = deque()
        self.is_listed = False

    def put(self, item: Any) -> None:
        """Send one more thing."""
        self.items.append(item)
        if not self.is_listed:
            self.is_listed = True
            self.ready.append(self)

    def cut(self, kept: int) -> None:
        """Lose everything but the first `kept` things."""
        while len(self.items) > kept:
            self.items.pop()


Process = Generator[Any, Any, Any]


class Answer:
    """What a process waits for once: a reply. `value` is kept if it comes before anybody waits."""

    __slots__ = ("process", "then", "value")

    def __init__(self, then: Callable[[Any], None] | None = None) -> None:
        self.process: Process | None = None
        self.then = then
        self.value: Any = None

    def __await__(self) -> Generator[Self, Any, Any]:
        """Wait for it in a coroutine of production's."""
        return (yield self)

    def park(self, process: Process) -> None:
        """Remember who waits."""
        self.process = process


class Signal:
    """What any number of processes wait for: something that happens again and again."""

    __slots__ = ("processes",)

    def __init__(self) -> None:
        self.processes: list[Process] = []

    def park(self, process: Process) -> None:
        """Remember who waits."""
        self.processes.append(process)


class Runner:
    """The processes of one gateway. What wakes several of them lets each run in its turn, never within another."""

    __slots__ = ("is_stopped", "soon")

    def __init__(self) -> None:
        self.soon: deque[tuple[Process, Any]] = deque()
        self.is_stopped = False

    def start(self, process: Process) -> None:
        """Run a new process up to its first wait."""
        self.resume(process, None)

    def resume(self, process: Process, value: Any) -> None:
        """Hand a process what it waited for; `Lost` is raised where it waits."""
        if self.is_stopped:
            return
        try:
            waits_for = process.throw(Lost) if value is Lost else process.send(value)
        except StopIteration:
            return
        waits_for.park(process)

    def wake(self, signal: Signal) -> None:
        """Let everybody who waits for a signal go on, soon."""
        for process in signal.processes:
            self.soon.append((process, None))
        signal.processes.clear()

    def later(self, process: Process, value: Any = None) -> None:
        """Hand a process what it waited for, when what runs now has come to its end."""
        self.soon.append((process, value))

    def settle(self) -> None:
        """Run what was woken."""
        soon = self.soon
        while soon:
            self.resume(*soon.popleft())
