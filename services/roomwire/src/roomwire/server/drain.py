"""The drain: closes all transports of a node in jittered batches, so that its clients do not reconnect all at once."""

import asyncio
import random
from typing import Final

from roomwire.engine.engine import Engine
from roomwire.engine.session import Reason

DRAIN_BATCHES_PER_S: Final = 10


async def drain(engine: Engine, window_s: float) -> None:
    """Close all transports, spread over a window.

    Clients see a lost transport, not a DISCONNECT, so they reconnect by themselves to another node. Clients that connect in the
    meantime are closed at the end.

    Args:
        engine: The engine with the sessions.
        window_s: The window in seconds. `0` closes all at once.

    """
    sids = list(engine.sockets)
    random.shuffle(sids)
    batches = max(1, min(len(sids), round(window_s * DRAIN_BATCHES_PER_S)))
    for number in range(batches):
        if number:
            await asyncio.sleep(random.uniform(0.5, 1.5) * window_s / batches)  # noqa: S311 - jitter
        for sid in sids[number::batches]:
            engine.close(sid, Reason.SERVER)

    # Requests that wait for an answer must get one before the port closes.
    await engine.disconnect()
