"""The official JavaScript client's own suite, against a server on Roomwire, on python-socketio and on Node.

No registry carries the suite: it is run from a checkout of its project, which `SUITES` names.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from beside_stock import started
from node_packages import NODE, node_packages
from outcomes import Outcome, Row
from programs import SERVERS, SUITES, WRITTEN

from roomwire_local.free_ports import free_port

pytestmark = [pytest.mark.programs, pytest.mark.timeout(900)]
SUITE = Path("packages", "socket.io-client", "test")
NODE_SERVER = "Node"
PORT = "3210"
"""The port that the suite names."""
LEFT_OUT = (
    "should not emit a packet twice in the 'connect' handler",
    "reconnect timeout should use",
)
"""The cases that are left out, by parts of their names.

The first counts the packets of 100 ms, and expects that no NOOP is among them: a server on Node ends the poll of a client that upgrades
at the next tick of 100 ms. The protocol leaves the time to the server; Roomwire and python-socketio do it at once.

The other two connect to port 80, where no server is, under a fake clock, and expect the refusal after the clock has been moved on. Among
other cases it comes before, on either server, and the fake clock then stays, so that most later cases run out of time.
"""


async def test_the_official_clients_suite_passes_as_on_the_stock_server(tmp_path: Path, note) -> None:
    row = {"program": "socket.io-client", "runs": "its own suite"}
    suites = os.environ.get("SUITES")
    if not suites:
        note(Row(**row, version="4.8.4", not_run="name its project's checkout, `make programs SUITES=DIR`"))
        return
    packages = node_packages()
    outcomes = {}
    for server in (*SERVERS, NODE_SERVER):
        folder = tmp_path / server
        port = free_port()
        _lay_out(Path(suites), folder, packages, port)
        async with _support(server, folder, port):
            outcomes[server] = await _run(folder, with_server=server == NODE_SERVER)
    assert outcomes[NODE_SERVER].worked
    note(Row(**row, version="4.8.4", outcomes=outcomes))


def _lay_out(suites: Path, folder: Path, packages: Path, port: int) -> None:
    """Put the suite beside the client as it was released, with a free port in the place of its own."""
    found = [place for place in (suites / SUITE, suites / "socket.io" / SUITE) if place.is_dir()]
    if not found:
        raise FileNotFoundError(f"{suites} has no {SUITE}: it is no checkout of socketio/socket.io")
    folder.mkdir()
    (folder / "node_modules").symlink_to(packages / "node_modules")
    client = packages / "node_modules" / "socket.io-client"
    shutil.copytree(client / "build", folder / "build")
    shutil.copy(client / "package.json", folder)
    shutil.copytree(found[0], folder / "test")
    for source in (folder / "test").rglob("*.ts"):
        text = source.read_text(encoding="utf-8")
        source.write_text(text.replace(PORT, str(port)), encoding="utf-8")


@contextlib.asynccontextmanager
async def _support(server: str, folder: Path, port: int) -> AsyncIterator[None]:
    """Run the server that the suite talks to; on Node the suite brings its own."""
    if server == NODE_SERVER:
        yield
        return
    program = (SUITES.program("python"), str(WRITTEN / "support_server.py"), "PORT")
    ready = "/socket.io/?EIO=4&transport=polling"
    async with started(*program, server=server, folder=folder, log=folder / "log", ready=ready, port=port):
        yield


async def _run(folder: Path, *, with_server: bool) -> Outcome:
    report = folder / "report.json"
    hooks = ["--require", "test/support/hooks.ts"] if with_server else []
    output = ["--reporter", "json", "--reporter-option", f"output={report}"]
    # Cases of the suite start processes on Node that stay if a case fails: they end with its session.
    process = await asyncio.create_subprocess_exec(
        *(
            NODE,
            "node_modules/mocha/bin/mocha.js",
            "--import=tsx",
            "--exit",
            *hooks,
            *output,
            *("--grep", "|".join(LEFT_OUT), "--invert"),
            "test/index.ts",
        ),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        await process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    said = json.loads(report.read_text(encoding="utf-8"))
    return Outcome(
        worked=[case["fullTitle"] for case in said["passes"]],
        failed={case["fullTitle"]: case["err"].get("message", "failed") for case in said["failures"]},
    )
