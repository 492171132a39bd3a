"""The report says what was found, what was not and why, and whether each line was reached."""

import pytest
from msgspec import structs
from sample_run import sample_run

from roomwire_loadtest.bench.report.lines import Line, lines
from roomwire_loadtest.bench.report.markdown import report
from roomwire_loadtest.bench.report.plot import plot
from roomwire_loadtest.bench.results import Figure


@pytest.fixture
def text() -> str:
    return report(sample_run(), plot_file="bench.svg")


@pytest.fixture
def found() -> dict[str, Line]:
    return {line.asked: line for line in lines(sample_run())}


def test_figures_are_medians_with_their_bounds(text):
    assert "| 2,000,000 (1,000,000 to 2,000,000) | 100,000 |" in text


def test_an_absent_server_is_named_with_its_reason(text):
    assert "Absent: Go: Go is not installed" in text
    assert "| absent |" in text


def test_a_lower_bound_is_marked(text):
    assert "| ≥ 20,000 |" in text


def test_latencies_are_given_for_the_rates_that_are_compared(text):
    assert "| 5,000 messages/s, 50,000 deliveries/s | 6.0 / 12.0 |" in text


def test_a_rate_that_is_not_kept_up_with_is_said_so(text):
    row = next(line for line in text.splitlines() if line.startswith("| 20,000 messages/s, 200,000"))
    assert "| 20.0 / 40.0 * |" in row
    assert "| cannot |" in row


def test_machine_and_versions_are_listed(text):
    assert "- CPU: a processor" in text
    assert "- Roomwire: Python 3" in text


@pytest.mark.parametrize(
    ("asked", "is_reached"),
    [
        ("Fan-out, room of 500, deliveries/s: at least 10x ws", True),
        ("Fan-out, room of 500, deliveries/s: at least 1x uWebSockets", True),
        ("Acknowledged events/s, 200 clients: at least 1x Bun", True),
        ("Acknowledged events/s, 200 clients: at least 2x ws", False),
        ("Acknowledged events/s, 200 clients: at least 1x Go", None),
        ("Memory per idle connection: at most 6 KiB", True),
        ("Memory per idle connection: below every peer", True),
        ("Fan-out, room of 500, deliveries/s: p99 at most 1x that of uWebSockets", None),
        ("Connections/s, polling then upgrade: at least 1.5x ws", None),
    ],
)
def test_each_line_is_reached_or_not_or_cannot_be_told(found, asked, is_reached):
    assert is_reached is found[asked].is_reached


def test_latencies_are_compared_at_the_highest_rate_that_both_kept_up_with():
    run = sample_run()
    points = [point for point in run.points if point.server != "node-uws"]
    theirs = [
        type(point)(
            **{name: getattr(point, name) for name in point.__struct_fields__} | {"server": "centrifuge"}
        )
        for point in run.points
        if point.server == "node-uws"
    ]
    run = type(run)(
        **{name: getattr(run, name) for name in run.__struct_fields__} | {"points": points + theirs}
    )
    line = next(line for line in lines(run) if "0.5x that of Go" in line.asked)
    assert "12.0 ms to 30.0 ms at 5,000 messages/s, the highest both kept up with" == line.found
    assert line.is_reached


def test_several_nodes_have_a_table_of_their_own():
    run = sample_run()
    names = {"ours-nodes": "two of ours", "node-streams": "two of theirs"}
    figures = [
        Figure(row="nodes-rooms", server="ours-nodes", round=1, value=16_000.0),
        Figure(row="nodes-rooms", server="node-streams", round=1, value=4_000.0),
    ]
    run = structs.replace(
        run, servers=run.servers | names, nodes=list(names), figures=[*run.figures, *figures]
    )
    text = report(run, plot_file="bench.svg")
    assert "| one process, one core | Roomwire | ws | uWebSockets | Bun | Go |" in text
    assert "| nodes and their Redis, one core | two of ours | two of theirs |" in text
    assert "| 16,000 | 4,000 |" in text
    assert "4.00x (16,000 to 4,000) | yes |" in text


def test_the_plot_is_drawn_as_both_kinds_of_picture(tmp_path):
    plot(sample_run(), [tmp_path / "plot.svg", tmp_path / "plot.png"])
    assert b"<svg" in (tmp_path / "plot.svg").read_bytes()
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
