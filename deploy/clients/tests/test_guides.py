"""Runs the guides' programs side by side, before and after: official clients observe the same, except what the page lists."""

import asyncio
import sys
from pathlib import Path

import pytest
from beside import INSTALL_S, beside, compile_nestjs, served
from guide_pages import Guide, rows
from guide_talk import talk

from kinds import NODE, node_packages

FROM_PYTHON = Guide("from-python-socketio.md")
FROM_NODE = Guide("from-nodejs.md")
FROM_NEST = Guide("from-nestjs.md")


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
    await compile_nestjs(tmp_path)
    async with (
        beside(NODE, "before.js", "PORT", folder=tmp_path) as old,
        served("after:app", folder=tmp_path) as new,
    ):
        await assert_differs_as_listed(FROM_NEST, "What clients notice", old=old, new=new)
