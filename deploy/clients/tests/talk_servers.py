"""The servers that foreign clients talk to: the reference server, and two Roomwire nodes on one Redis."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence

import httpx
from waiting import until

from kinds import HERE, NODE, node_packages
from roomwire_local.free_ports import free_port
from roomwire_local.system import HOST

START_TIMEOUT_S = 30.0


class Node:
    """A server process that can be killed and restarted on the same port."""

    def __init__(
        self, *command: str, port: int, ready_port: int, environment: dict[str, str] | None = None
    ) -> None:
        self.port = port
        self._command = command
        self._ready = f"http://{HOST}:{ready_port}/readyz"
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the process, and wait until it is ready."""
        self._process = await asyncio.create_subprocess_exec(*self._command, env=self._environment, cwd=HERE)
        async with httpx.AsyncClient(trust_env=False) as http:

            async def is_ready() -> bool:
                assert self._process is not None
                assert self._process.returncode is None, f"{self._command} ended at once"
                with contextlib.suppress(httpx.TransportError):
                    return (await http.get(self._ready)).is_success
                return False

            await until(is_ready, within_s=START_TIMEOUT_S)

    async def kill(self) -> None:
        """Kill the process, as a crash would."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()


@contextlib.asynccontextmanager
async def reference() -> AsyncIterator[Sequence[Node]]:
    """Run the reference server."""
    port = free_port()
    async with _running(
        [Node(NODE, str(node_packages() / "reference.mjs"), str(port), port=port, ready_port=port)]
    ) as nodes:
        yield nodes


@contextlib.asynccontextmanager
async def two_nodes(redis_url: str) -> AsyncIterator[Sequence[Node]]:
    """Run two Roomwire nodes."""
    async with _running([_node(redis_url, name) for name in ("one", "two")]) as nodes:
        yield nodes


def _node(redis_url: str, name: str) -> Node:
    port, ops_port = free_port(), free_port()
    settings = {
        "PORT": port,
        "OPS_PORT": ops_port,
        "REDIS_URL": redis_url,
        "NODE_NAME": name,
        "DRAIN_S": 0,
        "LOG_LEVEL": "error",
    }
    environ = {key: value for key, value in os.environ.items() if not key.startswith("ROOMWIRE_")}
    environ |= {f"ROOMWIRE_{key}": str(value) for key, value in settings.items()}
    return Node(sys.executable, str(HERE / "served.py"), port=port, ready_port=ops_port, environment=environ)


@contextlib.asynccontextmanager
async def _running(nodes: Sequence[Node]) -> AsyncIterator[Sequence[Node]]:
    try:
        await asyncio.gather(*(node.start() for node in nodes))
        yield nodes
    finally:
        await asyncio.gather(*(node.kill() for node in nodes))
