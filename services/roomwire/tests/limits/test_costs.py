"""What costs how much, and what is no cost."""

import pytest

from roomwire import subscribe
from roomwire.limits import costs


def test_an_answer_costs_one_event_for_each_of_its_pieces():
    sizes = [0, costs.ANSWER_BYTES - 1, costs.ANSWER_BYTES, 10 * costs.ANSWER_BYTES]
    assert [0, 0, 1, 10] == [*map(costs.of_answer, sizes)]


def test_an_event_to_a_crowd_costs_one_event_for_each_part_of_it():
    numbers = [0, costs.RECEIVERS - 1, costs.RECEIVERS, 25 * costs.RECEIVERS]
    assert [0, 0, 1, 25] == [*map(costs.of_receivers, numbers)]


@pytest.mark.parametrize("cost", [0, -1, costs.MAX_COST + 1, 1.5, True, "2", None])
def test_a_price_that_is_none_is_refused_where_the_handler_is_defined(cost):
    with pytest.raises(ValueError, match="the cost of an event is a whole number from 1 to 10,000"):
        subscribe("report", cost=cost)
