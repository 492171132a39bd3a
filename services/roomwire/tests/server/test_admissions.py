"""What is being decided about a connection: tables, without a server."""

import pytest

from roomwire.server.admissions import LONGEST_DELAY_S, MAX_LATE, Admissions, Asked


def test_refusals_are_answered_at_once_and_then_later_and_later_up_to_a_bound():
    admissions = Admissions(max_prompt_refusals=3)
    delays = [admissions.refuse(f"/{number}") for number in range(10)]
    assert [0.0, 0.0, 0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0] == delays
    for number in range(2_000):
        assert LONGEST_DELAY_S == admissions.refuse(f"/{number % MAX_LATE}")
    assert admissions.is_full


def test_what_is_asked_for_while_nothing_is_decided_does_not_wait():
    admissions = Admissions(max_prompt_refusals=3)
    assert not admissions.notes("/a", {})
    admissions.begin("/a")
    assert not admissions.notes("/b", {})
    admissions.end("/a")
    assert not admissions.notes("/a", {})
    assert admissions.is_idle


@pytest.mark.parametrize(
    ("asked", "decided"),
    [
        ([], Asked.NOTHING),
        ([None], None),
        ([{"n": 1}, {"n": 2}], {"n": 2}),
        ([{"n": 1}, Asked.LEAVE], Asked.LEAVE),
        ([Asked.LEAVE, {"n": 1}], {"n": 1}),
    ],
)
def test_what_was_asked_for_last_is_decided_next_and_once(asked, decided):
    admissions = Admissions(max_prompt_refusals=3)
    admissions.begin("/a")
    assert all(admissions.notes("/a", each) for each in asked)
    assert decided == admissions.next("/a")
    assert Asked.NOTHING is admissions.next("/a")


def test_behind_a_late_refusal_it_waits_until_that_is_due():
    admissions = Admissions(max_prompt_refusals=0)
    admissions.begin("/a")
    assert admissions.notes("/a", {"n": 1})
    assert admissions.refuse("/a")
    assert Asked.NOTHING is admissions.next("/a")
    admissions.end("/a")
    assert admissions.notes("/a", {"n": 2})
    assert {"n": 2} == admissions.answer("/a")
    assert not admissions.notes("/a", {"n": 3})


def test_what_is_large_is_not_kept_behind_a_late_refusal():
    admissions = Admissions(max_prompt_refusals=0)
    admissions.refuse("/a")
    assert admissions.notes("/a", {"token": "x" * 10_000})
    assert Asked.NOTHING is admissions.answer("/a")
