"""Tasks that begin immediately: a coroutine that does not suspend costs no turn of the event loop and no task.

A coroutine's first step runs under the identity of a task that is kept ready, the spare. If it finishes in
that step, the spare is kept for the next. If it suspends, the spare is its task from there on, and a new one
is made ready. So `asyncio.current_task()` is a real task and the same one throughout: timeouts, cancel scopes
(anyio's, and so httpx) and context variables work as in any task, on every Python that is supported.

A task must not carry anything from one coroutine to the next: one whose context was changed, that was
cancelled or that was given something to do at its end is not used again.

Where a coroutine begins within the step of another task (`Starter.start_now`), that task is set aside meanwhile, as
asyncio's own eager tasks do it.
"""

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any, Final

Job = Coroutine[object, object, object]

_NOTHING: Final = object()

_current_task: Final = asyncio.current_task

# Documented for those who extend asyncio, under these names.
_enter_task = asyncio.tasks._enter_task  # noqa: SLF001
_leave_task = asyncio.tasks._leave_task  # noqa: SLF001


class Starter:
    """Starts coroutines on one event loop: the one that first uses it, or uses it first after `rebind`."""

    __slots__ = ("_base", "_loop", "_running", "_spares")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._base: contextvars.Context
        # One, unless coroutines begin within others.
        self._spares: list[_Spare] = []
        # asyncio itself holds tasks weakly.
        self._running: dict[object, asyncio.Task[object]] = {}

    def start(self, job: Job) -> "asyncio.Task[object] | None":
        """Run a coroutine up to where it suspends; returns the task that goes on with it, or None if it has finished.

        Coroutines that are started one after the other begin in this order. Within a task, a coroutine
        begins at the end of the loop's turn. What a job raises goes to the event loop's exception handler.
        """
        loop = asyncio.get_running_loop()
        if _current_task(loop) is not None:
            # What it was started by goes on first.
            return self._made(loop.create_task(job))
        return self.start_now(job)

    def start_now(self, job: Job) -> "asyncio.Task[object] | None":
        """Run a coroutine up to where it suspends, as `start` does, within a task as well, which goes on after that: hot.

        For what has to begin in the order in which it came, whoever takes it.
        """
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
            # Not that of whoever comes first: what it carries is nobody else's.
            self._base = contextvars.Context()
        spares = self._spares
        spare = spares.pop() if spares else self._made_ready(loop)
        task = spare.task
        if task.done():
            spare = self._made_ready(loop)
            task = spare.task
        outer = _current_task(loop)
        if outer is not None:
            _leave_task(loop, outer)
        _enter_task(loop, task)
        try:
            waits_for = spare.context.run(job.send, None)
        except StopIteration:
            if spare.is_marked(task) or spare.context != self._base or task._callbacks:  # noqa: SLF001
                self._retire(spare)
            else:
                spares.append(spare)
            return None
        except BaseException as error:
            self._retire(spare)
            self._report(error, job)
            return None
        finally:
            _leave_task(loop, task)
            if outer is not None:
                _enter_task(loop, outer)
        self._running[spare] = task
        spare.go_on(job, waits_for)
        return task

    def close(self) -> None:
        """Let go of the spares; what is running goes on. Idempotent."""
        while self._spares:
            self._retire(self._spares.pop())

    def _made_ready(self, loop: asyncio.AbstractEventLoop) -> "_Spare":
        spare = _Spare(self._base.copy(), self._running)
        spare.task = loop.create_task(spare, context=spare.context)
        return spare

    def rebind(self) -> None:
        """Go on on another loop; what ran on the last one ended with it."""
        self._loop = None
        self._spares.clear()
        self._running.clear()

    def _made(self, task: "asyncio.Task[object]") -> "asyncio.Task[object]":
        self._running[task] = task
        task.add_done_callback(self._running.pop)
        return task

    def _retire(self, spare: "_Spare") -> None:
        if spare.task.done():
            return
        self._running[spare] = spare.task
        spare.go_on(_finished(), _NOTHING)

    def _report(self, error: BaseException, job: Job) -> None:
        if not isinstance(error, Exception | asyncio.CancelledError):
            raise error
        if isinstance(error, Exception):
            assert self._loop is not None  # noqa: S101 - a job has run on it
            self._loop.call_exception_handler(
                {"message": f"{job!r} failed in its first step", "exception": error}
            )


class _Spare(Coroutine[object, object, object]):
    """What a spare task runs: it waits for a coroutine that has begun, and goes on with that one.

    Args:
        context: The task's.
        running: Where the task stands while it goes on, under this; taken out at the end.

    Attributes:
        task: The task.

    """

    __slots__ = ("_handed", "_job", "_running", "_waits_for", "context", "task")

    task: asyncio.Task[object]

    def __init__(self, context: contextvars.Context, running: dict[object, asyncio.Task[object]]) -> None:
        self.context = context
        self._running = running
        self._handed: asyncio.Future[None] | None = None
        self._job: Job | None = None
        self._waits_for: Any = _NOTHING

    def is_marked(self, task: "asyncio.Task[object]") -> bool:
        """Say whether somebody has asked for its task's cancellation, even if it was taken back."""
        is_woken = self._handed is not None and self._handed.done()
        return is_woken or task.cancelling() > 0 or task._must_cancel  # type: ignore[attr-defined] # noqa: SLF001

    def go_on(self, job: Job, waits_for: object) -> None:
        """Go on with a coroutine that has yielded what it waits for."""
        self._job, self._waits_for = job, waits_for
        if self._handed is not None and not self._handed.done():
            self._handed.set_result(None)

    # What the task calls, as of any coroutine.

    def send(self, value: object) -> object:
        """Take a step: hot."""
        waits_for = self._waits_for
        if waits_for is not _NOTHING:
            # The task's to wait for, as if it had been yielded now.
            self._waits_for = _NOTHING
            return waits_for
        if self._job is None:
            self._handed = asyncio.get_running_loop().create_future()
            return next(self._handed.__await__())
        try:
            return self._job.send(value)
        except BaseException:
            self._running.pop(self, None)
            raise

    def throw(self, *error: Any) -> object:
        """Take a step that begins with an exception: where the coroutine waits, whether or not the task does."""
        waits_for, self._waits_for = self._waits_for, _NOTHING
        if waits_for is not _NOTHING and waits_for is not None:
            if isinstance(error[0], asyncio.CancelledError) and waits_for.cancel():
                # As with a task that waits for it: its own end is what reaches the coroutine.
                return waits_for
            # It was told that a task will wait for it.
            waits_for._asyncio_future_blocking = False  # noqa: SLF001 - the protocol between futures and tasks
        job = _finished() if self._job is None else self._job
        try:
            return job.throw(*error)
        except BaseException:
            self._running.pop(self, None)
            raise

    def close(self) -> None:
        """End the coroutine, wherever it waits."""
        self._running.pop(self, None)
        if self._job is not None:
            self._job.close()

    def __await__(self) -> Any:
        raise NotImplementedError


async def _finished() -> None:
    """Do nothing."""
