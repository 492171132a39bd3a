"""What is shown of kept results is what they say: `make report` would change nothing."""

import pytest

from load.record import Record
from load.record import report as load_report
from report import report as bench_report
from results import Run
from written import RESULTS


def test_the_benchmark_shows_what_is_kept():
    expected = bench_report(Run.load(RESULTS / "bench.json"), plot_file="bench.svg")
    assert expected == (RESULTS / "bench.md").read_text("utf-8"), "`make report` writes it anew"


def test_the_load_run_shows_what_is_kept_and_was_not_void():
    record = Record.load(RESULTS / "load.json")
    assert load_report(record) == (RESULTS / "load.md").read_text("utf-8"), "`make report` writes it anew"
    assert [] == record.void


@pytest.mark.parametrize("name", ["bench", "load", "capacity"])
@pytest.mark.parametrize("kind", ["svg", "png"])
def test_each_has_its_pictures(name, kind):
    assert (RESULTS / f"{name}.{kind}").stat().st_size > 0
