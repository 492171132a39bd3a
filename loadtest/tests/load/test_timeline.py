"""Second by second: who was connected at the end of each, and how long what was said in it took."""

from roomwire_loadtest.faults.journal import Entry
from roomwire_loadtest.load.timeline import Second, timeline


def test_nothing_has_no_seconds():
    assert [] == timeline([], [])


def test_clients_count_while_they_are_connected_and_messages_in_the_second_they_were_said_in():
    journal = [
        Entry("connect", "a", 10_000.0),
        Entry("connect", "b", 10_500.0),
        Entry("disconnect", "a", 11_200.0),
        Entry("closed", "a", 11_300.0),
        Entry("connect", "a", 12_100.0),
        Entry("closed", "b", 12_900.0),
    ]
    latencies = [(10_100.0, 5.0), (10_900.0, 3_000.0), (12_000.0, 7.0)]
    assert [
        Second(connected=2, delivered=2, p50_ms=3_000.0, p99_ms=3_000.0),
        Second(connected=1, delivered=0, p50_ms=None, p99_ms=None),
        Second(connected=1, delivered=1, p50_ms=7.0, p99_ms=7.0),
    ] == timeline(journal, latencies)


def test_clients_write_their_journals_in_turns_and_the_order_of_time_counts():
    journal = [Entry("connect", "b", 900.0), Entry("closed", "b", 1_550.0), Entry("connect", "a", 500.0)]
    assert [2, 1] == [second.connected for second in timeline([*journal, Entry("meter", "m", 1_600.0)], [])]
