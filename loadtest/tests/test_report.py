"""What is shown of kept results is what they say: `make report` would change nothing."""

import shutil

import pytest

from roomwire_loadtest.bench.report.markdown import report as bench_report
from roomwire_loadtest.bench.results import Run
from roomwire_loadtest.checkout import RESULTS
from roomwire_loadtest.load.record import Record
from roomwire_loadtest.load.record import report as load_report
from roomwire_loadtest.report import main

WRITTEN = ("bench", "drop-in", "load", "capacity")


@pytest.mark.parametrize("name", ["bench", "drop-in"])
def test_the_benchmark_shows_what_is_kept(name):
    expected = bench_report(Run.load(RESULTS / f"{name}.json"), plot_file=f"{name}.svg")
    assert expected == (RESULTS / f"{name}.md").read_text("utf-8"), "`make report` writes it anew"


def test_the_load_run_shows_what_is_kept_and_was_not_void():
    record = Record.load(RESULTS / "load.json")
    assert load_report(record) == (RESULTS / "load.md").read_text("utf-8"), "`make report` writes it anew"
    assert [] == record.void


def test_a_report_that_is_written_again_is_what_it_was_byte_for_byte(tmp_path):
    for name in WRITTEN:
        shutil.copy(RESULTS / f"{name}.json", tmp_path)
    main(tmp_path)
    names = [f"{name}.{ending}" for name in WRITTEN for ending in ("json", "md", "svg", "png")]
    assert [] == [name for name in names if (RESULTS / name).read_bytes() != (tmp_path / name).read_bytes()]


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("kind", ["svg", "png"])
def test_each_has_its_pictures(name, kind):
    assert (RESULTS / f"{name}.{kind}").stat().st_size > 0
