"""What the documents show is what the kept measurements come to; a mark that nothing is made for is an error."""

import itertools

import pytest

from roomwire_loadtest.capacity.__main__ import main
from roomwire_loadtest.capacity.costs.results import NAME, Result
from roomwire_loadtest.capacity.planning.planner import plan
from roomwire_loadtest.capacity.planning.workload import read
from roomwire_loadtest.capacity.report.document import PATHS, UnknownMark, filled
from roomwire_loadtest.capacity.report.tables import as_values, planned, report
from roomwire_loadtest.checkout import RESULTS, WORKLOADS


@pytest.fixture(scope="module")
def result():
    return Result.load(RESULTS / f"{NAME}.json")


def test_the_kept_model_is_that_of_the_kept_measurements(result):
    again = Result.of(result.measured)
    # Pythons differ in how they add up.
    for kept, fitted in (
        (result.model.cpu_s, again.model.cpu_s),
        (result.model.weights, again.model.weights),
    ):
        assert {what: pytest.approx(costs, rel=1e-3, abs=1e-9) for what, costs in kept.items()} == fitted
    assert result.verdict.broken == again.verdict.broken


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_the_documents_show_what_is_kept(result, path):
    text = path.read_text("utf-8")
    assert "<!-- made: " in text
    assert text == filled(text, result), "`make report` writes it anew"


def test_the_report_shows_what_is_kept(result):
    assert (RESULTS / f"{NAME}.md").read_text("utf-8") == report(result)


def test_a_mark_that_nothing_is_made_for_is_an_error(result):
    with pytest.raises(UnknownMark, match="plan none"):
        filled("<!-- made: plan none -->\n<!-- end -->", result)


def test_what_is_between_marks_is_replaced_and_what_is_around_them_stays(result):
    text = filled("before\n<!-- made: costs auth -->\nold\n<!-- end -->\nafter\n", result)
    assert text.startswith("before\n<!-- made: costs auth -->\n\n| CPU of an auth service, us |")
    assert text.endswith("\n\n<!-- end -->\nafter\n")
    assert "old" not in text


def test_a_plan_as_values_has_the_figures_of_one_of_its_deployments(result):
    planned = plan(read(WORKLOADS / "large.toml"), result.model)
    words = as_values(planned).split()
    values = dict(word.split("=", 1) for option, word in itertools.pairwise(words) if option == "--set")

    assert planned.logs > 1
    assert int(values["gateway.replicas"]) * planned.logs >= planned.gateways.count
    assert (int(values["gateway.replicas"]) - 1) * planned.logs < planned.gateways.count
    assert f"{planned.redis.memory_mib}mb" == values["redis.maxMemory"]
    assert f"{planned.gateways.memory_limit_mib}Mi" == values["gateway.resources.limits.memory"]
    assert f"{planned.auth.cpu_m}m" == values["auth.resources.requests.cpu"]


@pytest.mark.parametrize(
    ("name", "deployments"), [("small", "these figures:\n"), ("large", "to each of the 5 deployments:\n")]
)
def test_the_command_prints_a_plan_and_the_values_that_it_comes_to(result, name, deployments, capsys):
    file = WORKLOADS / f"{name}.toml"

    assert 0 == main(["plan", str(file)])

    printed = capsys.readouterr().out
    made = plan(read(file), result.model)
    assert printed.startswith(planned(made))
    assert printed.endswith(f"{deployments}\n{as_values(made)}\n")
