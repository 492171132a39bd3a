"""How soon messages are as quick again as before a fault."""

from roomwire_loadtest.faults.journal import Entry
from roomwire_loadtest.faults.latency import back_s, p99_ms, quantile


def test_a_quantile_of_nothing_is_zero():
    assert 0.0 == quantile([], 0.99)
    assert 99 == quantile(range(100), 0.99)


def test_messages_that_were_never_slow_are_back_at_once():
    assert 0.0 == back_s([(1_000.0 + n, 5.0) for n in range(1_000)], [1_200.0])


def test_it_is_back_after_the_last_slow_window():
    slow_until_1500 = [(1_000.0 + n, 5.0 if n > 1_500 else 900.0) for n in range(0, 4_000, 10)]
    assert 1.75 == back_s(slow_until_1500, [1_000.0])


def test_the_longest_of_several_faults_counts():
    messages = [(t, 900.0 if t < 1_100 or 5_000 <= t < 6_100 else 5.0) for t in range(1_000, 9_000, 10)]
    assert 1.25 == back_s(messages, [1_000.0, 5_000.0])


def test_a_message_under_way_when_the_harm_is_done_is_of_that_fault():
    messages = [(t, 900.0 if t == 5_990 else 5.0) for t in range(1_000, 9_000, 10)]
    assert 0.25 == back_s(messages, [1_000.0, 6_000.0])


def test_slowness_that_ended_before_any_fault_is_nobodys_matter():
    assert 0.0 == back_s([(500.0, 400.0)], [1_000.0])


def test_p99_is_of_the_receivers_and_the_time_asked_for():
    entries = [
        Entry("invoked", "p", 10, id="a"),
        Entry("got", "ann", 15, id="a"),
        Entry("got", "slow", 999, id="a"),
        Entry("invoked", "p", 90, id="b"),
        Entry("got", "ann", 500, id="b"),
    ]
    assert 5.0 == p99_ms(entries, {"ann"}, 0, 50)
