"""A worker streams to one client, whose node is killed in the middle: what arrives, on python-socketio and on Roomwire."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import socketio
from beside_stock import started
from clients import Client, js_clients
from flaky_proxy import Proxy
from outcomes import Outcome, Row
from programs import OURS, SERVERS, SUITES, WRITTEN
from waiting import time_passes, until

from roomwire import AsyncEmitter

pytestmark = [pytest.mark.programs, pytest.mark.timeout(300)]
TOKENS = 2_000
KILLED_AT = 700
PAUSE_S = 0.005
"""Between two tokens: a worker that does not pause has sent all of them before any client can be back."""
LAST_S = 10.0
"""How long after the last token it may arrive."""
Say = Callable[[str, int, str], Awaitable[None]]


async def test_a_workers_stream_survives_the_node_that_holds_its_client_and_on_the_stock_server_it_does_not(
    redis_url: str, tmp_path: Path, note
) -> None:
    by_id, by_room = {}, {}
    for server in SERVERS:
        got = await stream(server, redis_url, tmp_path)
        by_id[server], by_room[server] = outcome_of(got, "token"), outcome_of(got, "word")
    for target, outcomes in (("the client's id", by_id), ("a room of the client's user", by_room)):
        note(
            Row(
                program="A worker's stream",
                version="-",
                runs=f"{TOKENS:,} small events to {target}; its node is killed after {KILLED_AT}",
                outcomes=outcomes,
            )
        )
        assert f"{TOKENS:,} of {TOKENS:,}" == outcomes[OURS].cell()


async def stream(server: str, redis_url: str, folder: Path) -> Sequence[Sequence[Any]]:
    """Have a worker stream to a client of one of two nodes, and kill that node; returns the events that the client got."""
    program = (SUITES.program("python"), str(WRITTEN / "stream_node.py"))
    options = {"server": server, "folder": folder, "REDIS_URL": redis_url, "ready": "/socket.io/"}
    async with (
        contextlib.AsyncExitStack() as living,
        started(*program, **options, log=folder / "two") as two,
        worker(server, redis_url) as say,
        js_clients() as clients,
    ):
        one = await living.enter_async_context(started(*program, **options, log=folder / "one"))
        async with Proxy(one._target_port) as door:
            client = await clients.connect(f"http://127.0.0.1:{door.port}", transports=["websocket"])
            sid = str((await client.state())["id"])
            for number in range(TOKENS):
                await say("token", number, sid)
                await say("word", number, "ann")
                await time_passes(PAUSE_S)
                if number == KILLED_AT:
                    await until(lambda: len(numbers(client.events, "token")) > KILLED_AT)
                    await living.aclose()
                    door._target_port = two._target_port
            await _rest(client, say)
            return client.events


async def _rest(client: Client, say: Say) -> None:
    """Wait until the client is connected and has what follows the last token in its user's room."""

    async def has_the_end() -> bool:
        await say("end", 0, "ann")
        return bool(numbers(client.events, "end"))

    await until(has_the_end, within_s=LAST_S)


@contextlib.asynccontextmanager
async def worker(server: str, redis_url: str) -> AsyncIterator[Say]:
    """Yield what emits an event with a number to a client or a room, from a process that is no node."""
    if server == OURS:
        async with AsyncEmitter(redis_url) as emitter:
            yield lambda event, number, to: emitter.emit(event, number, to=to)
        return
    manager = socketio.AsyncRedisManager(redis_url, write_only=True)
    yield lambda event, number, to: manager.emit(event, number, room=to)
    await manager.redis.aclose()


def outcome_of(events: Sequence[Sequence[Any]], event: str) -> Outcome:
    """Return what came of a stream: nothing twice, nothing out of order, and how much."""
    came = numbers(events, event)
    assert sorted(set(came)) == came
    return Outcome(worked=["starts"], shown=f"{len(came):,} of {TOKENS:,}")


def numbers(events: Sequence[Sequence[Any]], event: str) -> list[int]:
    """Return the numbers that came with an event."""
    return [args[1] for args in events if args[0] == event]
