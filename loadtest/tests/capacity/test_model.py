"""A model that is fitted on what another one says is that other one; what finds a process awake costs less."""

import pytest
from made_up import MODEL, observations, weights

from roomwire_loadtest.capacity.costs.model import WORK, fitted


def test_the_model_of_what_a_model_said_says_the_same():
    model = fitted(observations(), weights(), MODEL.base_bytes)
    for service, units in WORK.items():
        work = {unit: 0.02 / MODEL.cpu_s[service][unit] for unit in units if unit != "seconds"}
        assert MODEL.busy(service, work) == pytest.approx(model.busy(service, work), rel=0.02)
    assert MODEL.weights["session"] == pytest.approx(model.weights["session"], rel=0.01)


def test_checks_are_not_fitted_on():
    spoilt = [
        type(one)(
            **{name: getattr(one, name) for name in one.__struct_fields__} | {"cpu_s": 100.0 * one.cpu_s}
        )
        if one.is_check
        else one
        for one in observations()
    ]
    assert fitted(observations(), weights(), {}) == fitted(spoilt, weights(), {})


def test_a_message_costs_its_work_and_its_waking_alone_and_less_the_more_there_are():
    alone, rates = MODEL.busy("gateway", {}), (0.001, 500.0, 1_500.0, 3_000.0)
    costs = [(MODEL.busy("gateway", {"messages": rate}) - alone) / rate for rate in rates]
    assert 400e-6 == pytest.approx(costs[0], rel=0.01)
    assert sorted(costs, reverse=True) == costs
    assert costs[-1] > 300e-6


def test_a_process_is_full_when_its_warm_work_fills_it_and_never_by_what_it_wakes_up_for():
    full = 1 / MODEL.cpu_s["gateway"]["messages"]
    assert MODEL.busy("gateway", {"messages": 0.9 * full}) < 1
    assert MODEL.busy("gateway", {"messages": 1.1 * full}) > 1
