"""The plugin as a team has it: the files of docs/testing.md, run by pytest in a process of its own."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("starts_servers")

LIBRARY = Path(__file__).resolve().parents[2]
PAGE = LIBRARY.parents[1] / "docs" / "testing.md"
TESTS = 10
# Unset, the scope of fixtures' loops is a warning of pytest-asyncio's; schemathesis' plugin takes long to load.
OPTIONS = "-p no:cacheprovider -p no:schemathesis -W error -o asyncio_default_fixture_loop_scope=function"
PYTEST = (sys.executable, "-m", "pytest", *OPTIONS.split())


def programs():
    """Return the programs of the page, in their order."""
    return [part.partition("```")[0] for part in PAGE.read_text().split("```python\n")[1:]]


@pytest.fixture
def team(tmp_path):
    """Return a folder with the page's files, beside a package that has the library's entry points."""
    (tmp_path / "kanban.py").write_text(programs()[0])
    (tmp_path / "test_kanban.py").write_text(programs()[1])
    project = tomllib.loads((LIBRARY / "pyproject.toml").read_text())["project"]
    installed = tmp_path / "installed" / "of_the_library-0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: of-the-library\nVersion: 0\n")
    lines = [f"[{group}]" for group in project["entry-points"]]
    lines += [f"{name} = {place}" for name, place in project["entry-points"]["pytest11"].items()]
    (installed / "entry_points.txt").write_text("\n".join(lines))
    return tmp_path


def run(team, *arguments):
    return subprocess.run(
        [*PYTEST, *arguments],
        cwd=team,
        env={**os.environ, "PYTHONPATH": str(team / "installed")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_in_strict_mode_the_pages_tests_pass_and_keep_their_names(team):
    done = run(team, "-v", "-o", "asyncio_mode=strict")

    assert 0 == done.returncode, done.stdout + done.stderr
    assert f"{TESTS} passed" in done.stdout
    assert "test_kanban.py::test_clients_stay_for_hours PASSED" in done.stdout


def test_in_auto_mode_they_pass_without_marks(team):
    text = programs()[1].replace("@pytest.mark.asyncio\n", "")
    (team / "test_kanban.py").write_text(text)

    assert f"{TESTS} passed" in run(team, "-o", "asyncio_mode=auto").stdout


def test_tests_without_nodes_keep_their_loop_and_those_with_another_fixture_have_ours(team):
    (team / "test_kanban.py").write_text(
        """
import asyncio
import pytest
from kanban import app
from roomwire.testing import VirtualLoop

@pytest.fixture
async def cluster(nodes):
    async with nodes(app) as cluster:
        yield cluster

async def test_of_a_fixture(cluster):
    assert isinstance(asyncio.get_running_loop(), VirtualLoop)
    await cluster.connect()

async def test_of_others():
    assert not isinstance(asyncio.get_running_loop(), VirtualLoop)

async def test_in_a_class_of_its_own_loop(nodes, request):
    assert "virtual" not in request.node.name
"""
    )

    done = run(team, "-o", "asyncio_mode=auto")

    assert "3 passed" in done.stdout, done.stdout


def test_a_failing_test_shows_what_came_and_the_handlers_traceback(team):
    (team / "test_kanban.py").write_text(
        """
from kanban import app

async def test_a_wrong_name(nodes):
    async with nodes(app) as cluster:
        ann = await cluster.connect(user="ann")
        await ann.call("move", {"id": "1", "column": "done"})
        await ann.next("mooved")

async def test_a_handler_that_raises(nodes):
    async with nodes(app) as cluster:
        ann = await cluster.connect(user="ann")
        await ann.call("split", 0)
"""
    )

    shown = run(team, "-o", "asyncio_mode=auto").stdout

    assert "2 failed" in shown
    assert "ann waits for the event 'mooved', and nothing more can happen." in shown
    assert "moved({'id': '1', 'column': 'done'})" in shown
    assert "return 1 / parts" in shown


def test_the_plugin_loads_no_server_before_a_test_asks_for_one():
    code = "import json, sys, roomwire.testing.plugin; print(json.dumps([*sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    loaded = {name for name in json.loads(done.stdout) if name.split(".")[0] in {"roomwire", "socketio"}}
    assert {"roomwire", "roomwire.testing", "roomwire.testing.plugin"} == loaded


def test_the_pages_files_pass_mypy_strict(team, tmp_path_factory):
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "kanban.py", "test_kanban.py"]
    cache = LIBRARY.parents[1] / ".mypy_cache" / "of_a_team"
    done = subprocess.run(
        [*command, "--cache-dir", cache], cwd=team, capture_output=True, text=True, check=False
    )

    assert "" == done.stdout
