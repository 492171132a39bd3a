"""The fit finds the coefficients that data were made of, none below nothing, and says what it cannot know."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roomwire_loadtest.capacity.costs.fit import Row, TooLittle, fit

NUMBERS = st.floats(0, 10)


def test_exact_data_give_back_what_they_were_made_of():
    truth = {"a": 3e-6, "b": 0.0, "c": 2.0}
    parts = [{"a": 1e5, "b": 2.0}, {"a": 2e5, "c": 1.0}, {"b": 5.0, "c": 3.0}, {"a": 1e4, "b": 1.0, "c": 1.0}]
    rows = [Row(part, sum(truth[name] * units for name, units in part.items())) for part in parts]
    assert truth == pytest.approx(fit(rows, ["a", "b", "c"]), abs=1e-9)


def test_what_would_be_negative_is_nothing_and_the_others_make_up_for_it():
    rows = [Row({"a": 1.0, "b": 1.0}, 1.0), Row({"a": 1.0, "b": 2.0}, 0.5)]
    found = fit(rows, ["a", "b"])
    assert 0.0 == found["b"]
    assert 0.75 == pytest.approx(found["a"])


def test_a_weight_says_which_of_two_that_disagree_is_believed():
    rows = [Row({"a": 1.0}, 1.0, weight=100.0), Row({"a": 1.0}, 3.0, weight=1.0)]
    assert 1.0 == pytest.approx(fit(rows, ["a"])["a"], abs=0.001)


def test_a_coefficient_that_nothing_was_observed_of_is_named():
    with pytest.raises(TooLittle, match="nothing was observed of b"):
        fit([Row({"a": 1.0}, 1.0)], ["a", "b"])


def error(rows, values):
    return sum(
        (sum(values[name] * units for name, units in row.parts.items()) - row.total) ** 2 for row in rows
    )


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10), NUMBERS), min_size=3, max_size=8),
    st.sampled_from(["a", "b"]),
    st.floats(-0.3, 0.3),
)
def test_no_step_aside_is_better(rows, name, step):
    rows = [Row({"a": a, "b": b}, total) for a, b, total in rows]
    found = fit(rows, ["a", "b"])
    aside = {**found, name: max(0.0, found[name] + step)}
    assert error(rows, found) <= error(rows, aside) + 1e-6
