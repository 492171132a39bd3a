"""Short versions of the fault suite's rows, on real processes: `pytest -m faults`."""

import pytest

from faults.judge import play
from faults.report import PASS, table
from faults.scenarios import ROWS

SHORT = ("K1", "K2", "K4", "K7", "K9")

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]


@pytest.mark.parametrize("row", [row for row in ROWS if row.id.split()[0] in SHORT], ids=lambda row: row.id)
async def test_a_short_run_holds_its_line(row, tmp_path):
    outcome = await play(row, quick=True, journals=tmp_path)
    assert PASS == outcome.verdict, "\n" + table([outcome])
