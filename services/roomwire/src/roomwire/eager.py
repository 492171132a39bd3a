"""Tasks that start at once where Python can: from 3.12 on, a coroutine that does not suspend is never scheduled.

On 3.11 it is an ordinary task. (Driving the first step without a task was tried: whatever remembers the current
task, anyio's cancel scopes and so httpx among it, then finds another one after the first await.)
"""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any


def start(coroutine: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any] | None":
    """Run a coroutine in a task; returns it, or None if it has finished already.

    Coroutines that are started one after the other begin in this order.
    """
    loop = asyncio.get_running_loop()
    if sys.version_info >= (3, 12):
        task = asyncio.Task(coroutine, loop=loop, eager_start=True)
        return None if task.done() else task
    return loop.create_task(coroutine)
