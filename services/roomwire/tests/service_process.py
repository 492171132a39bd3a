"""A service as a process of its own: started, looked at from outside, ended."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil
from waiting import time_passes, until

from roomwire_local.free_ports import free_ports

HOST = "127.0.0.1"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0


class ServiceProcess:
    """A running service.

    Attributes:
        address: Its public port, as `host:port`.
        port: Its public port.
        ops_port: Its operations port.
        pid: Its process id.

    """

    def __init__(self, process: asyncio.subprocess.Process, port: int, ops_port: int, log: Path) -> None:
        self.address = f"{HOST}:{port}"
        self.port = port
        self.ops_port = ops_port
        self.pid = process.pid
        self._ops = f"http://{HOST}:{ops_port}"
        self._process = process
        self._seen = psutil.Process(process.pid)
        self._log = log

    @property
    def log(self) -> str:
        """What it logged so far."""
        return self._log.read_text()

    def memory_bytes(self) -> int:
        """Return its resident memory."""
        return int(self._seen.memory_info().rss)

    def descriptors(self) -> int:
        """Return how many files and sockets it has open."""
        return int(self._seen.num_fds())

    async def metric(self, name: str, **labels: str) -> float:
        """Return a sample of its metrics; 0 for one that is not there."""
        async with httpx.AsyncClient(trust_env=False) as http:
            text = (await http.get(f"{self._ops}/metrics")).text
        wanted = name + (
            "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}" if labels else ""
        )
        return next(
            (
                float(value)
                for key, _, value in (line.rpartition(" ") for line in text.splitlines())
                if key == wanted
            ),
            0.0,
        )

    async def scrape(self) -> str:
        """Return its metrics as Prometheus reads them."""
        async with httpx.AsyncClient(trust_env=False) as http:
            return (await http.get(f"{self._ops}/metrics")).text

    async def readyz(self) -> Mapping[str, Any]:
        """Return what it says of itself."""
        async with httpx.AsyncClient(trust_env=False) as http:
            said: Mapping[str, Any] = (await http.get(f"{self._ops}/readyz")).json()
        return said

    def lines(self, event: str) -> list[Mapping[str, Any]]:
        """Return its log lines of an event, as far as they have been written."""
        parsed = (json.loads(line) for line in self.log.splitlines() if line.startswith("{"))
        return [line for line in parsed if line["event"] == event]

    def kill(self) -> None:
        """End it at once, as the kernel does when memory runs out."""
        self._process.kill()

    def stop(self) -> None:
        """Tell it to stop, as Kubernetes does."""
        self._process.send_signal(signal.SIGTERM)

    def pause(self) -> None:
        """Stop it where it is."""
        self._process.send_signal(signal.SIGSTOP)

    async def stopped_for(self, seconds: float) -> None:
        """Wait until it has been stopped for so long: what is tested is time that passes."""
        await time_passes(seconds)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    async def ended(self) -> int:
        """Wait for its end by itself; returns its exit status."""
        async with asyncio.timeout(START_TIMEOUT_S):
            return await self._process.wait()

    async def ready(self) -> None:
        """Wait until it says that it is."""
        await self._until(httpx.codes.OK)

    async def answers(self) -> None:
        """Wait until its operations port answers, whatever it says."""
        await self._until(httpx.codes.OK, httpx.codes.SERVICE_UNAVAILABLE)

    async def _until(self, *statuses: int) -> None:
        async with httpx.AsyncClient(trust_env=False) as http:

            async def says_one() -> bool:
                assert self._process.returncode is None, self.log
                with contextlib.suppress(httpx.HTTPError):
                    return (await http.get(f"{self._ops}/readyz")).status_code in statuses
                return False

            await until(says_one, within_s=START_TIMEOUT_S)


@contextlib.asynccontextmanager
async def running(
    name: str,
    log: Path,
    *,
    waits: bool = True,
    environ: Mapping[str, str] | None = None,
    served: Path | None = None,
    **settings: Any,
) -> AsyncIterator[ServiceProcess]:
    """Run `python -m roomwire_<name>` with these settings; it is ready, and ended at the end of the context.

    Args:
        name: `gateway` or `auth`; with `served`, an application's `module:attribute`.
        served: The folder of an application, which `python -m roomwire serve` serves there.
        log: The file that it logs to.
        waits: Whether it is ready at the beginning; else its operations port answers.
        environ: Further variables of its environment.
        settings: By their names without `ROOMWIRE_`, in any case.

    """
    port, ops_port = free_ports(2)
    own = {name: value for name, value in os.environ.items() if not name.startswith("ROOMWIRE_")}
    chosen = {"port": port, "ops_port": ops_port, "drain_s": 0} | settings
    own |= environ or {}
    own |= {f"ROOMWIRE_{name.upper()}": str(value) for name, value in chosen.items()}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *([f"roomwire_{name}"] if served is None else ["roomwire", "serve", name]),
            cwd=served,
            env=own,
            stdout=output,
            stderr=output,
        )
    try:
        service = ServiceProcess(process, port, ops_port, log)
        await (service.ready() if waits else service.answers())
        yield service
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
