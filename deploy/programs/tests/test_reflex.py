"""Reflex: its backend, with the official JavaScript client in the place of the page.

Reflex builds a page by programs that no package registry of Python carries, so the client sends what a page sends.
"""

import shutil
from pathlib import Path
from typing import Any

import pytest
from beside_stock import on_each_server, replaces, started
from clients import Client, js_clients
from outcomes import Outcome, Row
from programs import REFLEX, WRITTEN

pytestmark = [pytest.mark.programs, pytest.mark.timeout(420)]
LARGE = 5_000_000
STATE = "reflex___state____state"
BOARD = f"{STATE}.board___board____board"
ENDED = "_rx_state_"
"""What Reflex appends to the names of variables."""


async def test_the_backend_of_reflex_works_as_on_the_stock_server(tmp_path: Path, note) -> None:
    async def drive(server: str, outcome: Outcome) -> None:
        folder = tmp_path / server
        shutil.copytree(WRITTEN / "reflex", folder)
        program = (REFLEX.program("reflex"), "run", "--backend-only", "--env", "prod")
        program += ("--backend-host", "127.0.0.1", "--backend-port", "PORT")
        async with (
            started(*program, server=server, folder=folder, log=folder / "log", ready="/ping") as proxy,
            js_clients() as clients,
        ):
            page = await clients.connect(
                f"http://127.0.0.1:{proxy.port}/_event",
                path="/_event",
                transports=["websocket"],
                query={"token": "tab-1"},
                auth={"event": event("hydrate", state=STATE)},
                reconnectionDelay=50,
            )
            with outcome.step("hydrate"):
                assert 0 == await shown(page, "count")
            await page.send("event", event("add", by=2))
            replaces(
                server, await shown(page, "served_by", "roomwire.server.server", "socketio.async_server")
            )
            with outcome.step("an event"):
                assert 2 == await shown(page, "count", 2)
            with outcome.step("events one after another"):
                for _ in range(50):
                    await page.send("event", event("add", by=1))
                assert 52 == await shown(page, "count", 52)
            with outcome.step("updates of one event"):
                await page.send("event", event("advance"))
                assert 5 == await shown(page, "step", 5)
                assert [1, 2, 3, 4, 5] == [value for value in values(page, "step") if value]
            with outcome.step("a background task"):
                await page.send("event", event("work"))
                assert 152 == await shown(page, "count", 152)
            with outcome.step("a state of 5 MB"):
                await page.send("event", event("enlarge"))
                assert LARGE == len(await shown(page, "large", "x" * LARGE))
            with outcome.step("a lost connection"):
                known = len(page.happenings)
                proxy.cut()
                await page.until(lambda: connects(page, known), "a new connection")
                await page.send("event", event("add", by=3))
                assert 155 == await shown(page, "count", 155)

    note(
        Row(
            program="Reflex",
            version=REFLEX.version("reflex"),
            runs="its backend, by the official JavaScript client",
            outcomes=await on_each_server(drive),
        )
    )


def event(name: str, *, state: str = BOARD, **payload: object) -> dict[str, object]:
    """Return an event as the page sends it."""
    return {"name": f"{state}.{name}", "payload": payload, "token": "tab-1", "router_data": {"pathname": "/"}}


def values(page: Client, variable: str) -> list[Any]:
    """Return the values of a variable that the page got, in order."""
    updates = [args[1] for args in page.events if args[0] == "event"]
    boards = [update["delta"].get(BOARD, {}) for update in updates]
    return [board[variable + ENDED] for board in boards if variable + ENDED in board]


async def shown(page: Client, variable: str, *wanted: object) -> Any:
    """Wait until the page has got a value of a variable, perhaps one of these."""

    def found() -> list[Any] | None:
        return next(([value] for value in values(page, variable) if not wanted or value in wanted), None)

    return (await page.until(found, f"{variable} {str(wanted)[:40]}"))[0]


def connects(page: Client, known: int) -> list[Any] | None:
    """Return the connection after the known happenings."""
    return next((args for happening, args in page.happenings[known:] if happening == "connect"), None)
