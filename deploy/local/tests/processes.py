"""Single processes for tests: a service, or another program, for as long as a context lasts."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator

import httpx

from roomwire_local.system import HOST

START_TIMEOUT_S = 30.0


@contextlib.asynccontextmanager
async def program(
    *command: str, until: str, environment: dict[str, str] | None = None
) -> AsyncIterator[None]:
    """Run a program until an address answers 200, and then for as long as the context lasts."""
    process = await asyncio.create_subprocess_exec(*command, env=environment)
    try:
        async with asyncio.timeout(START_TIMEOUT_S), httpx.AsyncClient(trust_env=False) as http:
            while True:
                if process.returncode is not None:
                    raise RuntimeError(f"{command[0]} ended at once")
                with contextlib.suppress(httpx.TransportError):
                    if (await http.get(until)).is_success:
                        break
                await asyncio.sleep(0.05)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def service(name: str, ops_port: int, **settings: object) -> AsyncIterator[None]:
    """Run `python -m roomwire_NAME` with these settings and no others, without a drain."""
    others = {key: value for key, value in os.environ.items() if not key.startswith("ROOMWIRE_")}
    told = {"OPS_PORT": ops_port, "DRAIN_S": 0, **settings}
    environment = others | {f"ROOMWIRE_{key}": str(value) for key, value in told.items()}
    async with program(
        sys.executable,
        "-m",
        f"roomwire_{name}",
        until=f"http://{HOST}:{ops_port}/readyz",
        environment=environment,
    ):
        yield
