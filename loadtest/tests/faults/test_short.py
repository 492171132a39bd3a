"""Short versions of the fault suite's rows, on real processes, judged by what they count."""

import pytest

from roomwire_loadtest.faults.judge import play
from roomwire_loadtest.faults.report import PASS, table
from roomwire_loadtest.faults.scenarios import ROWS

SHORT = ("K1", "K2", "K4", "K9", "K7")
CHOSEN = [row for wanted in SHORT for row in ROWS if row.id.split()[0] == wanted]

pytestmark = pytest.mark.timeout(240)


def test_each_short_row_is_a_row_of_the_suite():
    assert {*SHORT} == {row.id.split()[0] for row in CHOSEN}


@pytest.mark.parametrize("row", CHOSEN, ids=lambda row: row.id)
async def test_a_short_run_holds_its_line(row, tmp_path):
    outcome = await play(row, quick=True, journals=tmp_path, is_timed=False)
    assert PASS == outcome.verdict, "\n" + table([outcome])
