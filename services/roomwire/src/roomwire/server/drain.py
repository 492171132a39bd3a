"""The drain: closes all transports of a node in jittered batches, so that its clients do not reconnect all at once."""

import asyncio
import random
from typing import Final

from roomwire.engine.engine import Engine
from roomwire.engine.session import Reason
from roomwire.log.contract import Log

DRAIN_BATCHES_PER_S: Final = 10
_LOOK_S: Final = 0.1
CONFIRMED_S: Final = 1.0
"""The time after the log continues in which clients answer its ping, which confirms their sessions, in seconds."""


async def drain(engine: Engine, window_s: float, *, log: Log) -> None:
    """Close all transports, spread over a window.

    Clients see a lost transport, not a DISCONNECT, so they reconnect by themselves to another node. Clients that connect in the
    meantime are closed at the end.

    While the log is held, and until clients have confirmed their sessions after it, no transport is closed before the end of the window: a
    restart of Redis begins an epoch in which a client that left before it has no confirmed session, and could not recover.

    Args:
        engine: The engine with the sessions.
        window_s: The window in seconds. `0` closes all at once.
        log: The log that the sessions are in.

    """
    sids = list(engine.sockets)
    random.shuffle(sids)
    batches = max(1, min(len(sids), round(window_s * DRAIN_BATCHES_PER_S)))
    left_s = window_s
    for number in range(batches):
        if number:
            pause_s = random.uniform(0.5, 1.5) * left_s / (batches - number + 1)  # noqa: S311 - jitter
            await asyncio.sleep(pause_s)
            left_s -= pause_s
        unconfirmed_s = CONFIRMED_S if sids and not log.is_live else 0.0
        while unconfirmed_s > 0 and left_s > 0:
            await asyncio.sleep(_LOOK_S)
            left_s -= _LOOK_S
            unconfirmed_s = unconfirmed_s - _LOOK_S if log.is_live else CONFIRMED_S
        for sid in sids[number::batches]:
            engine.close(sid, Reason.SERVER)

    # Requests that wait for an answer must get one before the port closes.
    await engine.disconnect()
