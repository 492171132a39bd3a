"""How tests wait: for a condition, up to a deadline. Nothing else in the tests sleeps (`test_independence.py`).

A test that passes time in needs none of this. What runs in another process, or is told by no event, is looked at again and
again: `until` and `until_blocking`. For a rule about time that passes where nobody can pass it in (Redis has a clock of its own, a
client pauses), there is `time_passes`: a test may only claim what stays true however much longer it takes.
"""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 60.0
"""How long a test waits for what has to come: only a failure takes that long, and a slow machine is none."""
LOOK_S = 0.005


async def until(condition: Callable[[], Any], *, within_s: float = PATIENCE_S) -> Any:
    """Wait for what has no event to wait for; returns what is true at last.

    Args:
        condition: A function, or a coroutine function.
        within_s: How long it may take.

    Raises:
        TimeoutError: It was not true in time.

    """
    async with asyncio.timeout(within_s):
        while True:
            found = condition()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(LOOK_S)


def until_blocking(condition: Callable[[], Any], *, within_s: float = PATIENCE_S) -> Any:
    """Do the same where there is no event loop."""
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
    """Do the same in a thread, or stop the event loop meanwhile."""
    time.sleep(seconds)
