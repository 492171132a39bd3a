"""A point is judged by what arrived, how late, and who was at the limit; a run survives its JSON."""

import pytest
from sample_run import sample_run

from roomwire_loadtest.bench.results import Run, Verdict, judge


@pytest.mark.parametrize(
    ("share", "p99_ms", "generator", "server", "verdict"),
    [
        (1.0, 249.0, 0.5, 1.0, Verdict.HELD),
        (0.98, 1.0, 0.99, 0.5, Verdict.HELD),
        (0.979, 1.0, 0.5, 1.0, Verdict.BEHIND),
        (1.0, 250.0, 0.5, 1.0, Verdict.BEHIND),
        (1.0, None, 0.5, 1.0, Verdict.BEHIND),
        (0.5, None, 0.95, 0.5, Verdict.VOID),
        (0.5, None, 0.95, 0.95, Verdict.BEHIND),
    ],
)
def test_a_point_is_judged(share, p99_ms, generator, server, verdict):
    assert verdict is judge(share=share, p99_ms=p99_ms, generator_cpu=generator, server_cpu=server)


def test_a_run_can_be_read_again(tmp_path):
    run = sample_run()
    run.save(tmp_path / "run.json")
    assert run == Run.load(tmp_path / "run.json")


def test_a_latency_is_the_median_of_the_rounds_that_held():
    assert 12.0 == sample_run().latency_ms("rooms", "ours", 5_000.0, 99)


def test_a_rate_that_failed_in_most_rounds_has_no_latency():
    assert sample_run().latency_ms("rooms", "node-uws", 20_000.0, 99) is None


def test_the_rates_a_server_kept_up_with_are_listed():
    assert [5_000.0, 20_000.0] == sample_run().rates("rooms", "ours")
