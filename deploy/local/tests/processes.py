"""Single processes for tests: a service, or another program, for as long as a context lasts."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator

import httpx
from waiting import until

from roomwire_local.system import HOST

START_TIMEOUT_S = 30.0


@contextlib.asynccontextmanager
async def program(*command: str, url: str, environment: dict[str, str] | None = None) -> AsyncIterator[None]:
    """Run a program until a URL is answered with 200, and then for as long as the context lasts."""
    process = await asyncio.create_subprocess_exec(*command, env=environment)
    try:
        async with httpx.AsyncClient(trust_env=False) as http:

            async def answers() -> bool:
                if process.returncode is not None:
                    raise RuntimeError(f"{command[0]} ended at once")
                with contextlib.suppress(httpx.TransportError):
                    return (await http.get(url)).is_success
                return False

            await until(answers, within_s=START_TIMEOUT_S)
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
        url=f"http://{HOST}:{ops_port}/readyz",
        environment=environment,
    ):
        yield
