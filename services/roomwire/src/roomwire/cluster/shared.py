"""Large answers, which several askers share: while one is being made, and for a moment after that.

An answer that is cheap is made for each asker, so that it shows everything that happened before the question.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

KEEP_S: Final = 1.0
"""The time for which a large answer is given again."""
_MOST: Final = 64
"""The number of large answers that are kept; beyond it, each asker gets its own."""

T = TypeVar("T")


@dataclass(frozen=True)
class _Making(Generic[T]):
    loop: asyncio.AbstractEventLoop
    made: "asyncio.Future[T]"


class Shared(Generic[T]):
    """Answers by their questions.

    Args:
        is_large: Whether an answer is shared.

    """

    def __init__(self, is_large: Callable[[T], bool]) -> None:
        self._is_large = is_large
        self._making: dict[Hashable, _Making[T]] = {}

    async def get(self, question: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to a question: one that is large and at most `KEEP_S` old, or a new one.

        Args:
            question: The question.
            make: Makes a new answer. What it raises is for its own asker.

        """
        loop = asyncio.get_running_loop()
        making = self._making.get(question)
        if making is not None and making.loop is loop:
            await asyncio.wait({making.made})
            if not making.made.cancelled() and self._is_large(making.made.result()):
                return making.made.result()
            # A small answer shows what happened before its own question, and not before this one.
            return await make()
        if len(self._making) >= _MOST:
            return await make()
        return await self._make(loop, question, make)

    async def _make(
        self, loop: asyncio.AbstractEventLoop, question: Hashable, make: Callable[[], Awaitable[T]]
    ) -> T:
        made: asyncio.Future[T] = loop.create_future()
        self._making[question] = _Making(loop, made)
        try:
            answer = await make()
        except BaseException:
            made.cancel()
            del self._making[question]
            raise
        made.set_result(answer)
        if self._is_large(answer):
            loop.call_later(KEEP_S, self._making.pop, question, None)
        else:
            del self._making[question]
        return answer
