"""A client of a run comes back, or stays away, as the official one does."""

import asyncio
from collections.abc import Callable

import pytest
import socketio.exceptions
from live import served
from waiting import until

from roomwire import Server
from roomwire_loadtest.faults.journal import Entry
from roomwire_loadtest.load.chatter import DISMISSED, Chatter
from roomwire_loadtest.load.target import Target


@pytest.fixture
async def visit():
    """Let one client visit a server until it stays away by itself, or has seen something; returns what it saw."""

    async def visit_(server: Server, *, is_enough: Callable[[list[Entry]], bool] = lambda _: False):
        seen: list[Entry] = []
        measured: list[tuple[str, str]] = []
        async with served(socketio.ASGIApp(server)) as address:
            chatter = Chatter(
                "ann",
                room="den",
                target=Target.of(f"http://{address}"),
                polls=False,
                token=lambda: "",
                write=seen.append,
                measure=lambda what, _, failure: measured.append((what, failure)),
            )
            async with asyncio.timeout(30):
                running = asyncio.create_task(asyncio.to_thread(chatter.run))
                await until(lambda: running.done() or is_enough(seen), within_s=30)
                chatter.close()
                await running
        return [entry.kind for entry in seen], measured

    return visit_


def refusing(*refusals):
    """Return a server that refuses with each of these in turn, and then takes everyone."""
    server, left = Server(async_mode="asgi"), list(refusals)

    @server.event
    async def connect(sid, environ, auth):
        if left:
            raise socketio.exceptions.ConnectionRefusedError("no", left.pop(0))

    return server


async def test_who_is_refused_for_good_stays_away(visit):
    kinds, measured = await visit(refusing({"code": "forbidden", "retryable": False}))
    assert ["refused", "disconnect", "closed"] == kinds
    assert [("connect", "refused: forbidden")] == measured


async def test_who_may_try_again_does(visit):
    server = refusing({"code": "unavailable", "retryable": True})
    kinds, measured = await visit(server, is_enough=lambda seen: any(one.kind == "connect" for one in seen))
    assert ["refused", "disconnect", "connect"] == kinds[:3]
    assert [("connect", "refused: unavailable"), ("connect", "")] == measured[:2]


async def test_who_is_sent_away_stays_away(visit):
    server = refusing()

    @server.event
    async def joinRoom(sid, body):  # noqa: N802 - the name of the event
        await server.disconnect(sid)

    kinds, measured = await visit(server)
    assert ["connect", "join", "disconnect", "closed"] == kinds
    assert [("connect", ""), ("dismissal", DISMISSED)] == measured
