"""What is put within one turn of the event loop goes out once, at its end, in order."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from roomwire.engine.turn import Turn


class Sink:
    """An outlet that notes what it writes, a list for each flush."""

    def __init__(self, on_flush=lambda: None) -> None:
        self.outbox: list[bytes] = []
        self.is_due = False
        self.written: list[list[bytes]] = []
        self._on_flush = on_flush

    def flush(self) -> None:
        self.written.append(self.outbox.copy())
        self.outbox.clear()
        self._on_flush()


async def end_of_turn() -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_nothing_is_written_before_the_turn_ends():
    turn, sink = Turn(), Sink()
    turn.put(sink, b"a")
    assert [] == sink.written
    await end_of_turn()
    assert [[b"a"]] == sink.written


async def test_each_outlet_is_written_to_once_however_much_was_put():
    turn, sinks = Turn(), [Sink() for _ in range(3)]
    turn.put_all(sinks, [b"a"])
    turn.put(sinks[1], b"mine")
    turn.put_all(sinks, [b"b", b"c"])
    await end_of_turn()
    assert [[[b"a", b"b", b"c"]], [[b"a", b"mine", b"b", b"c"]], [[b"a", b"b", b"c"]]] == [
        sink.written for sink in sinks
    ]


async def test_what_a_flush_puts_goes_out_in_the_next_turn():
    turn = Turn()
    other = Sink()
    sink = Sink(on_flush=lambda: turn.put(other, b"later"))
    turn.put(sink, b"now")
    await asyncio.sleep(0)
    assert [[b"now"]] == sink.written
    await end_of_turn()
    assert [[b"later"]] == other.written


async def test_an_outlet_that_fails_does_not_mute_the_others():
    def fail():
        raise OSError("broken")

    turn, broken, sink = Turn(), Sink(fail), Sink()
    turn.put(broken, b"a")
    turn.put(sink, b"b")
    with capture_logs() as logs:
        await end_of_turn()
    assert [[b"b"]] == sink.written
    assert ["write failed"] == [line["event"] for line in logs]
    turn.put(broken, b"again")
    with capture_logs():
        await end_of_turn()
    assert [[b"a"], [b"again"]] == broken.written


puts = st.lists(
    st.tuples(st.lists(st.integers(0, 3), unique=True), st.lists(st.binary(max_size=2), min_size=1))
)


@given(puts)
def test_whatever_is_put_every_outlet_gets_its_own_in_order(puts):
    async def run() -> None:
        turn, sinks = Turn(), [Sink() for _ in range(4)]
        expected: list[list[bytes]] = [[] for _ in sinks]
        for numbers, frames in puts:
            turn.put_all([sinks[number] for number in numbers], frames)
            for number in numbers:
                expected[number] += frames
        await end_of_turn()
        assert expected == [sink.written[0] if sink.written else [] for sink in sinks]

    asyncio.run(run())
