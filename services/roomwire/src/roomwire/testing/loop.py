"""The event loop of tests: its time is virtual, and it detects when nothing more can happen.

The time stands still while anything runs. It passes when the test lets it pass (`Cluster.advance`), and when the test awaits
something that depends on time alone, such as `asyncio.sleep(60)`: then it jumps to the next timer. There is no real waiting.

Input from outside the loop (sockets, threads, executors) arrives in real time. If there is a source of such input, the loop waits
for a moment of real time before it concludes that nothing more can happen: long if something may depend on it, otherwise short.
"""

import asyncio
import contextvars
import selectors
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any, Final, NamedTuple, TypeVar, TypeVarTuple

from roomwire.testing.errors import Deadlock
from roomwire.testing.life import life_of, mark

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

START_S: Final = 1_000.0
PATIENCE_S: Final = 1.0
"""The seconds of real time to wait for input from outside the loop."""
GRACE_S: Final = 0.02
"""The same if nothing is known to depend on the input, as with a pool's idle connections."""
_EXECUTOR: Final = "asyncio_"


class Idle(NamedTuple):
    """A moment in which nothing more can happen unless time passes.

    Attributes:
        due_s: The seconds until the next timer is due; None if there is none.

    """

    due_s: float | None


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when nothing else can happen.

    The plugin runs tests that use its fixture on this loop; without the plugin, use `asyncio.Runner(loop_factory=VirtualLoop)`.

    Attributes:
        watched: Functions that return whether work is in progress that may wait for outside input. Without any, it always may.

    """

    def __init__(self) -> None:
        self._now_s = START_S
        self._waits: list[asyncio.Future[Idle | None]] = []
        self._is_wanted = False
        self._waited_s = 0.0
        self._jobs = 0
        self.watched: list[Callable[[], bool]] = []
        self._began_at = time.time()
        self._threads = frozenset(threading.enumerate())
        self._gate = _Gate(self._idle)
        super().__init__(self._gate)
        self._own_files = len(self._gate.get_map())

    def time(self) -> float:
        """Return the test's monotonic time in seconds."""
        return self._now_s

    def wall_time(self) -> float:
        """Return the test's time in seconds since 1970: the real time of the loop's creation plus the virtual time since then."""
        return self._began_at + self._now_s - START_S

    def move(self, seconds: float) -> None:
        """Let time pass without running timers."""
        self._now_s += seconds

    def when_idle(self, *, is_wanted: bool = False) -> "asyncio.Future[Idle | None]":
        """Return a future that is done when nothing more can happen unless time passes; its holder may end it earlier with None.

        Args:
            is_wanted: Whether the caller waits for something that may come from outside.

        """
        self._waited_s, self._is_wanted = 0.0, is_wanted
        return self._wait()

    def _wait(self) -> "asyncio.Future[Idle | None]":
        wait: asyncio.Future[Idle | None] = self.create_future()
        self._waits.append(wait)
        return wait

    async def advance(self, seconds: float) -> None:
        """Let time pass, and run all timers that become due, in order and each at its time."""
        until = self._now_s + seconds
        # Real waiting happens once: input that is late does not delay each timer.
        self._waited_s, self._is_wanted = 0.0, False
        while (due_s := await self._due()) is not None and self._now_s + due_s <= until:
            self.move(due_s)
        self.move(max(0.0, until - self._now_s))
        await self._wait()

    async def _due(self) -> float | None:
        idle = await self._wait()
        return None if idle is None else idle.due_s

    # Work that begins in a node's life belongs to it: see `roomwire.testing.life`.

    def call_soon(  # type: ignore[override] # typeshed's has a type variable for the arguments
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Schedule a callback; see asyncio."""
        life = life_of(context)
        if life is None:
            return super().call_soon(callback, *args, context=context)
        context = context or contextvars.copy_context()
        return super().call_soon(life.run, context, callback, *args, context=context)

    def call_at(  # type: ignore[override] # the same
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Schedule a callback at a time; see asyncio."""
        life = life_of(context)
        if life is None:
            return super().call_at(when, callback, *args, context=context)
        context = context or contextvars.copy_context()
        return super().call_at(when, life.run, context, callback, *args, context=context)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """Start a task; see asyncio."""
        life = life_of()
        context: contextvars.Context | None = options.get("context")
        if context is not None:
            if life is not None and life_of(context) is None:
                mark(context, life)
            life = life_of(context)
        task = super().create_task(coro, **options)
        if life is not None:
            life.own(task)
        return task

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run a function in a thread; see asyncio."""
        running = super().run_in_executor(executor, func, *args)
        self._jobs += 1
        running.add_done_callback(self._job_done)
        return running

    def _job_done(self, _: object) -> None:
        self._jobs -= 1

    def _idle(self, due_s: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """Decide what happens when there is nothing to run; called instead of waiting for files."""
        is_alone, hears = threading.active_count() == 1, self._hears_from_outside()
        # A thread that has ended since the files were checked may have reported something before.
        if not hears and (events := self._gate.wait(0)):
            return events
        began_at = time.monotonic()
        self._waits = [wait for wait in self._waits if not wait.done()]
        if self._waits:
            left_s = self._patience() - self._waited_s if hears else 0.0
            if left_s > 0:
                # Threads report through a file as well.
                events = self._gate.wait(left_s)
                waited_s = time.monotonic() - began_at
                self._waited_s = 0.0 if events else self._waited_s + waited_s
                if events or waited_s < left_s:
                    return events
            waits, self._waits = self._waits, []
            for wait in waits:
                wait.set_result(Idle(due_s))
            return []
        if not hears and due_s is not None:
            self.move(due_s)
            return []
        if due_s is None and not hears and is_alone:
            raise Deadlock
        events = self._gate.wait(due_s)
        self.move(min(time.monotonic() - began_at, due_s or 0.0))
        return events

    def _patience(self) -> float:
        may_be_waited_for = self._is_wanted or self._jobs or not self.watched
        return PATIENCE_S if may_be_waited_for or any(is_busy() for is_busy in self.watched) else GRACE_S

    def _hears_from_outside(self) -> bool:
        if self._jobs or len(self._gate.get_map()) > self._own_files:
            return True
        return any(
            thread not in self._threads and not thread.name.startswith(_EXECUTOR)
            for thread in threading.enumerate()
        )


class _Gate(selectors.BaseSelector):
    """A selector that calls a function before it waits.

    Args:
        idle: Called, if there is no event, with the seconds until the next timer, or None.

    """

    def __init__(self, idle: Callable[[float | None], list[tuple[selectors.SelectorKey, int]]]) -> None:
        self._files = selectors.DefaultSelector()
        self._idle = idle

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._files.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._files.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._files.modify(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return the events; if there are none and the loop would wait, return the result of `idle`."""
        events = self._files.select(0)
        return events if events or timeout == 0 else self._idle(timeout)

    def wait(self, timeout_s: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait in real time."""
        return self._files.select(timeout_s)

    def close(self) -> None:
        self._files.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._files.get_map()
