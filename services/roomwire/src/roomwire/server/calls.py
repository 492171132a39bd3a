"""Events that wait for the ack of one client."""

import asyncio
from collections.abc import Awaitable, Callable

import socketio

from roomwire.errors import ClientError
from roomwire.rooms.manager import Rooms


class Calls:
    """Emits to a client, and waits for its ack.

    Args:
        rooms: Where acks are awaited.
        answered: Is called when an ack has come that is waited for.

    """

    def __init__(self, rooms: Rooms, *, answered: Callable[[], None]) -> None:
        self._rooms = rooms
        self._answered = answered

    async def call(
        self, emit: Callable[["Answer"], Awaitable[None]], client: str, *, timeout_s: float
    ) -> object:
        """Return what a client answers; see `Server.call`.

        Args:
            emit: Emits to the client, with this as the callback.
            client: The client.
            timeout_s: How long it may take.

        """
        answer = Answer(self._answered)
        try:
            async with asyncio.timeout(timeout_s):
                await emit(answer)
                args = await answer.coming
        except TimeoutError:
            raise socketio.exceptions.TimeoutError from None
        finally:
            self._rooms.forget_callback(client, answer)
        return args if len(args) > 1 else args[0] if args else None


class Answer:
    """Takes the ack that a call waits for, as a callback.

    Args:
        answered: Is called when it has come.

    Attributes:
        coming: The ack's arguments.

    """

    def __init__(self, answered: Callable[[], None]) -> None:
        self._answered = answered
        self.coming: asyncio.Future[tuple[object, ...]] = asyncio.get_running_loop().create_future()

    def __call__(self, *args: object) -> None:
        """Take the ack."""
        if not self.coming.done():
            self.coming.set_result(args)
            self._answered()

    def refuse(self, error: ClientError) -> None:
        """Take why the client was not asked."""
        if not self.coming.done():
            self.coming.set_exception(error)
