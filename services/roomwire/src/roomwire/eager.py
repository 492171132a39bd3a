"""Tasks that begin at once: a coroutine that does not suspend costs no turn of the event loop and no task of its own.

A coroutine's first step runs under the identity of a task that is kept ready, the spare. If it finishes in
that step, the spare is kept for the next. If it suspends, the spare is its task from there on, and a new one
is made ready. So `asyncio.current_task()` is a real task and the same one throughout: timeouts, cancel scopes
(anyio's, and so httpx) and context variables work as in any task, on every Python that is supported.

A task must not carry anything from one coroutine to the next: one whose context was changed, that was
cancelled or that was given something to do at its end is not used again.
"""

import asyncio
import contextvars
from collections.abc import Coroutine, Generator
from types import coroutine as generator_coroutine
from typing import Any

Job = Coroutine[Any, Any, Any]

# Documented for those who extend asyncio, under these names.
_enter_task = asyncio.tasks._enter_task  # noqa: SLF001
_leave_task = asyncio.tasks._leave_task  # noqa: SLF001


class Starter:
    """Starts coroutines on one event loop, which is the one that first uses it."""

    __slots__ = ("_base", "_loop", "_running", "_spare")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._base: contextvars.Context
        self._spare: _Spare | None = None
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, job: Job) -> "asyncio.Task[Any] | None":
        """Run a coroutine up to where it suspends; returns the task that goes on with it, or None if it has finished.

        Coroutines that are started one after the other begin in this order. Within a task, a coroutine
        begins at the end of the loop's turn. What a job raises goes to the event loop's exception handler.
        """
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
            # Not that of whoever comes first: what it carries is nobody else's.
            self._base = contextvars.Context()
        spare = self._spare
        if spare is None or spare.task.done():
            spare = self._spare = _Spare(loop, self._base.copy())
        task = spare.task
        try:
            _enter_task(loop, task)
        except RuntimeError:
            # Another task is running: its first step cannot be interrupted by that of this one.
            return self._keep(loop.create_task(job))
        try:
            waits_for = spare.context.run(job.send, None)
        except StopIteration:
            if spare.is_marked or spare.context != self._base or task._callbacks:  # noqa: SLF001
                self._retire(spare)
            return None
        except BaseException as error:
            self._retire(spare)
            self._report(error, job)
            return None
        finally:
            _leave_task(loop, task)
        self._spare = None
        spare.go_on(job, waits_for)
        return self._keep(task)

    def close(self) -> None:
        """Let go of the spare; what is running goes on. Idempotent."""
        if self._spare is not None:
            self._retire(self._spare)

    def _keep(self, task: "asyncio.Task[Any]") -> "asyncio.Task[Any]":
        # asyncio itself holds tasks weakly.
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def _retire(self, spare: "_Spare") -> None:
        self._spare = None
        self._running.add(spare.task)
        spare.task.add_done_callback(self._running.discard)
        spare.end()

    def _report(self, error: BaseException, job: Job) -> None:
        if not isinstance(error, Exception | asyncio.CancelledError):
            raise error
        if isinstance(error, Exception):
            assert self._loop is not None  # noqa: S101 - a job has run on it
            self._loop.call_exception_handler(
                {"message": f"{job!r} failed in its first step", "exception": error}
            )


class _Spare:
    """A task that waits for the rest of a coroutine."""

    __slots__ = ("_handed", "_job", "_waits_for", "context", "task")

    def __init__(self, loop: asyncio.AbstractEventLoop, context: contextvars.Context) -> None:
        self.context = context
        self._handed: asyncio.Future[None] = loop.create_future()
        self._job: Job | None = None
        self._waits_for: Any = None
        self.task = loop.create_task(_Begun(self._run()), context=context)

    @property
    def is_marked(self) -> bool:
        """Whether somebody has asked for its cancellation, even if it was taken back."""
        task = self.task
        return self._handed.done() or task.cancelling() > 0 or task._must_cancel  # type: ignore[attr-defined] # noqa: SLF001

    def go_on(self, job: Job, waits_for: Any) -> None:
        """Go on with a coroutine that has yielded what it waits for."""
        self._job, self._waits_for = job, waits_for
        if not self._handed.done():
            self._handed.set_result(None)

    def end(self) -> None:
        """End the task without a job."""
        if not self._handed.done():
            self._handed.set_result(None)

    async def _run(self) -> Any:
        cancelled: asyncio.CancelledError | None = None
        try:
            await self._handed
        except asyncio.CancelledError as error:
            cancelled = error
        if self._job is not None:
            return await _rest(self._job, self._waits_for, cancelled)
        if cancelled is not None:
            raise cancelled
        return None


class _Begun(Coroutine[Any, Any, Any]):
    """A coroutine that has been run up to its first await, for a task to take it from there.

    A task that is cancelled before its own first step throws into what it was given: into a coroutine that
    has not begun, that would go past all that it could do about it.
    """

    __slots__ = ("_coroutine", "_waits_for")

    def __init__(self, coroutine: Job) -> None:
        self._coroutine = coroutine
        self._waits_for = coroutine.send(None)

    def send(self, value: Any) -> Any:
        if self._waits_for is None:
            return self._coroutine.send(value)
        waits_for, self._waits_for = self._waits_for, None
        return waits_for

    def throw(self, *error: Any) -> Any:
        if self._waits_for is not None:
            _release(self._waits_for)
            self._waits_for = None
        return self._coroutine.throw(*error)

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Any:
        return self._coroutine.__await__()


@generator_coroutine
def _rest(job: Job, waits_for: Any, cancelled: BaseException | None) -> Generator[Any, Any, Any]:
    """Go on with a coroutine in this task: what it yields is the task's to wait for, as in `await`."""
    try:
        if cancelled is not None:
            # Its own first step cancelled it, as it would have found at its first await.
            _release(waits_for)
            waits_for = job.throw(cancelled)
        while True:
            try:
                value = yield waits_for
            except GeneratorExit:
                job.close()
                raise
            except BaseException as error:
                waits_for = job.throw(error)
            else:
                waits_for = job.send(value)
    except StopIteration as stop:
        return stop.value


def _release(waits_for: Any) -> None:
    """Take back what a future was told when it was yielded; the task will not wait for it."""
    if waits_for is not None:
        waits_for._asyncio_future_blocking = False  # noqa: SLF001 - the protocol between futures and tasks
