"""What a run says: of the system what is its own, of the generator what is that one's."""

import pytest

from roomwire_loadtest.faults.journal import Entry
from roomwire_loadtest.faults.oracle import check
from roomwire_loadtest.load.verdict import silence, unacknowledged, void_reasons


def invoked(number):
    return Entry("invoked", "a", 1.0, room="r", id=f"a#{number}", seq=number)


def test_what_was_refused_or_never_answered_is_unacknowledged_and_what_was_said_twice_counts_once():
    journal = [
        *map(invoked, (1, 2, 3)),
        Entry("acked", "a", 2.0, id="a#1"),
        Entry("failed", "a", 2.0, id="a#2"),
        Entry("acked", "a", 3.0, id="a#1"),
    ]
    assert 2 == unacknowledged(journal)


@pytest.mark.parametrize(
    ("journal", "failed_logins", "expected"),
    [
        ([], 0, True),
        ([], 1, False),
        ([invoked(1)], 0, False),
        ([invoked(1), Entry("meter", "one", 5.0, cpu=0.95)], 0, True),
        ([invoked(1), Entry("meter", "one", 5.0, cpu=0.5, lag_ms=1500.0)], 0, True),
    ],
)
def test_a_run_is_void_by_its_generator_only(journal, failed_logins, expected):
    assert expected is bool(void_reasons(journal, failed_logins=failed_logins))


def test_a_system_that_did_nothing_is_told_so():
    assert ["no message was acknowledged", "no message was delivered"] == silence(check([invoked(1)]))
