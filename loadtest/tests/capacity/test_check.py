"""The check passes a model that is right, and fails one that is wrong, by what and by how much."""

import msgspec
import pytest
from made_up import MODEL, observations, weights

from roomwire_loadtest.capacity.costs.check import check


def test_a_model_that_is_right_holds():
    verdict = check(MODEL, observations(), weights())
    assert [] == verdict.broken
    assert {"gateway", "redis", "auth", "session bytes"} <= {one.service for one in verdict.errors}


@pytest.mark.parametrize("service", ["gateway", "redis", "auth"])
def test_a_model_that_takes_work_for_twice_as_dear_does_not_hold(service):
    dear = {unit: 2 * cost for unit, cost in MODEL.cpu_s[service].items()}
    wrong = msgspec.structs.replace(MODEL, cpu_s={**MODEL.cpu_s, service: dear})
    assert {service} == {
        sentence.partition(":")[0] for sentence in check(wrong, observations(), weights()).broken
    }


def test_a_model_that_forgets_most_of_the_bytes_does_not_hold():
    wrong = msgspec.structs.replace(
        MODEL, weights={**MODEL.weights, "log": dict.fromkeys(MODEL.weights["log"], 1.0)}
    )
    assert ["log bytes"] * 2 == [
        one.partition(":")[0] for one in check(wrong, observations(), weights()).broken
    ]


def test_without_anything_to_check_against_nothing_holds():
    seen = [one for one in observations() if not one.is_check]
    assert ["there is nothing to check the model against"] == check(MODEL, seen, []).broken
