"""Programs that run side by side: those of other projects, and their successors on Roomwire."""

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
from waiting import until

from kinds import NODE, node_packages
from roomwire_local.free_ports import free_port
from roomwire_local.system import HOST

START_S = 60.0
INSTALL_S = 420
"""Time limit of a test that first installs packages from npm."""
SOCKET_IO = "/socket.io/?EIO=4&transport=polling"
COMPILER = Path("typescript", "bin", "tsc")


@contextlib.asynccontextmanager
async def running(
    *command: str, folder: Path, port: int, ready_path: str = SOCKET_IO, **settings: str
) -> AsyncIterator[str]:
    """Run a program until the context ends; yields its URL once it answers."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ROOMWIRE_")}
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=environ | settings)
    url = f"http://{HOST}:{port}"
    try:
        async with httpx.AsyncClient(trust_env=False) as http:

            async def answers() -> bool:
                assert process.returncode is None, f"{command} ended at once"
                with contextlib.suppress(httpx.TransportError):
                    return (await http.get(f"{url}{ready_path}")).is_success
                return False

            await until(answers, within_s=START_S)
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def beside(
    *command: str, folder: Path, ready_path: str = SOCKET_IO, **settings: str
) -> contextlib.AbstractAsyncContextManager[str]:
    """Run a program of another project; `PORT` in its command is replaced by a free port."""
    port = free_port()
    filled = [str(port) if word == "PORT" else word for word in command]
    return running(*filled, folder=folder, port=port, ready_path=ready_path, **settings)


def served(
    application: str, *, folder: Path, redis_url: str = "memory://"
) -> contextlib.AbstractAsyncContextManager[str]:
    """Serve a Roomwire application."""
    port = free_port()
    settings = {
        "PORT": str(port),
        "OPS_PORT": str(free_port()),
        "REDIS_URL": redis_url,
        "AUTH_MODE": "off",
        "CORS_ORIGINS": "*",
        "LOG_LEVEL": "error",
    }
    return running(
        *(sys.executable, "-m", "roomwire", "serve", application),
        folder=folder,
        port=port,
        **{f"ROOMWIRE_{name}": value for name, value in settings.items()},
    )


async def compile_nestjs(folder: Path) -> None:
    """Compile a folder's programs for NestJS, and put the packages beside them."""
    packages = node_packages("nestjs")
    (folder / "node_modules").symlink_to(packages / "node_modules")
    for settings in ("package.json", "tsconfig.json"):
        shutil.copy(packages / settings, folder)
    compiler = await asyncio.create_subprocess_exec(NODE, folder / "node_modules" / COMPILER, cwd=folder)
    assert 0 == await compiler.wait()
