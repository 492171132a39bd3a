"""The people who talk while something is done to a release, and what a phase has to have shown of them."""

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from roomwire_e2e.release import release_of
from roomwire_loadtest.faults.stage import Stage

MESSAGES: Final = 10_000
"""How many a phase has to have acknowledged to show anything; and at least 40 clients in 10 rooms."""
CLIENTS: Final = 40
BACK_S: Final = 120.0
_ROOMS: Final = 10
_RATE: Final = 12.0
_LOAD_S: Final = 600.0


@contextlib.asynccontextmanager
async def talking(stage: Stage) -> AsyncIterator[list[str]]:
    """Have people talk while the context lasts, and until enough has been said; yields all their names."""
    token = await release_of(stage).token()
    publishers = await stage.gather(rooms=_ROOMS, auth={"token": token})
    names = list(stage.fleet.names)
    stage.prove(len(names) >= CLIENTS, f"{len(names)} clients in {_ROOMS} rooms")
    async with stage.load(publishers, rate=_RATE):
        yield names
        await stage.fleet.settled(within_s=BACK_S)
        await stage.fleet.until(lambda: stage.since(0, "acked") >= MESSAGES, within_s=_LOAD_S)


async def prove_reconnections(stage: Stage, began: float, what: str, *, at_least: int = 1) -> None:
    """Wait until clients have come back after something, and all are in their rooms; note that they did, or that too few did.

    They are waited for by their number: while a pod has still to end, its clients look as if nothing had happened to them.
    """
    wanted = max(1, at_least)
    with contextlib.suppress(TimeoutError):
        await stage.fleet.until(lambda: stage.since(began, "connect") >= wanted, within_s=BACK_S)
    await stage.fleet.settled(within_s=BACK_S)
    reconnections = stage.since(began, "connect")
    stage.prove(reconnections >= wanted, f"{what}, {reconnections} reconnections")
