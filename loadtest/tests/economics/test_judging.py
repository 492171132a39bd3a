"""What `make economics` says of the rate of an attack, and of its cost at the bound."""

import pytest

from roomwire_loadtest.economics.attacks import Attack
from roomwire_loadtest.economics.charges import Charge
from roomwire_loadtest.economics.judging import AtBound, Rate, at_bound, is_dear, rate_of
from roomwire_loadtest.economics.measuring import Cost

OWN = Charge("ROOMWIRE_MAX_EVENTS_PER_S", 100.0, 100.0, is_of_connection=True)
USER = Charge("ROOMWIRE_MAX_EVENTS_PER_USER_PER_S", 300.0, 300.0)


def attack(accepted, *, refused=0, bounds=(), connections=1):
    """Return an attack of ten seconds."""
    return Attack(
        surface="event",
        name="rooms",
        way="polling",
        state="after CONNECT",
        token="guest",
        form="",
        seconds=10.0,
        connections=connections,
        accepted=accepted,
        refused=refused,
        closed=0,
        bounds=bounds,
        sink_ms=1.0,
        p99_ms=1.0,
        unanswered=0,
    )


@pytest.mark.parametrize(
    ("made", "charges", "is_bounded", "words"),
    [
        (attack(690), [OWN, USER], True, "sender slower: 69.0 of 110.0/s (`ROOMWIRE_MAX_EVENTS_PER_S`)"),
        (attack(1_000), [OWN, USER], True, "held to 100.0/s by `ROOMWIRE_MAX_EVENTS_PER_S`"),
        (attack(500, refused=1), [OWN], True, "held to 50.0/s by `ROOMWIRE_MAX_EVENTS_PER_S`"),
        (attack(500, bounds=("a", "b")), [OWN], True, "held to 50.0/s by `a`, `b`"),
        (attack(1_220), [OWN], False, "**beyond** 110.0/s of `ROOMWIRE_MAX_EVENTS_PER_S`: 122.0/s"),
        (
            attack(1_220, bounds=("a",)),
            [OWN],
            False,
            "**beyond** 110.0/s of `ROOMWIRE_MAX_EVENTS_PER_S`: 122.0/s",
        ),
        (attack(1_220, connections=2), [OWN], True, "held to 122.0/s by `ROOMWIRE_MAX_EVENTS_PER_S`"),
        (
            attack(3_900, connections=40),
            [OWN, USER],
            False,
            "**beyond** 330.0/s of `ROOMWIRE_MAX_EVENTS_PER_USER_PER_S`: 390.0/s",
        ),
        (attack(10), [], False, "**no charge**: 1.0/s"),
        (attack(10, refused=3), [], True, "held to 1.0/s by refusals"),
        (attack(10, bounds=("a",)), [], True, "held to 1.0/s by `a`"),
    ],
)
def test_the_rate_of_an_attack_is_judged_by_what_its_charges_allow(made, charges, is_bounded, words):
    assert Rate(is_bounded=is_bounded, words=words) == rate_of(made, charges)


def test_what_one_connection_may_send_may_not_take_more_than_half_a_core_but_from_a_program_of_the_operator():
    half = AtBound(per_s=100.0, cpu_ms=500.0, moved_bytes=1.0)
    more = AtBound(per_s=100.0, cpu_ms=500.1, moved_bytes=1.0)
    of_operator = AtBound(per_s=100.0, cpu_ms=500.1, moved_bytes=1.0, is_of_operator=True)

    assert [False, True, False] == [each.is_too_much for each in (half, more, of_operator)]


def cost(**more):
    return Cost(
        surface="Engine.IO",
        name="CLOSE",
        way="polling",
        form="",
        sent=3,
        up_bytes=1.0,
        down_bytes=1.0,
        redis_bytes=1.0,
        auth_ms=0.0,
        redis_ms=0.0,
        sender_ms=0.0,
        **{"state": "after CONNECT", "token": "none", "outcome": "answered", "gateway_ms": 10.0} | more,
    )


@pytest.mark.parametrize(
    ("outcome", "state", "messages"),
    [
        ("answered", "after CONNECT", 1),
        ("silent", "before CONNECT", 1),
        ("closed", "before CONNECT", 2),
        ("closed", "after CONNECT", 3),
    ],
)
def test_what_ends_its_session_is_judged_with_the_messages_that_opened_it(outcome, state, messages):
    assert [False, True] == [
        is_dear(cost(outcome=outcome, state=state, gateway_ms=5.0 * messages + more)) for more in (0.0, 0.1)
    ]


def test_a_charge_for_each_address_bounds_nothing_where_addresses_are_not_known():
    of_all = Charge("ROOMWIRE_MAX_REGISTRATIONS_PER_MINUTE", 5.0, 300.0)
    of_address = Charge("ROOMWIRE_MAX_REGISTRATIONS_PER_ADDRESS", 0.1, 100.0, needs_addresses=True)

    assert AtBound(5.0, 50.0, 10.0) == at_bound(cost(), [of_all, of_address])
    assert None is at_bound(cost(), [of_address])
