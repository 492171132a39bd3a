"""How tests wait: for a condition, up to a deadline. No other code in the tests sleeps (`test_independence.py`).

A test that passes time in needs none of this. `until` and `until_blocking` poll conditions of other processes, and conditions
without an event. `time_passes` is for rules about time that a test cannot pass in (Redis has its own clock, a client
pauses): such a test may only claim what stays true however much longer it takes.
"""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 60.0
"""How long a test waits for a condition: only a failure takes that long, and slowness is not a failure."""
LOOK_S = 0.005


async def until(condition: Callable[[], Any], *, within_s: float = PATIENCE_S) -> Any:
    """Poll a condition that has no event; returns its first true value.

    Args:
        condition: A function, or a coroutine function.
        within_s: Time limit.

    Raises:
        TimeoutError: The condition was not true in time.

    """
    # Asked as well as timed out: on Python 3.11 redis-py can swallow the cancellation, and the wait would go on for ever.
    deadline = asyncio.get_running_loop().time() + within_s
    async with asyncio.timeout(within_s):
        while asyncio.get_running_loop().time() <= deadline:
            found = condition()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(LOOK_S)
    raise TimeoutError


def until_blocking(condition: Callable[[], Any], *, within_s: float = PATIENCE_S) -> Any:
    """Do the same without an event loop."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(LOOK_S)
    return found


async def time_passes(seconds: float) -> None:
    """Let time pass where it cannot be passed in."""
    await asyncio.sleep(seconds)


def time_passes_blocking(seconds: float) -> None:
    """Do the same in a thread, or while the event loop has to stand still."""
    time.sleep(seconds)
