"""A service as a process of its own: started, looked at from outside, ended."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import psutil

HOST = "127.0.0.1"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0


class ServiceProcess:
    """A running service.

    Attributes:
        address: Its public port, as `host:port`.
        pid: Its process id.

    """

    def __init__(self, process: asyncio.subprocess.Process, port: int, ops_port: int, log: Path) -> None:
        self.address = f"{HOST}:{port}"
        self.port = port
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

    async def ready(self) -> None:
        """Wait until it says that it is."""
        async with asyncio.timeout(START_TIMEOUT_S), httpx.AsyncClient(trust_env=False) as http:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    if (await http.get(f"{self._ops}/readyz")).status_code == httpx.codes.OK:
                        return
                assert self._process.returncode is None, self.log
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def running(module: str, log: Path, **settings: Any) -> AsyncIterator[ServiceProcess]:
    """Run `python -m <module>` with these settings; it is ready, and ended at the end of the context.

    Args:
        module: `gateway` or `auth`.
        log: The file that it logs to.
        settings: By their names without `ROOMWIRE_`, in any case.

    """
    with socket.create_server((HOST, 0)) as one, socket.create_server((HOST, 0)) as other:
        port, ops_port = (listening.getsockname()[1] for listening in (one, other))
    own = {name: value for name, value in os.environ.items() if not name.startswith("ROOMWIRE_")}
    chosen = {"port": port, "ops_port": ops_port, "drain_s": 0} | settings
    own |= {f"ROOMWIRE_{name.upper()}": str(value) for name, value in chosen.items()}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, env=own, stdout=output, stderr=output
        )
    try:
        service = ServiceProcess(process, port, ops_port, log)
        await service.ready()
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
