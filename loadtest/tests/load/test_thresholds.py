"""Thresholds: read strictly, each can be broken, and void beats both."""

from pathlib import Path

import pytest

from roomwire_loadtest.load import thresholds
from roomwire_loadtest.load.thresholds import Outcome

SHIPPED = Path(thresholds.__file__).with_name("thresholds.toml")


@pytest.mark.parametrize("name", thresholds.NAMES)
def test_each_threshold_holds_at_its_value_and_breaks_above_it(name, tmp_path):
    file = tmp_path / "t.toml"
    file.write_text(f"{name} = 5\n")
    read = thresholds.read(file)
    assert [] == thresholds.broken(read, {name: 5})
    assert [f"{name}: 6, 5 allowed"] == thresholds.broken(read, {name: 6})


def test_what_was_not_measured_breaks_its_threshold():
    assert ["ack_p99_ms: nothing was measured, 5 allowed"] == thresholds.broken({"ack_p99_ms": 5.0}, {})


@pytest.mark.parametrize("line", ["speed = 1", "lost = -1", "lost = nan", "lost = true", 'lost = "0"'])
def test_a_wrong_threshold_is_refused(line, tmp_path):
    file = tmp_path / "t.toml"
    file.write_text(line)
    with pytest.raises(thresholds.WrongThresholds):
        thresholds.read(file)


def test_the_shipped_thresholds_allow_no_loss():
    read = thresholds.read(SHIPPED)
    assert [0.0] * 5 == [read[name] for name in ("lost", "doubled", "reordered", "phantom", "hole")]


@pytest.mark.parametrize(
    ("void", "breaches", "expected"),
    [
        ([], [], Outcome.KEPT),
        ([], ["slow"], Outcome.BROKEN),
        (["saturated"], [], Outcome.VOID),
        (["saturated"], ["slow"], Outcome.VOID),
    ],
)
def test_a_void_run_neither_passes_nor_fails(void, breaches, expected):
    assert expected is thresholds.outcome(void=void, breaches=breaches)
