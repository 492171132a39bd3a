"""What `make economics` says of its results, and the page that shows them."""

import pytest

from roomwire_loadtest.checkout import RESULTS
from roomwire_loadtest.economics.attacks import Attack
from roomwire_loadtest.economics.document import PATH, costs, filled
from roomwire_loadtest.economics.measuring import Cost
from roomwire_loadtest.economics.results import Results

CHEAP = {
    "up_bytes": 10.0,
    "down_bytes": 900.0,
    "redis_bytes": 100.0,
    "gateway_ms": 3.0,
    "auth_ms": 1.0,
    "redis_ms": 1.0,
}
WHERE = {"surface": "event", "way": "WebSocket", "state": "after CONNECT", "form": ""}


def cost(name="history", token="guest", **more):
    return Cost(
        **WHERE
        | CHEAP
        | {"name": name, "token": token, "sent": 3, "outcome": "answered", "sender_ms": 0.1}
        | more
    )


def attack(name="history", token="guest", **more):
    seen = {
        "seconds": 3.0,
        "connections": 1,
        "accepted": 9,
        "refused": 0,
        "closed": 0,
        "bounds": (),
        "sink_ms": 1.0,
        "p99_ms": 2.0,
        "unanswered": 0,
    }
    return Attack(**WHERE | seen | {"name": name, "token": token} | more)


def results(costs=(), attacks=()):
    return Results(
        date="2026-01-01",
        machine={"CPU": "x", "cores": "2"},
        crowd=3,
        attacked_crowd=3,
        costs=costs,
        alone_ms=1.0,
        attacks=attacks,
    )


@pytest.mark.parametrize(
    ("more", "attacks", "is_unbounded"),
    [
        ({}, [], False),
        ({"down_bytes": 901.0}, [], True),
        ({"redis_bytes": 101.0}, [], True),
        ({"gateway_ms": 3.1}, [], True),
        ({"down_bytes": 901.0}, [attack()], False),
        ({"down_bytes": 901.0}, [attack(accepted=900)], True),
        ({"down_bytes": 901.0}, [attack(accepted=900, refused=1)], True),
        ({"down_bytes": 901.0}, [attack(), attack(way="polling", accepted=900)], True),
        ({"redis_ms": 1.1}, [attack("rooms"), attack(token="none")], True),
    ],
)
def test_what_costs_very_much_needs_a_bound_that_each_attack_keeps_to(more, attacks, is_unbounded):
    dear = cost(**more)

    assert [dear] * is_unbounded == [each for each, _ in results([dear], attacks).unbounded()]


@pytest.mark.parametrize(("token", "is_unbounded"), [("guest", True), ("key", False)])
def test_what_a_charge_allows_may_take_half_a_core_but_from_a_program_of_the_operator(token, is_unbounded):
    dear = cost(token=token, gateway_ms=5.1)

    found = [*results([dear], [attack(token=token)]).unbounded()]
    assert is_unbounded == bool(found)
    if is_unbounded:
        assert "100.0/s are allowed: 710 ms a second, and not 500" == found[0][1]


def test_the_worst_is_shown_first_and_what_costs_very_much_is_bold():
    first, second = costs(results([cost(), cost("presence", down_bytes=2_000.0)])).splitlines()[2:]

    assert first.startswith("| **`presence`, after CONNECT, a guest's token** | WebSocket | 10 |")
    assert second.startswith("| `history`, after CONNECT, a guest's token | WebSocket | 10 |")


def test_the_page_shows_the_kept_results():
    page = PATH.read_text(encoding="utf-8")

    assert page == filled(page, Results.load(RESULTS))
