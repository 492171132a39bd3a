"""The event loop of tests: its time is virtual, and it detects when nothing more can happen.

The time stands still while anything runs. It passes when the test lets it pass (`Cluster.advance`), and where the test awaits
something that only time can bring, such as `asyncio.sleep(60)`: then it jumps to the next timer. Nobody waits for real.

What comes from outside of the loop (sockets, threads, executors) comes when it comes. Where there is any of it, the loop waits
for a moment of real time before it believes that nothing more happens: long if somebody may be waiting for it, else shortly.
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
"""How long, in seconds of real time, what may come from outside of the loop is waited for."""
GRACE_S: Final = 0.02
"""The same, where nothing is known that waits for it: a pool's idle connections, say."""
_EXECUTOR: Final = "asyncio_"


class Idle(NamedTuple):
    """What there is to say of a moment in which nothing more can happen without time passing.

    Attributes:
        due_s: In how many seconds something is due; None: never.

    """

    due_s: float | None


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only where nothing else can happen.

    The plugin runs tests that use its fixture on one; by hand it is `asyncio.Runner(loop_factory=VirtualLoop)`.

    Attributes:
        watched: Say whether something is under way that may wait for what comes from outside. None of them: it may.

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
        """Return the test's time in seconds: monotonic."""
        return self._now_s

    def wall_time(self) -> float:
        """Return the test's time in seconds since 1970: the real one when the loop was made, and what has passed here since."""
        return self._began_at + self._now_s - START_S

    def move(self, seconds: float) -> None:
        """Let time pass, without doing what is due."""
        self._now_s += seconds

    def when_idle(self, *, is_wanted: bool = False) -> "asyncio.Future[Idle | None]":
        """Return a future that is done when nothing more can happen without time passing; whoever has it may end it before, by None.

        Args:
            is_wanted: Whether something in particular is waited for, which may come from outside.

        """
        self._waited_s, self._is_wanted = 0.0, is_wanted
        return self._wait()

    def _wait(self) -> "asyncio.Future[Idle | None]":
        wait: asyncio.Future[Idle | None] = self.create_future()
        self._waits.append(wait)
        return wait

    async def advance(self, seconds: float) -> None:
        """Let time pass, and do all that is due meanwhile, in its order and at its time."""
        until = self._now_s + seconds
        # Waited for once: what has not come by then does not hold up each timer.
        self._waited_s, self._is_wanted = 0.0, False
        while (due_s := await self._due()) is not None and self._now_s + due_s <= until:
            self.move(due_s)
        self.move(max(0.0, until - self._now_s))
        await self._wait()

    async def _due(self) -> float | None:
        idle = await self._wait()
        return None if idle is None else idle.due_s

    # What is begun in a node's life belongs to it: see `roomwire.testing.life`.

    def call_soon(  # type: ignore[override] # typeshed's has a type variable for the arguments
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Have a callback called; see asyncio."""
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
        """Have a callback called at a time; see asyncio."""
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
        """Decide what happens when nothing is to be run: called in place of waiting for files."""
        is_alone, hears = threading.active_count() == 1, self._hears_from_outside()
        # A thread that has ended since the files were looked at may have said something before.
        if not hears and (events := self._gate.wait(0)):
            return events
        began_at = time.monotonic()
        self._waits = [wait for wait in self._waits if not wait.done()]
        if self._waits:
            left_s = self._patience() - self._waited_s if hears else 0.0
            if left_s > 0:
                # What threads have to say comes by a file as well.
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
    """A selector that asks what to do before it waits.

    Args:
        idle: Called with the seconds until something is due, or None, where nothing has come.

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
        """Return what has come; where that is nothing and the loop would wait, what `idle` says."""
        events = self._files.select(0)
        return events if events or timeout == 0 else self._idle(timeout)

    def wait(self, timeout_s: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for real."""
        return self._files.select(timeout_s)

    def close(self) -> None:
        self._files.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._files.get_map()
