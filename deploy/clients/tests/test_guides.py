"""Runs the guides' programs side by side, before and after: official clients observe the same, except what the page lists."""

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from guide_pages import Guide, rows
from guide_talk import talk
from waiting import until

from kinds import NODE, node_packages
from roomwire_local.free_ports import free_port
from roomwire_local.system import HOST

START_S = 60.0
INSTALL_S = 420
"""Time limit of a test that first installs packages from npm."""
SOCKET_IO = "/socket.io/?EIO=4&transport=polling"
FROM_PYTHON = Guide("from-python-socketio.md")
FROM_NODE = Guide("from-nodejs.md")
FROM_NEST = Guide("from-nestjs.md")
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


async def assert_differs_as_listed(
    guide: Guide, heading: str, *, old: str, new: str, new_http: str = ""
) -> None:
    """Let clients talk to both programs; they observe exactly the differences in the table under the heading."""
    before, after = await asyncio.gather(talk(old), talk(new, new_http))
    differences = {what: (before[what], after[what]) for what in before if before[what] != after[what]}
    assert guide.differences(heading) == differences, f"the table has to be:\n{rows(differences)}"


async def test_a_program_for_python_socketio_is_seen_as_before(tmp_path: Path) -> None:
    FROM_PYTHON.write("before.py", tmp_path)
    FROM_PYTHON.change("after.py", "before.py", tmp_path)
    uvicorn = (sys.executable, "-m", "uvicorn", "--log-level", "warning", "--port", "PORT")
    async with (
        beside(*uvicorn, "before:asgi", folder=tmp_path) as old,
        served("after:app", folder=tmp_path) as new,
    ):
        await assert_differs_as_listed(FROM_PYTHON, "What clients notice", old=old, new=new)


async def test_a_program_for_flask_socketio_is_seen_as_before(tmp_path: Path, redis_url: str) -> None:
    for program in ("flask_before.py", "gateway.py", "flask_after.py"):
        FROM_PYTHON.write(program, tmp_path)
    flask = (sys.executable, "-m", "flask", "--app", "flask_after", "run", "--port", "PORT")
    async with (
        beside(sys.executable, "flask_before.py", "PORT", folder=tmp_path) as old,
        served("gateway:app", folder=tmp_path, redis_url=redis_url) as new,
        beside(*flask, folder=tmp_path, ready_path="/health", REDIS_URL=redis_url) as new_http,
    ):
        await assert_differs_as_listed(
            FROM_PYTHON, "What clients of the Flask program notice", old=old, new=new, new_http=new_http
        )


@pytest.mark.clients
@pytest.mark.timeout(INSTALL_S)
async def test_a_program_for_node_is_seen_as_before(tmp_path: Path) -> None:
    for program in ("before.mjs", "after.py"):
        FROM_NODE.write(program, tmp_path)
    (tmp_path / "node_modules").symlink_to(node_packages() / "node_modules")
    async with (
        beside(NODE, "before.mjs", "PORT", folder=tmp_path) as old,
        served("after:app", folder=tmp_path) as new,
    ):
        await assert_differs_as_listed(FROM_NODE, "What clients notice", old=old, new=new)


@pytest.mark.clients
@pytest.mark.timeout(INSTALL_S)
async def test_gateways_of_nestjs_are_seen_as_before(tmp_path: Path) -> None:
    for program in ("before.ts", "after.py"):
        FROM_NEST.write(program, tmp_path)
    packages = node_packages("nestjs")
    (tmp_path / "node_modules").symlink_to(packages / "node_modules")
    for settings in ("package.json", "tsconfig.json"):
        shutil.copy(packages / settings, tmp_path)
    compiler = await asyncio.create_subprocess_exec(NODE, tmp_path / "node_modules" / COMPILER, cwd=tmp_path)
    assert 0 == await compiler.wait()
    async with (
        beside(NODE, "before.js", "PORT", folder=tmp_path) as old,
        served("after:app", folder=tmp_path) as new,
    ):
        await assert_differs_as_listed(FROM_NEST, "What clients notice", old=old, new=new)
