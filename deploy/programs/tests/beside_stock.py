"""Runs a program on a server, behind a proxy that can cut its connections, and shows its page in Chromium."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import httpx
from flaky_proxy import Proxy
from needs import need
from outcomes import Outcome
from pages import ARGUMENTS
from playwright.async_api import Page, async_playwright
from programs import OURS, SERVERS, environ_of
from waiting import until

from roomwire_local.free_ports import free_port
from roomwire_local.system import HOST

START_S = 90.0
STEP_MS = 15_000
"""How long the browser waits for what a step expects."""


@contextlib.asynccontextmanager
async def started(
    *command: str, server: str, folder: Path, log: Path, ready: str = "/", port: int = 0, **settings: str
) -> AsyncIterator[Proxy]:
    """Run a program until the context ends; yields a proxy in front of it once it answers.

    Args:
        command: The command; `PORT` in it is replaced by the port.
        server: The server that the program creates.
        folder: Where the program runs.
        log: The file for what the program prints.
        ready: The path of which any answer but an error of the server shows that the program has started.
        port: The port, or 0 for a free one.
        settings: Variables of the environment beside `PORT`.

    """
    port = port or free_port()
    filled = [str(port) if word == "PORT" else word for word in command]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *filled,
            cwd=folder,
            env=environ_of(server, PORT=str(port), **settings),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        async with httpx.AsyncClient(trust_env=False) as http:

            async def answers() -> bool:
                if process.returncode is not None:
                    raise RuntimeError(_last_line(log))
                with contextlib.suppress(httpx.TransportError):
                    return (await http.get(f"http://{HOST}:{port}{ready}")).status_code < 500
                return False

            await until(answers, within_s=START_S)
        async with Proxy(port) as proxy:
            yield proxy
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


@contextlib.asynccontextmanager
async def chromium_page(path: str | None) -> AsyncIterator[Page]:
    """Open an empty page in a browser of its own."""
    need(path, "Chromium: apt-get install chromium, or CHROMIUM=/path")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        page = await browser.new_page()
        page.set_default_timeout(STEP_MS)
        yield page
        await browser.close()


async def on_each_server(drive: Callable[[str, Outcome], Awaitable[None]]) -> Mapping[str, Outcome]:
    """Drive a program on each server; what ends a drive, other than a step, is a program that does not start."""
    outcomes = {server: Outcome() for server in SERVERS}
    for server, outcome in outcomes.items():
        with outcome.step("starts"):
            await drive(server, outcome)
    return outcomes


def replaces(server: str, module: str) -> None:
    """Check that the class of the program's server is the one that was meant."""
    assert ("roomwire" if server == OURS else "socketio") == module.partition(".")[0]


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "ended without a word"
