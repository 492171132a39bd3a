"""Coroutines that start at once: one that finishes without suspending costs no task.

From Python 3.12 on, asyncio has eager tasks of its own, but makes the task before it knows whether one is
needed. Here a stand-in is the current task while the coroutine runs for the first time; only if it suspends
is there a task, which goes on where it stopped. What took hold of the stand-in meanwhile
(`asyncio.timeout`, `asyncio.TaskGroup`) reaches the task through it.
"""

import asyncio
import contextvars
import types
from asyncio import (
    _enter_task,
    _leave_task,
)  # documented for this use: "Extending asyncio", "Task lifetime support"
from collections.abc import Coroutine, Generator
from typing import Any


def start(coroutine: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any] | None":
    """Run a coroutine as far as it goes; returns the task of the rest, or None if it has finished.

    Call it from a callback of the event loop, not from a task. Exceptions of a coroutine that does not
    suspend are raised here.
    """
    loop = asyncio.get_running_loop()
    stand_in = _StandIn()
    _enter_task(loop, stand_in)  # type: ignore[arg-type] # a task as far as anybody asks it
    context = contextvars.copy_context()
    try:
        awaited = context.run(coroutine.send, None)
    except StopIteration:
        return None
    finally:
        _leave_task(loop, stand_in)  # type: ignore[arg-type] # the same
    task = stand_in.task = loop.create_task(_go_on(coroutine, awaited, stand_in), context=context)
    # A task that is cancelled before its first step never reaches the coroutine.
    task.add_done_callback(lambda _: coroutine.close())
    return task


class _StandIn:
    """The current task while there is no real one; whoever keeps it reaches the real one through it."""

    task: "asyncio.Task[Any] | None" = None
    is_under_way = False

    def done(self) -> bool:
        return self.task is not None and self.task.done()

    def cancelling(self) -> int:
        return 0 if self.task is None else self.task.cancelling()

    def uncancel(self) -> int:
        return 0 if self.task is None else self.task.uncancel()

    def cancel(self, msg: Any = None) -> bool:
        if self.is_under_way and self.task is not None:
            return self.task.cancel(msg)
        # A deadline that has passed already cancels before the task's first step: that has to come first.
        asyncio.get_running_loop().call_soon(self._cancel_later, msg)
        return True

    def _cancel_later(self, msg: Any) -> None:
        if self.task is not None:
            self.task.cancel(msg)


@types.coroutine
def _go_on(coroutine: Coroutine[Any, Any, Any], awaited: Any, stand_in: _StandIn) -> Generator[Any, Any, Any]:
    """Await what the coroutine awaits, then drive it to its end."""
    stand_in.is_under_way = True
    step: Any
    argument: Any
    while True:
        try:
            value = yield awaited
        except BaseException as error:  # cancellation has to reach the coroutine, too
            step, argument = coroutine.throw, error
        else:
            step, argument = coroutine.send, value
        try:
            awaited = step(argument)
        except StopIteration as stop:
            return stop.value
