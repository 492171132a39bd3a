"""The tasks of a node, all of which can end in one moment, as by SIGKILL.

A context variable marks what a node begins: its tasks, timers and callbacks inherit the mark, as they inherit any context
variable. `roomwire.testing.loop` runs what is marked by way of its `Life`, which runs nothing more once it is over.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import TypeVar, TypeVarTuple
from weakref import WeakSet

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_LIFE: contextvars.ContextVar["Life | None"] = contextvars.ContextVar("roomwire_testing_life", default=None)


class Life:
    """The life of one node.

    Attributes:
        is_over: Whether nothing of it runs any more.

    """

    def __init__(self) -> None:
        self.is_over = False
        self._is_buried = False
        self._tasks: WeakSet[asyncio.Task[object]] = WeakSet()
        # Steps of tasks that were due when it was over.
        self._lost: list[tuple[contextvars.Context, Callable[..., object], tuple[object, ...]]] = []
        self._context = contextvars.Context()
        self._context.run(_LIFE.set, self)

    def enter(self, callback: Callable[[*Ts], object], *args: *Ts) -> None:
        """Call something as a part of this life, unless it is over."""
        if not self.is_over:
            self._context.copy().run(callback, *args)

    def start(self, job: Coroutine[object, object, T]) -> "asyncio.Task[T]":
        """Start a task that is a part of this life."""
        return asyncio.get_running_loop().create_task(job, context=self._context.copy())

    def run(self, context: contextvars.Context, callback: Callable[[*Ts], object], *args: *Ts) -> None:
        """Run a callback that was begun in this life; once that is over, keep the steps of tasks for their burial."""
        if not self.is_over:
            callback(*args)
        elif not self._is_buried and isinstance(getattr(callback, "__self__", None), asyncio.Task):
            self._lost.append((context, callback, args))

    def own(self, task: "asyncio.Task[object]") -> None:
        """Note a task that is a part of this life."""
        self._tasks.add(task)

    def tasks(self) -> list["asyncio.Task[object]"]:
        """Return the tasks that have not ended."""
        return [task for task in self._tasks if not task.done()]

    def end(self) -> None:
        """Let nothing of it run any more, not even what stands in a `finally`."""
        self.is_over = True

    async def bury(self) -> None:
        """Cancel the tasks of a life that is over, so that what they hold of the test's goes back; idempotent.

        Only now do their `finally` blocks run.
        """
        loop = asyncio.get_running_loop()
        left = self.tasks()
        self.is_over = False
        for task in left:
            task.cancel()
        lost, self._lost = self._lost, []
        for context, callback, args in lost:
            loop.call_soon(callback, *args, context=context)
        # What they raise at their end concerns nobody.
        await asyncio.gather(*left, return_exceptions=True)
        self.is_over = self._is_buried = True


def life_of(context: contextvars.Context | None = None) -> Life | None:
    """Return what the running code, or a context, is a part of."""
    return _LIFE.get() if context is None else context.get(_LIFE)


def mark(context: contextvars.Context, life: Life) -> None:
    """Make what runs in a context a part of a life."""
    context.run(_LIFE.set, life)
