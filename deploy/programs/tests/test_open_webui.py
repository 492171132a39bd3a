"""Open WebUI: a server of its shape in two processes with one Redis, by python-socketio's own client."""

import asyncio
import contextlib
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
import pytest
import socketio
from beside_stock import on_each_server, replaces, started
from outcomes import Outcome, Row
from programs import SUITES, WRITTEN
from waiting import until

pytestmark = [pytest.mark.programs, pytest.mark.timeout(300)]


class Tab:
    """A browser's tab: what it was sent, by event, and how it answers a question."""

    def __init__(self) -> None:
        self.got: dict[str, list[Any]] = defaultdict(list)
        self.client = socketio.AsyncClient(reconnection=False)
        self.may_answer = asyncio.Event()
        self.client.on("execute", self._execute)
        self.client.on("*", self._note)

    async def _note(self, event: str, data: object) -> None:
        self.got[event].append(data)

    async def _execute(self, data: dict[str, str]) -> object:
        self.got["execute"].append(data)
        await self.may_answer.wait()
        return {"result": 42, "of": data["code"]}

    async def open(self, port: int, token: str = "") -> None:
        """Connect to the server at a port."""
        await self.client.connect(
            f"http://127.0.0.1:{port}",
            socketio_path="/ws/socket.io",
            transports=["websocket"],
            auth={"token": token},
        )

    async def expect(self, event: str, data: object) -> None:
        """Wait until an event with this data has come."""
        await until(lambda: data in self.got[event])


@contextlib.asynccontextmanager
async def tabs(count: int):
    """Yield tabs that are closed at the end."""
    made = [Tab() for _ in range(count)]
    try:
        yield made
    finally:
        for tab in made:
            await tab.client.disconnect()


async def test_a_server_like_open_webuis_works_as_on_the_stock_server(
    redis_url: str, tmp_path: Path, note
) -> None:
    async def drive(server: str, outcome: Outcome) -> None:
        program = (SUITES.program("python"), str(WRITTEN / "webui_socket.py"))
        options = {"server": server, "folder": tmp_path, "REDIS_URL": redis_url}
        async with (
            started(*program, **options, log=tmp_path / "one") as one,
            started(*program, **options, log=tmp_path / "two") as two,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{one.port}", trust_env=False) as http,
            tabs(3) as (ann, bo, stranger),
        ):
            replaces(server, (await http.get("/")).json()["server"])
            with outcome.step("connect with a token"):
                await ann.open(one.port, "token-ann")
                await ann.expect("hello", {"id": "1", "name": "Ann"})
            with outcome.step("join later"):
                await bo.open(two.port)
                joined = await bo.client.call("user-join", {"auth": {"token": "token-bo"}})
                assert {"id": "2", "name": "Bo"} == joined
                assert await bo.client.call("user-join", {"auth": None}) is None
            with outcome.step("channels"):
                channels = await ann.client.call("join-channels", {"auth": {"token": "token-ann"}})
                assert ["channel:general", "channel:news"] == channels
            with outcome.step("rooms of the manager"):
                shown = (await http.get("/rooms")).json()
                assert ["Ann"] == shown["channel:news"]
                assert "Ann" in shown["channel:general"]
            with outcome.step("an event to a channel"):
                await stranger.open(one.port)
                await stranger.client.emit("channel-events", {"channel": "general", "type": "forged"})
                await bo.client.emit("channel-events", {"channel": "general", "type": "typing"})
                for tab in (ann, bo):
                    await tab.expect("channel-events", {"channel": "general", "type": "typing", "from": "Bo"})
                assert ["typing"] == [each["type"] for each in ann.got["channel-events"]]
            with outcome.step("an event to a user"):
                await http.post("/tell/2")
                await bo.expect("events", {"type": "chat:title"})
                assert [] == ann.got["events"]
            with outcome.step("models in use"):
                await stranger.client.emit("usage", {"model": "small"})
                await bo.expect("usage", {"models": ["small"]})
            with outcome.step("a question without an answer"):
                assert 504 == (await http.post(f"/ask/{ann.client.get_sid()}?wait_s=0.2")).status_code
                assert [{"code": "6 * 7"}] == ann.got["execute"]
            with outcome.step("a question"):
                ann.may_answer.set()
                answer = (await http.post(f"/ask/{ann.client.get_sid()}")).json()
                assert {"result": 42, "of": "6 * 7"} == answer
            with outcome.step("a client that leaves"):
                await stranger.client.disconnect()
                await ann.expect("usage", {"models": []})

    outcomes = await on_each_server(drive)
    note(
        Row(
            program="Open WebUI",
            version="-",
            runs="a server of its shape, on two nodes with Redis",
            outcomes=outcomes,
        )
    )
