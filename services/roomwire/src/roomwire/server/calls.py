"""Events that wait for one client's ack."""

import asyncio
from collections.abc import Awaitable, Callable

import socketio

from roomwire.errors import ClientError
from roomwire.rooms.manager import Rooms


class Calls:
    """Emits to a client, and waits for its ack.

    Args:
        rooms: Waits for acks.
        answered: Called when an awaited ack has arrived.

    """

    def __init__(self, rooms: Rooms, *, answered: Callable[[], None]) -> None:
        self._rooms = rooms
        self._answered = answered

    async def call(
        self, emit: Callable[["Answer"], Awaitable[None]], client: str, *, timeout_s: float
    ) -> object:
        """Return a client's answer; see `Server.call`.

        Args:
            emit: Emits to the client, with this as the callback.
            client: The client.
            timeout_s: Time limit for the answer.

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
    """A callback that receives the ack of a call.

    Args:
        answered: Called when the ack has arrived.

    Attributes:
        coming: The ack's arguments.

    """

    def __init__(self, answered: Callable[[], None]) -> None:
        self._answered = answered
        self.coming: asyncio.Future[tuple[object, ...]] = asyncio.get_running_loop().create_future()

    def __call__(self, *args: object) -> None:
        """Receive the ack."""
        if not self.coming.done():
            self.coming.set_result(args)
            self._answered()

    def refuse(self, error: ClientError) -> None:
        """Receive the reason why the event was not sent."""
        if not self.coming.done():
            self.coming.set_exception(error)
