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
LOOK_AT_MOST_S = 0.1
LOOKS_PER_WAIT = 20
"""The longer a wait has lasted, the rarer are the looks: a process that starts needs the processor that they take."""


async def until(condition: Callable[[], Any], *, within_s: float = PATIENCE_S) -> Any:
    """Poll a condition that has no event; returns its first true value.

    Args:
        condition: A function, or a coroutine function.
        within_s: Time limit.

    Raises:
        TimeoutError: The condition was not true in time.

    """
    # Asked as well as timed out: on Python 3.11 redis-py can swallow the cancellation, and the wait would go on for ever.
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(within_s):
        while (waited := asyncio.get_running_loop().time() - began) <= within_s:
            found = condition()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(_until_next_look_s(waited))
    raise TimeoutError


def until_blocking(condition: Callable[[], Any], *, within_s: float = PATIENCE_S) -> Any:
    """Do the same without an event loop."""
    began = time.monotonic()
    while not (found := condition()):
        waited = time.monotonic() - began
        if waited > within_s:
            raise TimeoutError
        time.sleep(_until_next_look_s(waited))
    return found


def _until_next_look_s(waited_s: float) -> float:
    return min(max(LOOK_S, waited_s / LOOKS_PER_WAIT), LOOK_AT_MOST_S)


async def time_passes(seconds: float) -> None:
    """Let time pass where it cannot be passed in."""
    await asyncio.sleep(seconds)


def time_passes_blocking(seconds: float) -> None:
    """Do the same in a thread, or while the event loop has to stand still."""
    time.sleep(seconds)
