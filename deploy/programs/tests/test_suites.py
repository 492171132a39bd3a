"""Suites of projects that build on python-socketio, and python-socketio's own."""

import os
import shutil
from pathlib import Path

import pytest
from outcomes import Row
from programs import SERVERS
from suites import CHECKOUTS, SDISTS, Checkout, Sdist

pytestmark = [pytest.mark.programs, pytest.mark.timeout(1_300)]
DRIVER = "its browser tests: chromedriver is missing (apt-get install chromium-driver)"


@pytest.mark.parametrize("suite", SDISTS, ids=lambda suite: suite.package)
def test_a_suite_passes_as_on_the_stock_server(suite: Sdist, tmp_path: Path, note) -> None:
    folder = suite.unpack(tmp_path)
    outcomes = {server: suite.run(folder, server) for server in SERVERS}
    assert outcomes[SERVERS[0]].worked, outcomes[SERVERS[0]].failed
    note(Row(program=suite.package, version=suite.version, runs=suite.runs, outcomes=outcomes))


@pytest.mark.parametrize("suite", CHECKOUTS, ids=lambda suite: suite.package)
def test_a_suite_from_a_checkout_passes_as_on_the_stock_server(suite: Checkout, tmp_path: Path, note) -> None:
    row = {"program": suite.program, "version": suite.version, "runs": suite.runs}
    suites = os.environ.get("SUITES")
    folder = suite.lay_out(Path(suites), tmp_path) if suites else None
    if folder is None:
        why = f"DIR/{suite.project} has to be a checkout of its project, `make programs SUITES=DIR`"
        note(Row(**row, not_run=why))
        return
    without = ("without_browser",) if suite.browser and not shutil.which("chromedriver") else ()
    outcomes = {server: suite.run(folder, server, *without) for server in SERVERS}
    assert outcomes[SERVERS[0]].worked, outcomes[SERVERS[0]].failed
    note(Row(**row, outcomes=outcomes, left_out=DRIVER if without else suite.left_out))
