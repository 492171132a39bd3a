"""The measurement of compression does what it says, if not how long that takes."""

from roomwire_loadtest.bench.compression import Row, line_of, measure, run_server


async def test_both_groups_receive_the_same_messages_one_of_them_compressed():
    row = Row(receivers=2, size=4_096, messages=100)
    with run_server() as (server, port):
        found = await measure(server, port, row, rounds=1)

    assert ["plain", "compressed"] == [*found]
    assert 2_000 < found["compressed"].bytes < found["plain"].bytes < 5_000
    assert line_of(row, found).startswith("| 2 | ")
