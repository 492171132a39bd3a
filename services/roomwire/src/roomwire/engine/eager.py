"""Tasks that begin immediately: a coroutine that does not suspend costs no turn of the event loop and no task.

A coroutine's first step runs under the identity of a task that is kept ready, the spare. If the coroutine finishes in
that step, the spare is kept for the next one. If it suspends, the spare becomes its task, and a new spare
is created. So `asyncio.current_task()` is a real task and the same one throughout: timeouts, cancel scopes
(those of anyio, and therefore httpx) and context variables work as in any task, on every supported Python.

A task must not carry anything from one coroutine to the next: a task is not used again if its context was changed, if it was
cancelled, or if it has callbacks.

If a coroutine begins within the step of another task (`Starter.start_now`), that task is suspended meanwhile, as
in asyncio's own eager tasks.
"""

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any, Final

Job = Coroutine[object, object, object]

_NOTHING: Final = object()

_current_task: Final = asyncio.current_task

# These names are documented for libraries that extend asyncio.
_enter_task = asyncio.tasks._enter_task  # noqa: SLF001
_leave_task = asyncio.tasks._leave_task  # noqa: SLF001


class Starter:
    """Starts coroutines on one event loop: the loop of its first use, or of its first use after `rebind`."""

    __slots__ = ("_base", "_loop", "_running", "_spares")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._base: contextvars.Context
        # One spare, unless coroutines begin within others.
        self._spares: list[_Spare] = []
        # asyncio itself holds tasks weakly.
        self._running: dict[object, asyncio.Task[object]] = {}

    def start(self, job: Job) -> "asyncio.Task[object] | None":
        """Run a coroutine until it suspends; return the task that continues it, or None if it has finished.

        Coroutines that are started one after the other begin in this order. Within a task, a coroutine
        begins at the end of the loop's turn. An exception of a job goes to the event loop's exception handler.
        """
        loop = asyncio.get_running_loop()
        if _current_task(loop) is not None:
            # The calling task continues first.
            return self._made(loop.create_task(job))
        return self.start_now(job)

    def start_now(self, job: Job) -> "asyncio.Task[object] | None":
        """Run a coroutine until it suspends, as `start` does, but within a task as well, which continues afterwards: hot.

        Use it for work that must begin in the order of its arrival.
        """
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
            # An empty context: the first caller's context belongs to that caller alone.
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
        """Release the spares; running coroutines continue. Idempotent."""
        while self._spares:
            self._retire(self._spares.pop())

    def _made_ready(self, loop: asyncio.AbstractEventLoop) -> "_Spare":
        spare = _Spare(self._base.copy(), self._running)
        spare.task = loop.create_task(spare, context=spare.context)
        return spare

    def rebind(self) -> None:
        """Continue on another loop; tasks of the last loop ended with it."""
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
    """The coroutine of a spare task: it waits for a coroutine that has begun, and continues it.

    Args:
        context: The task's context.
        running: A mapping that holds the task while it runs.

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
        """Return whether cancellation of its task was requested, even if the request was withdrawn."""
        is_woken = self._handed is not None and self._handed.done()
        return is_woken or task.cancelling() > 0 or task._must_cancel  # type: ignore[attr-defined] # noqa: SLF001

    def go_on(self, job: Job, waits_for: object) -> None:
        """Continue a coroutine that has yielded the future that it waits for."""
        self._job, self._waits_for = job, waits_for
        if self._handed is not None and not self._handed.done():
            self._handed.set_result(None)

    # Called by the task, as for any coroutine.

    def send(self, value: object) -> object:
        """Take a step: hot."""
        waits_for = self._waits_for
        if waits_for is not _NOTHING:
            # The task waits for it as if it had been yielded now.
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
        """Take a step that begins with an exception, at the place where the coroutine waits, whether or not the task does."""
        waits_for, self._waits_for = self._waits_for, _NOTHING
        if waits_for is not _NOTHING and waits_for is not None:
            if isinstance(error[0], asyncio.CancelledError) and waits_for.cancel():
                # As with a task that waits for a future: the end of that future reaches the coroutine.
                return waits_for
            # The future was marked as awaited by a task.
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
