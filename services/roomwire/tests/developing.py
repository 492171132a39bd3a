"""`roomwire dev` as a process: its terminal, its console from outside, and the file that is edited."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil
from waiting import until

from roomwire_local.free_ports import free_ports

HOST = "127.0.0.1"
PATIENCE_S = 90.0
"""Importing everything twice takes a while on a machine that has other things to do."""
_LINK = re.compile(r"http://127\.0\.0\.1:\d+/\?token=\S+")

Scene = Mapping[str, Any]


class Developing:
    """A running `roomwire dev`.

    Attributes:
        address: The application's port, as `host:port`.
        console: The console's origin.
        process: The supervising process.

    """

    def __init__(self, process: asyncio.subprocess.Process, ports: tuple[int, int], terminal: Path) -> None:
        self.address = f"{HOST}:{ports[0]}"
        self.console = f"http://{HOST}:{ports[1]}"
        self.process = process
        self._terminal = terminal
        self._http = httpx.AsyncClient(trust_env=False, base_url=self.console, timeout=PATIENCE_S)

    @property
    def terminal(self) -> str:
        """What it has printed so far."""
        return self._terminal.read_text()

    async def link(self) -> str:
        """Return the link to the console that was printed last."""

        def printed() -> list[str]:
            assert self.process.returncode is None, self.terminal
            return _LINK.findall(self.terminal)

        links = await until(printed, within_s=PATIENCE_S)
        return str(links[-1])

    async def enter(self) -> None:
        """Open the console."""
        answer = await self._http.get(await self.link())
        assert answer.status_code == httpx.codes.SEE_OTHER

    async def token(self, name: str) -> str:
        """Return the token of a guest."""
        answer = await self._http.post("/token", params={"name": name}, headers={"Origin": self.console})
        return str(answer.json()["token"])

    async def scene(self, is_wanted: Callable[[Scene], bool]) -> Scene:
        """Wait until the console shows what is wanted."""
        async with asyncio.timeout(PATIENCE_S), self._http.stream("GET", "/scenes") as answer:
            async for line in answer.aiter_lines():
                if line and is_wanted(scene := json.loads(line.removeprefix("data: "))):
                    return scene
        raise AssertionError(f"the console ended without that scene:\n{self.terminal}")

    async def serving(self, start: int = 1) -> Scene:
        """Wait until a start of the application, or a later one, serves."""
        return await self.scene(lambda scene: scene["phase"] == "serving" and scene["start"] >= start)

    async def stop(self) -> int:
        """Tell it to stop; returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            return await self.process.wait()

    async def close(self) -> None:
        """End it, if it has not ended."""
        await self._http.aclose()
        if self.process.returncode is None:
            await self.stop()


@contextlib.asynccontextmanager
async def developing(folder: Path, name: str, **settings: str) -> AsyncIterator[Developing]:
    """Run `roomwire dev` in a folder; its console is open."""
    ports = free_ports(2)
    own = {name: value for name, value in os.environ.items() if not name.startswith("ROOMWIRE_")}
    own |= {"ROOMWIRE_PORT": str(ports[0])} | {
        f"ROOMWIRE_{key.upper()}": value for key, value in settings.items()
    }
    terminal = folder / "terminal.log"
    with terminal.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "roomwire",
            "dev",
            name,
            "--console-port",
            str(ports[1]),
            cwd=folder,
            env=own,
            stdout=output,
            stderr=output,
        )
    running = Developing(process, (ports[0], ports[1]), terminal)
    try:
        await running.enter()
        yield running
    finally:
        await running.close()


def lives(pid: int) -> bool:
    """Say whether there is a process of this id that runs."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
