"""A run in which the gateways were not exchanged says nothing of what happens when they are."""

import pytest

from roomwire_loadtest.faults.journal import Entry
from roomwire_loadtest.load.exchange import Exchange, connected, exchange, unproven

DONE = Exchange(1_000.0, 2_000.0, ["gateway-1"])


def clients(*, cut, uncut=0, at_ms=1_500.0):
    names = [f"c{number}" for number in range(cut + uncut)]
    return [
        *(Entry("connect", name, 500.0) for name in names),
        *(Entry("disconnect", name, at_ms) for name in names[:cut]),
    ]


@pytest.mark.parametrize(
    ("journal", "exchanges", "expected"),
    [
        (clients(cut=10), [DONE], ""),
        (clients(cut=9, uncut=1), [DONE], ""),
        (clients(cut=8, uncut=2), [DONE], "8 of 10 clients were cut off"),
        (clients(cut=10, at_ms=2_500.0), [DONE], "0 of 10 clients were cut off"),
        (clients(cut=10, at_ms=900.0), [DONE], "0 of 10 clients were cut off"),
        ([], [DONE], "0 of 0 clients were cut off"),
        (clients(cut=10), [], "the run was over before the gateways were exchanged"),
        (
            clients(cut=10),
            [Exchange(1.0, 2.0, failure="no system")],
            "the gateways were not exchanged: no system",
        ),
    ],
)
def test_a_run_needs_proof_that_the_gateways_were_exchanged(journal, exchanges, expected):
    reasons = unproven(journal, exchanges)
    assert bool(expected) is bool(reasons)
    assert not expected or reasons[0].startswith(expected)


def test_connected_is_what_has_neither_left_nor_been_cut_off():
    journal = [*clients(cut=1, uncut=3), Entry("closed", "c1", 1_700.0), Entry("connect", "c0", 1_800.0)]
    assert {"c0", "c2", "c3"} == connected(journal)


def test_who_had_left_before_the_end_need_not_be_cut_off():
    journal = [*clients(cut=3), Entry("connect", "gone", 100.0), Entry("closed", "gone", 1_700.0)]
    assert [] == unproven(journal, [DONE])


def test_a_command_that_fails_has_exchanged_nothing():
    assert "exit status 3" == exchange("http://localhost:3000", "sh -c 'exit 3'").failure
    assert "No such file" in exchange("http://localhost:3000", "/no/such/command").failure


def test_a_command_that_works_is_its_own_proof():
    done = exchange("http://localhost:3000", "true")
    assert ("", ["true"]) == (done.failure, done.proofs)


def test_where_no_local_system_runs_the_supervisor_says_so():
    assert "nothing is running there" in exchange("http://localhost:1", "").failure
