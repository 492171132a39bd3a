"""The tasks of a node, all of which can end at one moment, as by SIGKILL.

A context variable marks the work of a node: tasks, timers and callbacks inherit the mark, as they inherit any context
variable. `roomwire.testing.loop` runs marked work through its `Life`, which runs nothing more once it is over.
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
        is_over: Whether it has ended, so that none of its work runs.

    """

    def __init__(self) -> None:
        self.is_over = False
        self._is_buried = False
        self._tasks: WeakSet[asyncio.Task[object]] = WeakSet()
        # Steps of tasks that were due after the end.
        self._lost: list[tuple[contextvars.Context, Callable[..., object], tuple[object, ...]]] = []
        self._context = contextvars.Context()
        self._context.run(_LIFE.set, self)

    def enter(self, callback: Callable[[*Ts], object], *args: *Ts) -> None:
        """Call a function as a part of this life, unless it is over."""
        if not self.is_over:
            self._context.copy().run(callback, *args)

    def start(self, job: Coroutine[object, object, T]) -> "asyncio.Task[T]":
        """Start a task that is a part of this life."""
        return asyncio.get_running_loop().create_task(job, context=self._context.copy())

    def run(self, context: contextvars.Context, callback: Callable[[*Ts], object], *args: *Ts) -> None:
        """Run a callback of this life; if the life is over, keep the steps of tasks for `bury`."""
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
        """Stop all its work now; not even `finally` blocks run."""
        self.is_over = True

    async def bury(self) -> None:
        """Cancel the tasks of a life that is over, so that they release what they hold of the test; idempotent.

        Their `finally` blocks run only now.
        """
        loop = asyncio.get_running_loop()
        left = self.tasks()
        self.is_over = False
        for task in left:
            task.cancel()
        lost, self._lost = self._lost, []
        for context, callback, args in lost:
            loop.call_soon(callback, *args, context=context)
        # Exceptions at their end are irrelevant.
        await asyncio.gather(*left, return_exceptions=True)
        self.is_over = self._is_buried = True


def life_of(context: contextvars.Context | None = None) -> Life | None:
    """Return the life of the running code, or of a context."""
    return _LIFE.get() if context is None else context.get(_LIFE)


def mark(context: contextvars.Context, life: Life) -> None:
    """Make a context a part of a life."""
    context.run(_LIFE.set, life)
