"""The clients that talk while a release changes, and the proofs about them that a phase must give."""

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from roomwire_e2e.release import release_of
from roomwire_loadtest.faults.stage import Stage

MESSAGES: Final = 10_000
"""Acknowledged messages that a phase needs to be conclusive, with at least 40 clients in 10 rooms."""
CLIENTS: Final = 40
BACK_S: Final = 120.0
_ROOMS: Final = 10
_SPEAKERS: Final = 10
"""The number of senders in one room, where each message is delivered forty times."""
_RATE: Final = 12.0
MESSAGES_IN_ONE_ROOM: Final = 2_500
"""As `MESSAGES`, where all clients are in one room."""
_RATE_IN_ONE_ROOM: Final = 3.0
"""The log keeps about 1,000 messages of a room: those of half a minute, so that a client on a slow machine is back in time."""
_LOAD_S: Final = 600.0


@contextlib.asynccontextmanager
async def talking(stage: Stage) -> AsyncIterator[list[str]]:
    """Let clients talk while the context lasts, and until there are enough messages; yields the names of all clients."""
    token = await release_of(stage).token()
    publishers = await stage.gather(rooms=_ROOMS, auth={"token": token})
    stage.prove(len(stage.fleet.names) >= CLIENTS, f"{len(stage.fleet.names)} clients in {_ROOMS} rooms")
    async with _loaded(stage, publishers, rate=_RATE, messages=MESSAGES, retry=True) as names:
        yield names


@contextlib.asynccontextmanager
async def talking_in_one_room(stage: Stage) -> AsyncIterator[list[str]]:
    """Let all clients talk in one room, where a repeated message cannot be distinguished from a new one."""
    release = release_of(stage)
    clients = {f"c{number}": ["everyone"] for number in range(CLIENTS)}
    await stage.fleet.open(release.url, clients, auth={"token": await release.token()})
    stage.prove(len(stage.fleet.names) >= CLIENTS, f"{len(stage.fleet.names)} clients in one room")
    speakers = list(clients)[:_SPEAKERS]
    loaded = _loaded(stage, speakers, rate=_RATE_IN_ONE_ROOM, messages=MESSAGES_IN_ONE_ROOM, retry=False)
    async with loaded as names:
        yield names


@contextlib.asynccontextmanager
async def _loaded(
    stage: Stage, publishers: list[str], *, rate: float, messages: int, retry: bool
) -> AsyncIterator[list[str]]:
    names = list(stage.fleet.names)
    async with stage.load(publishers, rate=rate, retry=retry):
        yield names
        await stage.fleet.settled(within_s=BACK_S)
        await stage.fleet.until(lambda: stage.since(0, "acked") >= messages, within_s=_LOAD_S)


async def prove_reconnections(stage: Stage, began: float, what: str, *, at_least: int = 1) -> None:
    """Wait until clients have reconnected, and all are in their rooms; note that they did, or that too few did.

    The wait is for a number of clients, because the clients of a pod that has not yet ended still look connected.
    """
    wanted = max(1, at_least)
    with contextlib.suppress(TimeoutError):
        await stage.fleet.until(lambda: stage.since(began, "connect") >= wanted, within_s=BACK_S)
    await stage.fleet.settled(within_s=BACK_S)
    reconnections = stage.since(began, "connect")
    stage.prove(reconnections >= wanted, f"{what}, {reconnections} reconnections")
