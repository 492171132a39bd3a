"""The measurement of the relay's cost does what it says, if not how long that takes."""

from roomwire_loadtest.bench import relay as relay_bench


def test_requests_and_messages_are_counted_direct_and_relayed():
    with relay_bench.run_pair() as pair:
        found = relay_bench.measure(pair, 1, 100)

    assert ["polling request", "message, alone", "message, 32 at once"] == [*found]
    direct, relayed = found["polling request"]
    assert 1 == len(direct) == len(relayed)
    # The clock of the kernel ticks ten milliseconds: it cannot miss two hundred requests.
    assert relayed[0].other_us > 0
    assert 5 == len(relay_bench.report(found).splitlines())
