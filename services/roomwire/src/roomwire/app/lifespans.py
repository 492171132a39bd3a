"""Runs the lifespans of an application and of the ASGI application beside it, each from start to end in one task.

A single task is necessary because a resource such as a `TaskGroup` belongs to the task that opened it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

from roomwire.app.tracebacks import own_traceback
from roomwire.errors import ApplicationError, Unavailable
from roomwire.logs import get_logger
from roomwire.protocol.asgi import App as Asgi
from roomwire.protocol.asgi import Message, Receive, Scope, Send

_log = get_logger(__name__)


class Lifespan:
    """A context manager that is entered and left in a task of its own.

    Args:
        enter: Creates the context manager.

    """

    def __init__(self, enter: Callable[[], AbstractAsyncContextManager[object]]) -> None:
        self._enter = enter
        self._entered = asyncio.Event()
        self._ending = asyncio.Event()
        self._living: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Enter the context manager; raise what it raises."""
        living = self._living = asyncio.create_task(self._live())
        entering = asyncio.create_task(self._entered.wait())
        try:
            await asyncio.wait({living, entering}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            living.cancel()
            await asyncio.gather(living, return_exceptions=True)
            raise
        finally:
            entering.cancel()
        if not self._entered.is_set():
            self._living = None
            await living

    async def ended(self) -> None:
        """Wait until the entered context manager ends by itself; raise the exception that ended it."""
        if self._living is not None:
            await asyncio.shield(self._living)

    async def end(self, *, timeout_s: float) -> None:
        """Leave the context manager, unless it was not entered or has ended; raise what it raises.

        Args:
            timeout_s: Time limit, after which the context manager is cancelled.

        Raises:
            TimeoutError: The time limit was exceeded.

        """
        living, self._living = self._living, None
        if living is None or living.done():
            return
        self._ending.set()
        async with asyncio.timeout(timeout_s):
            await living

    async def _live(self) -> None:
        async with self._enter():
            self._entered.set()
            await self._ending.wait()


@contextlib.asynccontextmanager
async def asgi_lifespan(app: Asgi, state: dict[str, object]) -> AsyncIterator[None]:
    """Send an ASGI application its startup and shutdown events; an application that does not support them is served as well.

    Args:
        app: The application.
        state: The application's state for its requests, ASGI's `scope["state"]`.

    Raises:
        ApplicationError: The application reports that its startup failed.

    """
    told: asyncio.Queue[Message] = asyncio.Queue()
    said: asyncio.Queue[Message] = asyncio.Queue()
    scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}
    living = asyncio.create_task(_run(app, scope, told.get, said.put))
    try:
        told.put_nowait({"type": "lifespan.startup"})
        answer = await said.get()
        if answer["type"] == "lifespan.startup.failed":
            error = await living
            problem = f"the HTTP application did not start: {_described(error) or answer.get('message') or 'it gave no reason'}"
            if isinstance(error, Unavailable):
                raise error
            raise ApplicationError(
                "lifespan", problem, traceback=own_traceback(error) if error else ""
            ) from error
        yield
        if answer["type"] == "lifespan.startup.complete":
            told.put_nowait({"type": "lifespan.shutdown"})
            answer = await said.get()
            if answer["type"] == "lifespan.shutdown.failed":
                _log.error("http application not closed", error=_described(await living))
    finally:
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)


async def _run(app: Asgi, scope: Scope, receive: Receive, send: Send) -> Exception | None:
    """Run the application's lifespan, and return the exception that it raises."""
    try:
        await app(scope, receive, send)
    except Exception as error:
        # Most likely it does not support lifespans; otherwise it has already reported its failure.
        await send({"type": "none"})
        return error
    await send({"type": "none"})
    return None


def _described(error: Exception | None) -> str:
    return "" if error is None else f"{type(error).__name__}: {error}"
