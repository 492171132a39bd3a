"""Starts a server with its first use on each event loop, for programs that know no start, as those for `socketio.AsyncServer`."""

import asyncio
from collections.abc import Awaitable, Callable

from roomwire.errors import Unavailable


class SelfStart:
    """Starts a server once on each event loop.

    Args:
        start: Starts the server on the running event loop.

    """

    def __init__(self, start: Callable[[], Awaitable[None]]) -> None:
        self._start = start
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting: asyncio.Task[None] | None = None

    def forget(self) -> None:
        """Start again with the next use, because the server has been closed."""
        self._loop = self._starting = None

    async def ready(self) -> None:
        """Return once the server has been started on the running loop; at once in the hooks of the start itself.

        Raises:
            Unavailable: It could not be started; the next use tries again.

        """
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            self._starting = loop.create_task(self._begin())
        starting = self._starting
        if starting is None or starting is asyncio.current_task():
            return
        try:
            # Another use may wait for the same start.
            await asyncio.shield(starting)
        except Unavailable:
            if self._starting is starting:
                self.forget()
            raise
        if self._starting is starting:
            self._starting = None

    async def _begin(self) -> None:
        await self._start()
